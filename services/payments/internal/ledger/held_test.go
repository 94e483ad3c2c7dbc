package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// edit stores facts as somebody with a SQL prompt does.
func (b *bench) edit(s store.Sale, facts string) {
	b.t.Helper()
	if _, err := b.store.Pool().Exec(b.t.Context(), `UPDATE payments SET facts = $2 WHERE id = $1`, s.ID, facts); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) held() (keys []store.Key) {
	b.t.Helper()
	list, err := b.store.HeldSales(b.t.Context(), nil, store.Key{}, 100)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range list {
		keys = append(keys, h.Key)
	}
	return keys
}

func TestApplyOrHold_saleThatCannotBeReadHoldsUpNobody(t *testing.T) {
	b := newBench(t)
	bad, good := b.record(b.sale(1))[0].Sale, b.record(b.sale(2))[0].Sale
	b.edit(bad, `{"paid_amount": "dezenove"}`)
	entries := []Entry{b.reported(bad, payment.StatusPaid, 1990), b.event(bad, payment.Opened, nil), b.reported(good, payment.StatusPaid, 1990), b.hint(bad)}
	if _, err := b.ledger.Apply(t.Context(), entries); !errors.Is(err, store.ErrUnreadable) {
		t.Errorf("a call that wants all of its sales: %v", err)
	}
	if b.get(good).State != payment.Pending || len(b.held()) != 0 {
		t.Error("a call that failed did something")
	}
	if err := b.ledger.ApplyOrHold(t.Context(), entries); err != nil || b.get(good).State != payment.Paid {
		t.Fatalf("applied: %s, %v", b.get(good).State, err)
	}
	if d := cmp.Diff([]store.Key{key(bad)}, b.held()); d != "" {
		t.Errorf("set aside (-want +got):\n%s", d)
	}
	if l := b.look(bad); !l.DueAt.After(b.now.Add(time.Hour)) {
		t.Errorf("it is due in %s", l.DueAt.Sub(b.now))
	}
	if ok, err := b.ledger.Release(t.Context(), key(bad)); ok || err != nil {
		t.Errorf("let go before it was repaired: %t, %v", ok, err)
	}
	b.edit(bad, `{}`)
	if ok, err := b.ledger.Release(t.Context(), key(bad)); !ok || err != nil {
		t.Fatalf("not let go: %t, %v", ok, err)
	}
	if l := b.look(bad); l.DueAt.After(b.now) || !b.woken.Looks {
		t.Errorf("repaired and due in %s, woken %t", l.DueAt.Sub(b.now), b.woken.Looks)
	}
	if got := b.get(bad); got.State != payment.Pending || got.OpenedAt == nil || got.Polls != 0 || got.EventCount != 2 || len(b.held()) != 0 {
		t.Errorf("%s, opened %v, %d looks, %d events, held %v", got.State, got.OpenedAt, got.Polls, got.EventCount, b.held())
	}
	b.apply(b.reported(bad, payment.StatusPaid, 1990))
	if got := b.totals(); got != [4]int64{2, 3980, 0, 0} {
		t.Errorf("statistics: %v", got)
	}
}

func TestReschedule_saleThatCannotBeReadHoldsUpNobody(t *testing.T) {
	b := newBench(t)
	bad, good := b.record(b.sale(1))[0].Sale, b.record(b.sale(2))[0].Sale
	b.edit(bad, `[]`)
	for _, do := range []func() error{
		func() error { return b.ledger.Reschedule(t.Context(), []store.Key{key(bad), key(good)}) },
		func() error { return b.ledger.ScheduleAnew(t.Context(), []store.Key{key(bad), key(good)}) },
		func() error { return b.ledger.Hold(t.Context(), []store.Unreadable{{Key: key(bad), Why: "x"}}) },
		func() error { return b.ledger.Hold(t.Context(), nil) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]store.Key{key(bad)}, b.held()); d != "" {
		t.Errorf("set aside (-want +got):\n%s", d)
	}
}
