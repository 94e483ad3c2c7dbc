package reconcile

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	"github.com/baixapay/baixa/cmd/baixa/internal/statement"
	"github.com/baixapay/baixa/internal/money"
)

type text = statement.Text

var kinds = map[Kind]text{
	PaidThere:     {PT: "pago lá, não aqui", EN: "paid there, not here"},
	NotPaidThere:  {PT: "pago aqui, não lá", EN: "paid here, not there"},
	AbsentThere:   {PT: "pago aqui, falta no extrato", EN: "paid here, not in the statement"},
	AmountDiffers: {PT: "valor diferente", EN: "another amount"},
	Double:        {PT: "repetido no extrato", EN: "twice in the statement"},
	Unknown:       {PT: "cobrança sem venda aqui", EN: "charge without a sale here"},
	Ambiguous:     {PT: "serve a mais de uma venda", EN: "names more than one sale"},
	ReversedThere: {PT: "devolvido lá, pago aqui", EN: "refunded there, paid here"},
}

// states are our statuses and the statement's.
var states = map[string]text{
	"pending": {PT: "aguardando", EN: "waiting"}, "paid": {PT: "paga", EN: "paid"}, "failed": {PT: "recusada", EN: "refused"}, "expired": {PT: "expirada", EN: "expired"},
	"cancelled": {PT: "cancelada", EN: "cancelled"}, "refunded": {PT: "estornada", EN: "refunded"}, "charged_back": {PT: "chargeback", EN: "charged back"},
	"disputed": {PT: "em disputa", EN: "disputed"}, "needs_review": {PT: "em revisão", EN: "in review"}, "": {PT: "-", EN: "-"},
}

// Write writes a result as "table" for people, in a language, or as "csv" or "json" for programs, whose words do not change and whose amounts
// are whole centavos.
func Write(w io.Writer, r Result, format, lang string) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	case "csv":
		c := csv.NewWriter(w)
		rows := [][]string{{"kind", "line", "charge", "payment_id", "here", "there", "amount_here_centavos", "amount_there_centavos"}}
		for _, f := range r.Findings {
			rows = append(rows, []string{string(f.Kind), number(f.Line), inert(f.Charge), f.PaymentID, f.Here, f.There, centavos(f.AmountWe), centavos(f.AmountTh)})
		}
		return c.WriteAll(rows)
	}
	if len(r.Findings) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, text{PT: "o que há\tlinha\tcobrança\tvenda\taqui\tlá\tvalor aqui\tvalor lá", EN: "what\tline\tcharge\tsale\there\tthere\tamount here\tamount there"}.In(lang))
		for _, f := range r.Findings {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", kinds[f.Kind].In(lang), dash(number(f.Line)), dash(screen.Clean(f.Charge)), dash(f.PaymentID),
				state(f.Here, lang), state(f.There, lang), reais(f.AmountWe, lang), reais(f.AmountTh, lang))
		}
		fmt.Fprintln(t)
		if err := t.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s: %s, %s\n", count(r.Lines, text{PT: "linha", EN: "line"}, text{PT: "linhas", EN: "lines"}, lang),
		count(r.Agree, text{PT: "confere", EN: "agrees"}, text{PT: "conferem", EN: "agree"}, lang),
		count(len(r.Findings), text{PT: "diferença", EN: "difference"}, text{PT: "diferenças", EN: "differences"}, lang))
	return err
}

func count(n int, one, many text, lang string) string {
	if n == 1 {
		return "1 " + one.In(lang)
	}
	return strconv.Itoa(n) + " " + many.In(lang)
}

func state(s, lang string) string {
	if w, ok := states[s]; ok {
		return w.In(lang)
	}
	return s
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// inert is a text that a spreadsheet does not take for a formula: statements come from outside.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func centavos(a *money.Amount) string {
	if a == nil {
		return ""
	}
	return strconv.FormatInt(int64(*a), 10)
}

// reais is "R$ 1.234,56", or "R$ 1,234.56" in English.
func reais(a *money.Amount, lang string) string {
	if a == nil {
		return "-"
	}
	thousands, point := ".", ","
	if lang == "en" {
		thousands, point = ",", "."
	}
	whole := strconv.FormatInt(int64(*a/100), 10)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + thousands + whole[i:]
	}
	return fmt.Sprintf("R$ %s%s%02d", whole, point, *a%100)
}
