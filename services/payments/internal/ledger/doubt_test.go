package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// lines counts a sale's lines of a kind.
func (b *bench) lines(s payment.ID, kind payment.Kind) (n int) {
	b.t.Helper()
	events, err := b.store.Events(b.t.Context(), b.merchant, s)
	if err != nil {
		b.t.Fatal(err)
	}
	for i, e := range events {
		if e.Number != i+1 {
			b.t.Errorf("line %d has the number %d", i+1, e.Number)
		}
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// uncharged is a sale whose charge is not known.
func (b *bench) uncharged(n int) store.Sale {
	s := b.sale(n)
	s.Charge = store.Charge{Reference: fmt.Sprintf("r%d", n)}
	return s
}

// A merchant's program that asks for a lost charge in a loop hears the same of it again and again, in turns: what was said before is no
// change, whatever the provider wrote beside it and however long there is to wait.
func TestApply_theSameDoubtOfAChargeIsOneLine(t *testing.T) {
	b := newBench(t)
	s := b.record(b.uncharged(1))[0].Sale
	says := func(reason, status string) Entry {
		details := map[string]string{"reason": reason}
		if status != "" {
			details["http_status"] = status
		}
		return b.event(s, payment.ChargeUnsure, details)
	}
	const hidden = "an earlier request may have reached the provider, which does not show a charge yet"
	for n := range 40 {
		b.apply(says("DeadlineExceeded", ""))
		b.apply(says(fmt.Sprintf("%s; ask again in %ds", hidden, 40-n), "404"), says("another call has taken over; ask again", ""))
		b.apply(says(fmt.Sprintf("the answer is not what was agreed: ray %d", n), "502"))
		b.now = b.now.Add(time.Second)
	}
	if n := b.lines(s.ID, payment.ChargeUnsure); n != 4 {
		t.Errorf("four different answers are %d lines", n)
	}
	got := b.apply(says(hidden+"; ask again in 1s", "500"))[key(s)]
	if n := b.lines(s.ID, payment.ChargeUnsure); n != 5 || got.EventCount != 1+5 {
		t.Errorf("with another status there are %d lines, and the sale counts %d", n, got.EventCount)
	}
	if before := b.get(s); before.State != payment.Pending {
		t.Errorf("the sale is %s", before.State)
	}
}

// Each sale's doubts are its own.
func TestApply_theDoubtOfAnotherSaleIsNews(t *testing.T) {
	b := newBench(t)
	both := b.record(b.uncharged(1), b.uncharged(2))
	for _, r := range both {
		b.apply(b.event(r.Sale, payment.ChargeUnsure, map[string]string{"reason": "Unavailable"}))
	}
	for _, r := range both {
		if n := b.lines(r.Sale.ID, payment.ChargeUnsure); n != 1 {
			t.Errorf("%d lines, want 1", n)
		}
	}
}

// What is learned of a charge that another call got meanwhile: nothing is looked for any more.
func TestApply_noDoubtOfAChargeThatIsKnown(t *testing.T) {
	b := newBench(t)
	s := b.record(b.uncharged(1))[0].Sale
	made := b.event(s, payment.ChargeCreated, nil)
	made.Charge = &store.Charge{ID: "77", CopyPaste: "000201"}
	b.apply(made, b.event(s, payment.ChargeUnsure, map[string]string{"reason": "another call has taken over; ask again"}))
	if n := b.lines(s.ID, payment.ChargeUnsure); n != 0 {
		t.Errorf("%d lines say that it is not known", n)
	}
}
