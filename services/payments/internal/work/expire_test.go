package work

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Nobody can look at a sale of an account whose credentials are refused; our own clock ends it, and late money counts all the same.
func TestExpire_saleThatNobodyCanLookAt(t *testing.T) {
	b := newBench(t)
	policy := payment.StandardPolicy()
	s, young := b.sale(), b.draft(b.newAccount("atomopay"), "atomopay")
	b.pass(policy.AssumedQRLife + policy.Grace + policy.BlindGrace - time.Hour - time.Minute)
	young.CreatedAt = b.clock().Add(-time.Hour)
	young = b.record(young)
	at := map[line]store.Position{}
	if err := b.expire(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if got := b.get(s); got.State != payment.Pending || got.EventCount != 1 {
		t.Fatalf("before the time: %s with %d events", got.State, got.EventCount)
	}
	b.pass(2 * time.Minute)
	if err := b.expire(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if got := b.get(s); got.State != payment.Expired || got.Polls != 0 {
		t.Fatalf("after it: %s, %d polls", got.State, got.Polls)
	}
	events, err := b.Store.Events(t.Context(), s.MerchantID, s.ID)
	if err != nil || events[1].Source != payment.SourceClock || events[1].Details["why"] != string(payment.WhyExpiredBlind) {
		t.Errorf("history: %+v %v", events, err)
	}
	if got := b.get(young); got.State != payment.Pending {
		t.Errorf("a young sale: %s", got.State)
	}
	if err := b.expire(t.Context(), at); err != nil || b.get(s).EventCount != 2 {
		t.Errorf("again: %d events, %v", b.get(s).EventCount, err)
	}
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	b.settle()
	if got := b.get(s); got.State != payment.Paid || b.links(s) != 1 {
		t.Errorf("late money: %s, %d links", got.State, b.links(s))
	}
}

// A page of overdue sales is followed by the next one, and the round begins anew.
func TestExpire_goesRoundInPages(t *testing.T) {
	b := newBench(t)
	for range 3 {
		b.sale()
	}
	at := map[line]store.Position{{b.account, 0}: {CreatedAt: b.clock().Add(time.Hour), ID: payment.ID(uuid.New())}}
	b.pass(5 * 24 * time.Hour)
	for range 2 { // the first page lies behind the position that was reached, and is empty
		if err := b.expire(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	sales, err := b.Store.List(t.Context(), store.Filter{State: payment.Expired, Limit: 10})
	if err != nil || len(sales) != 3 {
		t.Errorf("%d expired, %v", len(sales), err)
	}
}

// The clock jumps an hour ahead and back: sales are looked at on time, and nothing is lost or delivered twice.
func TestClock_jumpsAheadAndBack(t *testing.T) {
	b := newBench(t)
	end := b.clock().Add(20 * time.Minute)
	d := b.draft(b.account, "atomopay")
	d.CreatedAt, d.QRExpiresAt = b.clock(), &end
	s := b.record(d)
	waits := b.record(func() store.Sale {
		d := b.draft(b.account, "atomopay")
		d.CreatedAt = b.clock()
		return d
	}())
	b.gateways.Script(s.Charge.Hash, gatewaystest.Pending())
	b.gateways.Script(waits.Charge.Hash, gatewaystest.Pending())
	b.pass(time.Hour)
	b.settle()
	if got := b.get(s); got.State != payment.Expired {
		t.Fatalf("an hour ahead: %s", got.State) // by our clock, which was wrong
	}
	b.pass(-time.Hour + 10*time.Second)
	if due := b.dueAt(waits); due.Before(b.clock().Add(50 * time.Minute)) {
		t.Fatalf("due at %v: the clock's step would do no harm", due)
	}
	if err := b.followClock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if due := b.dueAt(waits); due.After(b.clock().Add(time.Minute)) {
		t.Errorf("due at %v, %v from now", due, due.Sub(b.clock()))
	}
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	b.gateways.Script(waits.Charge.Hash, gatewaystest.Paid(1990))
	for range 12 {
		b.pass(5 * time.Minute)
		b.settle()
	}
	for _, x := range []store.Sale{s, waits} {
		if got := b.get(x); got.State != payment.Paid || b.links(x) != 1 {
			t.Errorf("%s, %d links", got.State, b.links(x))
		}
	}
}
