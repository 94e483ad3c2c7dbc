package provider

import (
	"errors"
	"strings"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/internal/document"
)

var errAmount = errors.New("amount not understood")

// readAmount reads an amount by the provider's documented unit and by how it is written, never by its size:
//
//	unit centavos   1990, "1990" → R$ 19,90;  19.90, "19.90" → R$ 19,90 (a decimal point can only mean reais)
//	unit reais      19.9, "19.90", "19,90" → R$ 19,90;  20, "20" → R$ 20,00
//
// Absent, null and "" are nil. Anything else (negative, exponent, three decimals, another type) is an error, since
// "not understood" must not pass for "absent".
func readAmount(v document.Value, unit Unit) (*money.Amount, error) {
	if !v.Present() {
		return nil, nil
	}
	text := strings.TrimSpace(v.Text())
	if text == "" {
		return nil, errAmount
	}
	var amount money.Amount
	var err error
	switch {
	case strings.Contains(text, ","):
		whole, frac, _ := strings.Cut(text, ",")
		if len(frac) != 2 || strings.Contains(whole, ".") {
			return nil, errAmount
		}
		amount, err = money.ParseReais(whole + "." + frac)
	case strings.Contains(text, ".") || unit == Reais:
		amount, err = money.ParseReais(shorten(text))
	default:
		amount, err = money.ParseCentavos(text)
	}
	if err != nil {
		return nil, errAmount
	}
	return &amount, nil
}

// shorten undoes the tail of a binary fraction: 19.899999999999999 and 19.900000000000002 are 19.90 as some
// programming languages print it. Eight equal digits after the second decimal are proof enough; anything else stays.
func shorten(text string) string {
	whole, frac, _ := strings.Cut(text, ".")
	if len(frac) < 10 {
		return text
	}
	head, tail := frac[:2], frac[2:]
	switch {
	case strings.HasPrefix(tail, "00000000"):
		return whole + "." + head
	case strings.HasPrefix(tail, "99999999"):
		amount, err := money.ParseReais(whole + "." + head)
		if err != nil {
			return text
		}
		return (amount + 1).Reais()
	}
	return text
}
