// Package reconcile compares what a provider's statement says with what Baixa knows of the same account.
//
// It is pure and decides nothing: a statement is a hint like any other, and what it finds is for a person, or makes the sale due so that the
// provider's status API is asked. It compares identifiers exactly, never parts of them.
package reconcile

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/statement"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/money"
)

// Kind is what does not agree.
type Kind string

// The kinds of findings.
const (
	PaidThere     Kind = "paid_there_not_here" // they say paid, we do not
	NotPaidThere  Kind = "paid_here_not_there" // they list it as something else than paid
	AbsentThere   Kind = "paid_here_absent"    // we call it paid in the statement's time, and it is not in it
	AmountDiffers Kind = "amount_differs"      // both say paid, of different amounts
	Double        Kind = "double"              // the statement has the charge twice as paid
	Unknown       Kind = "unknown_charge"      // no sale has any of its ids
	Ambiguous     Kind = "several_sales"       // its ids name more than one sale
	ReversedThere Kind = "refunded_there"      // they gave the money back, and we call it paid
)

// Finding is one thing that does not agree.
type Finding struct {
	Kind      Kind          `json:"kind"`
	Line      int           `json:"line,omitempty"` // in the statement, 0 for what is absent there
	Charge    string        `json:"charge"`
	PaymentID string        `json:"payment_id,omitempty"`
	Here      string        `json:"here,omitempty"` // our status
	There     string        `json:"there,omitempty"`
	AmountWe  *money.Amount `json:"amount_here_centavos,omitempty"`
	AmountTh  *money.Amount `json:"amount_there_centavos,omitempty"`
}

// Due reports whether asking the provider may settle it.
func (f Finding) Due() bool { return f.PaymentID != "" && f.Kind != Double && f.Kind != Ambiguous }

// Result is a comparison.
type Result struct {
	Lines    int       `json:"lines"`
	Agree    int       `json:"agree"`
	Findings []Finding `json:"findings"`
}

// Options of a comparison.
type Options struct {
	Tolerance money.Amount // amounts that differ by no more agree
	// From and To bound when a sale of ours must have been paid to be missed in the statement; zero times miss nothing.
	From, To time.Time
	// ByCreation means that the statement has the charges made in that time, as a provider's own list has, not those paid in it.
	ByCreation bool
}

// Compare compares. Sales must be all that the statement may name.
func Compare(lines []statement.Line, sales []*paymentsv1.Payment, o Options) Result {
	index := map[string][]*paymentsv1.Payment{}
	for _, s := range sales {
		for _, id := range ids(s) {
			if !slices.Contains(index[id], s) {
				index[id] = append(index[id], s)
			}
		}
	}
	r := Result{Lines: len(lines), Findings: []Finding{}}
	seen := map[*paymentsv1.Payment]bool{}
	paid := map[*paymentsv1.Payment]int{}
	unknown := map[string]int{}
	for _, l := range lines {
		var found []*paymentsv1.Payment
		for _, id := range l.IDs {
			for _, s := range index[fold(id)] {
				if !slices.Contains(found, s) {
					found = append(found, s)
				}
			}
		}
		f := Finding{Line: l.Number, Charge: l.IDs[0], There: string(l.Status), AmountTh: l.Amount}
		switch {
		case len(found) == 0 && l.Status == statement.Paid && unknown[fold(l.IDs[0])] > 0:
			f.Kind = Double
		case len(found) == 0 && l.Status == statement.Paid:
			f.Kind = Unknown
			unknown[fold(l.IDs[0])]++
		case len(found) == 0: // a charge that nobody paid is nobody's concern
		case len(found) > 1:
			f.Kind = Ambiguous
			for _, s := range found {
				seen[s] = true
			}
		default:
			s := found[0]
			seen[s] = true
			f.of(s)
			if l.Status == statement.Paid {
				paid[s]++
			}
			f.Kind = judge(l, s, paid[s], o.Tolerance)
		}
		if f.Kind == "" {
			r.Agree++
			continue
		}
		r.Findings = append(r.Findings, f)
	}
	for _, s := range sales {
		at := s.GetPaidAt().AsTime()
		if o.ByCreation {
			at = s.GetCreatedAt().AsTime()
		}
		if !seen[s] && isPaid(s) && !o.From.IsZero() && !at.Before(o.From) && at.Before(o.To) {
			f := Finding{Kind: AbsentThere}
			f.of(s)
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

func judge(l statement.Line, s *paymentsv1.Payment, times int, tolerance money.Amount) Kind {
	switch {
	case l.Status == statement.Paid && times > 1:
		return Double
	case l.Status == statement.Paid && !isPaid(s) && !reversed(s):
		return PaidThere
	case l.Status == statement.Paid && l.Amount != nil && abs(*l.Amount-amount(s)) > tolerance:
		return AmountDiffers
	case l.Status == statement.Refunded && isPaid(s):
		return ReversedThere
	case (l.Status == statement.Pending || l.Status == statement.Failed) && isPaid(s):
		return NotPaidThere
	}
	return ""
}

func (f *Finding) of(s *paymentsv1.Payment) {
	a := amount(s)
	f.PaymentID, f.AmountWe = s.GetId(), &a
	f.Here = strings.ToLower(strings.TrimPrefix(s.GetStatus().String(), "PAYMENT_STATUS_"))
	if f.Charge == "" {
		c := s.GetCharge()
		for _, id := range []string{c.GetId(), c.GetHash(), c.GetReference()} {
			if f.Charge == "" {
				f.Charge = id
			}
		}
	}
}

func amount(s *paymentsv1.Payment) money.Amount {
	if s.GetPaidAmount() != nil {
		return money.Amount(s.GetPaidAmount().GetCentavos())
	}
	return money.Amount(s.GetAmount().GetCentavos())
}

func isPaid(s *paymentsv1.Payment) bool {
	return s.GetStatus() == paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID
}

func reversed(s *paymentsv1.Payment) bool {
	switch s.GetStatus() {
	case paymentsv1.PaymentStatus_PAYMENT_STATUS_REFUNDED, paymentsv1.PaymentStatus_PAYMENT_STATUS_CHARGED_BACK, paymentsv1.PaymentStatus_PAYMENT_STATUS_DISPUTED:
		return true
	}
	return false
}

func ids(s *paymentsv1.Payment) (out []string) {
	c := s.GetCharge()
	for _, id := range []string{c.GetId(), c.GetHash(), c.GetReference(), s.GetExternalId(), s.GetId()} {
		if id != "" {
			out = append(out, fold(id))
		}
	}
	return out
}

// fold is an identifier without regard to case: providers and spreadsheets change it.
func fold(id string) string { return strings.ToLower(id) }

func abs(a money.Amount) money.Amount { return max(a, -a) }

// Span is the time of the statement's lines, for what is missed in it; the last moment belongs to it. A line that has only a day means all of
// it, but not of the day that now is in: nobody knows when a file was exported. ok is false when no line has a time.
func Span(lines []statement.Line, now time.Time) (from, to time.Time, ok bool) {
	for _, l := range lines {
		if l.At == nil {
			continue
		}
		if !ok || l.At.Before(from) {
			from = *l.At
		}
		last := l.At.Add(time.Microsecond)
		if end := l.At.AddDate(0, 0, 1); l.Day && !end.After(now) {
			last = end
		}
		if !ok || last.After(to) {
			to = last
		}
		ok = true
	}
	return from, to, ok
}

// Listed is a charge of a provider's own list as a statement's line. A word that is not known says nothing of money: it counts as pending.
func Listed(n int, t *gatewaysv1.Reading) statement.Line {
	l := statement.Line{Number: n, Status: statement.Pending}
	for _, id := range []string{t.GetRef().GetId(), t.GetRef().GetHash(), t.GetRef().GetReference()} {
		if id != "" {
			l.IDs = append(l.IDs, id)
		}
	}
	switch t.GetStatus() {
	case gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID:
		l.Status = statement.Paid
	case gatewaysv1.ChargeStatus_CHARGE_STATUS_REFUNDED, gatewaysv1.ChargeStatus_CHARGE_STATUS_CHARGED_BACK:
		l.Status = statement.Refunded
	case gatewaysv1.ChargeStatus_CHARGE_STATUS_FAILED, gatewaysv1.ChargeStatus_CHARGE_STATUS_EXPIRED, gatewaysv1.ChargeStatus_CHARGE_STATUS_CANCELLED:
		l.Status = statement.Failed
	}
	if t.GetAmount() != nil {
		a := money.Amount(t.GetAmount().GetCentavos())
		l.Amount = &a
	}
	for _, at := range []*timestamppb.Timestamp{t.GetCreatedAt(), t.GetPaidAt()} { // the later word: when it was paid
		if at != nil {
			moment := at.AsTime()
			l.At = &moment
		}
	}
	return l
}
