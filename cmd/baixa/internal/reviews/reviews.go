// Package reviews lists the sales that wait for a person, with the question in words and the commands that answer it.
package reviews

import (
	"fmt"
	"io"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/money"
)

var questions = map[string]struct{ pt, en string }{
	"amount_differs":     {"chegou um valor diferente do preço", "another amount than the price arrived"},
	"amount_corrected":   {"depois da entrega o provedor informou outro valor", "after delivery the provider named another amount"},
	"other_currency":     {"o dinheiro está em outra moeda", "the money is in another currency"},
	"second_payment":     {"a venda foi paga mais de uma vez", "the sale was paid more than once"},
	"paid_after_refund":  {"o provedor diz paga depois de devolvida", "paid is reported after the money went back"},
	"paid_after_refusal": {"chegou dinheiro novo depois da recusa", "new money arrived after the refusal"},
	"late_money":         {"o dinheiro chegou depois do prazo", "the money arrived after the end"},
	"no_end_to_end":      {"o identificador fim a fim exigido não veio", "the end-to-end id that you require never came"},
	"disputed":           {"uma contestação foi aberta durante a análise", "a dispute was opened during the review"},
}

// Open reports whether a sale has a question that somebody must answer.
func Open(p *paymentsv1.Payment) bool {
	return p.GetStatus() == paymentsv1.PaymentStatus_PAYMENT_STATUS_NEEDS_REVIEW ||
		p.GetStatusReason() != "" && p.GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_CANCELLED
}

// Question is a reason in words; one that is not known is shown as it is.
func Question(reason, lang string) string {
	q, ok := questions[reason]
	switch {
	case !ok:
		return screen.Clean(reason)
	case lang == "en":
		return q.en
	}
	return q.pt
}

// Write prints the sales.
func Write(w io.Writer, sales []*paymentsv1.Payment, lang string) error {
	none, price, came, commands := "nenhuma venda espera por alguém", "preço", "chegou", "responda com"
	if lang == "en" {
		none, price, came, commands = "no sale waits for anybody", "price", "arrived", "answer with"
	}
	if len(sales) == 0 {
		_, err := fmt.Fprintln(w, none)
		return err
	}
	for _, p := range sales {
		arrived := "-"
		if p.GetPaidAmount() != nil {
			arrived = money.Amount(p.GetPaidAmount().GetCentavos()).String()
		}
		fmt.Fprintf(w, "%s  %s  %s\n    %s: %s %s, %s %s\n", p.GetId(), p.GetCreatedAt().AsTime().Local().Format(time.DateTime), screen.Clean(p.GetExternalId()),
			Question(p.GetStatusReason(), lang), price, money.Amount(p.GetAmount().GetCentavos()), came, arrived)
	}
	_, err := fmt.Fprintf(w, "\n%s: baixa review accept|refuse ID --note \"…\"\n", commands)
	return err
}
