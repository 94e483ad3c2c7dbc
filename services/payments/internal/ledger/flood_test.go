package ledger

import (
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// A thousand forged webhooks of one sale cost a few looks and a few lines, and the true one among them is looked into in time.
func TestApply_floodOfHintsIsBounded(t *testing.T) {
	b := newBench(t)
	s := b.record(b.sale(1))[0].Sale
	b.now = b.now.Add(26 * time.Hour) // an old sale, whose own schedule is thin
	b.apply(b.reported(s, payment.StatusPending, 0))
	looks := 0
	for round := range 125 {
		b.now = b.now.Add(6 * time.Second)
		var flood []Entry
		for range 10 {
			flood = append(flood, b.hint(s))
		}
		b.apply(flood...)
		look, err := b.store.GetLook(t.Context(), key(s))
		if err != nil {
			t.Fatal(err)
		}
		if wait := look.DueAt.Sub(b.now); wait > floodEvery+10*time.Second {
			t.Fatalf("the next look is %v away: a true webhook would wait as long", wait)
		}
		if !look.DueAt.After(b.now) {
			if round >= 25 { // the first hints of a sale keep looks dense for two minutes
				looks++
			}
			b.apply(b.reported(s, payment.StatusPending, 0))
		}
	}
	if looks > 6 || looks < 4 {
		t.Errorf("%d looks in ten minutes of flood", looks)
	}
	got, err := b.store.Get(t.Context(), s.ID, nil)
	if err != nil || got.Hints != 1250 {
		t.Errorf("%d webhooks counted, %v", got.Hints, err)
	}
	events, err := b.store.Events(t.Context(), s.MerchantID, s.ID)
	if err != nil || len(events) > 100 {
		t.Errorf("%d lines, %v", len(events), err)
	}
	refusedLines := 0
	for _, e := range events {
		if e.Kind == payment.HintRefused {
			refusedLines++
		}
	}
	if refusedLines == 0 || refusedLines > 8 {
		t.Errorf("%d lines about refused webhooks", refusedLines)
	}
	b.now = b.now.Add(floodEvery)
	b.apply(b.hint(s))
	if look, err := b.store.GetLook(t.Context(), key(s)); err != nil || look.DueAt.After(b.now) {
		t.Errorf("after the flood a webhook counts at once: %v %v", look.DueAt, err)
	}
}
