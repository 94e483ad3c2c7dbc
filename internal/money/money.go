// Package money holds amounts as integer centavos and reads and writes them exactly.
//
// It refuses to touch floating point: every text form is parsed digit by digit, so R$ 0,29 never becomes 28 centavos.
package money

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// BRL is the only currency a PIX sale can have (ISO 4217).
const BRL = "BRL"

// ErrSyntax is wrapped by every parse error of this package; the message names the expected form.
var ErrSyntax = errors.New("not an amount")

// Amount is a sum of money in centavos of its currency: Amount(1990) is R$ 19,90. It may be negative in
// compensating entries.
type Amount int64

// ParseCentavos reads an integer number of centavos ("1990"). Signs, spaces inside, decimals and exponents are
// refused; surrounding white space is ignored.
func ParseCentavos(s string) (Amount, error) {
	s = strings.TrimSpace(s)
	if !digits(s) {
		return 0, fmt.Errorf("%w: expected whole centavos such as 1990", ErrSyntax)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: more centavos than can exist", ErrSyntax)
	}
	return Amount(n), nil
}

// ParseReais reads a decimal number of reais with a point ("19.90", "19.9", "19", "19.900") exactly. More than two
// decimals are accepted only when the rest is zeros. Exponents ("1.99e1"), commas and signs are refused.
func ParseReais(s string) (Amount, error) {
	s = strings.TrimSpace(s)
	whole, frac, dotted := strings.Cut(s, ".")
	if !digits(whole) || dotted && !digits(frac) {
		return 0, fmt.Errorf("%w: expected reais with a decimal point such as 19.90", ErrSyntax)
	}
	frac = strings.TrimRight(frac, "0")
	if len(frac) > 2 {
		return 0, fmt.Errorf("%w: expected at most two decimals", ErrSyntax)
	}
	frac += "00"[len(frac):]
	n, err := strconv.ParseInt(whole, 10, 64)
	cents, _ := strconv.ParseInt(frac, 10, 64)
	if err != nil || n > (math.MaxInt64-cents)/100 {
		return 0, fmt.Errorf("%w: more reais than can exist", ErrSyntax)
	}
	return Amount(n*100 + cents), nil
}

// ParseBrazilian reads reais as Brazilians write them ("1.234,56", "R$ 19,90", "19,9"); points may only group
// thousands. It exists for statements and spreadsheets, never for provider APIs.
func ParseBrazilian(s string) (Amount, error) {
	s = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s), "R$"))
	whole, frac, comma := strings.Cut(s, ",")
	groups := strings.Split(whole, ".")
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && (len(g) == 0 || len(g) > 3) {
			return 0, fmt.Errorf("%w: expected reais such as 1.234,56", ErrSyntax)
		}
	}
	plain := strings.Join(groups, "")
	if comma {
		plain += "." + frac
	}
	a, err := ParseReais(plain)
	if err != nil {
		return 0, fmt.Errorf("%w: expected reais such as 1.234,56", ErrSyntax)
	}
	return a, nil
}

// String is the Brazilian form with currency, "R$ 1.234,56", negative as "-R$ 1,00".
func (a Amount) String() string {
	sign, n := a.split()
	whole := strconv.FormatUint(n/100, 10)
	var b strings.Builder
	b.WriteString(sign + "R$ ")
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte('.')
		}
		b.WriteRune(r)
	}
	fmt.Fprintf(&b, ",%02d", n%100)
	return b.String()
}

// Reais is the plain decimal form with a point and two digits, "1234.56", as machines expect it.
func (a Amount) Reais() string {
	sign, n := a.split()
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

func (a Amount) split() (sign string, magnitude uint64) {
	if a < 0 {
		return "-", uint64(-(a + 1)) + 1
	}
	return "", uint64(a)
}

func digits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}
