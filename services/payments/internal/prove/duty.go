package prove

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Duty is what notifier must have recorded of a sale: everything that its history ordered to be told and that is not open any more.
type Duty struct {
	PaymentID payment.ID
	Keys      []string
	Access    bool // the buyer was granted access to a group
}

// tellingKinds are the kinds of events that the leaves' duties follow from, beside those that decided something.
var tellingKinds = append(ledger.AnnouncedKinds(), payment.ResendOrdered)

// sending are the orders of a link that send a message.
var sending = []string{ledger.ResendOrder{}.Word(), ledger.ResendOrder{Regenerate: true}.Word()}

// readDuties reads the duty of each sale, in their order.
func readDuties(ctx context.Context, tx pgx.Tx, sales []store.Entrusted) ([]Duty, error) {
	out := make([]Duty, len(sales))
	at := 0
	var known bool // the sale's history keeps decisions
	for i := range sales {
		out[i].PaymentID = sales[i].PaymentID
		out[i].Access = sales[i].Group && sales[i].Link && !sales[i].Elsewhere
	}
	err := store.Tellings(ctx, tx, sales, tellingKinds, func(t store.Telling) error {
		for sales[at].Key != t.Key {
			at, known = at+1, false
		}
		if t.Number == 1 {
			known = t.Decided
			return nil
		}
		if known { // older histories do not say what was ordered
			out[at].step(&sales[at], t)
		}
		return nil
	})
	return out, err
}

// step adds what follows from one more event.
func (d *Duty) step(s *store.Entrusted, t store.Telling) {
	want := func(key, effect string) {
		if !slices.Contains(s.Effects, effect) && !slices.Contains(d.Keys, key) {
			d.Keys = append(d.Keys, key)
		}
	}
	if ledger.Announced(t.Kind, s.Group) || tells(t) {
		want(ledger.OwnerKey(t.Number), ledger.OwnerKey(t.Number))
	}
	switch {
	case t.Kind == payment.ResendOrdered && slices.Contains(sending, t.Order):
		want(ledger.ResendKey(t.OrderName), ledger.ResendName(t.OrderName))
	case t.Kind == payment.MessageFailed && (t.Reason == "not_paid" || t.Reason == "invalid_request"):
		// An order that could not be carried out any more ends so; which of several it was is not said.
		d.Keys = slices.DeleteFunc(d.Keys, func(k string) bool { return strings.HasPrefix(k, ledger.ResendKey("")) })
	case t.Kind == payment.GroupLate && t.Reason == "invalid_request": // notifier refused to grant it, and the owner was told
		d.Access = false
	}
}

// tells reports whether the state table told the owner of what was decided.
func tells(t store.Telling) bool {
	if t.Input == "" {
		return false
	}
	state, err := payment.ParseState(t.From)
	if err != nil {
		return false // the walk through the history says so
	}
	in, err := payment.ParseInput(t.Input)
	return err == nil && payment.TellsOwner(state, in)
}

// whose tells whom a key tells, and what it is called when that is lost.
func whose(key string) (kind, whom string) {
	if strings.HasPrefix(key, ledger.ResendKey("")) {
		return "resend_lost", "the buyer"
	}
	return "notice_lost", "the owner"
}
