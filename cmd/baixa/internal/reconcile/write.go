package reconcile

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	"github.com/baixapay/baixa/internal/money"
)

// Write writes a result as "table", "csv" or "json". Amounts are in reais with a point in the table and whole centavos elsewhere.
func Write(w io.Writer, r Result, format string) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	case "csv":
		c := csv.NewWriter(w)
		rows := [][]string{{"kind", "line", "charge", "payment_id", "here", "there", "amount_here_centavos", "amount_there_centavos"}}
		for _, f := range r.Findings {
			rows = append(rows, []string{string(f.Kind), number(f.Line), f.Charge, f.PaymentID, f.Here, f.There, centavos(f.AmountWe), centavos(f.AmountTh)})
		}
		return c.WriteAll(rows)
	}
	if len(r.Findings) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "what\tline\tcharge\tsale\there\tthere\tamount here\tamount there")
		for _, f := range r.Findings {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Kind, number(f.Line), screen.Clean(f.Charge), f.PaymentID, f.Here, f.There, reais(f.AmountWe), reais(f.AmountTh))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d lines: %d agree, %d differ\n", r.Lines, r.Agree, len(r.Findings))
	return err
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

func reais(a *money.Amount) string {
	if a == nil {
		return ""
	}
	return fmt.Sprintf("%d.%02d", *a/100, *a%100)
}
