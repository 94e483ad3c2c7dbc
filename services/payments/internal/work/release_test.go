package work

import (
	"testing"
	"time"

	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func (b *bench) edit(s store.Sale, facts string) {
	b.t.Helper()
	if _, err := b.Store.Pool().Exec(b.t.Context(), `UPDATE payments SET facts = $2 WHERE id = $1`, s.ID, facts); err != nil {
		b.t.Fatal(err)
	}
}

// TestWork_saleThatCannotBeReadHoldsUpNobody: the others of its batches go on, the provider is not asked about it again and again, and when
// it was repaired it goes on by itself.
func TestWork_saleThatCannotBeReadHoldsUpNobody(t *testing.T) {
	b := newBench(t)
	bad, good, later := b.sale(), b.sale(), b.sale()
	for _, s := range []store.Sale{bad, good} {
		b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990), gatewaystest.Paid(1990))
	}
	b.gateways.Script(later.Charge.Hash, gatewaystest.Pending(), gatewaystest.Paid(1990))
	b.edit(bad, `{"paid_at": 7}`)
	b.settle() // fails when something is always due
	if b.get(good).Message != "queued" || b.gateways.Looks(bad.Charge.Hash) != 1 {
		t.Errorf("the other is %s %+v; %d looks at the bad one", b.get(good).State, b.get(good).Fulfilment, b.gateways.Looks(bad.Charge.Hash))
	}
	for range 30 {
		b.pass(time.Minute)
		b.settle()
		if err := b.release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if b.get(later).State != payment.Paid || b.gateways.Looks(bad.Charge.Hash) != 1 {
		t.Errorf("half an hour later: the other is %s, %d looks at the bad one", b.get(later).State, b.gateways.Looks(bad.Charge.Hash))
	}
	b.edit(bad, `{}`)
	if err := b.release(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.settle()
	if got := b.get(bad); got.State != payment.Paid || got.Message != "queued" || b.links(bad) != 1 {
		t.Errorf("repaired: %s %+v, %d links", got.State, got.Fulfilment, b.links(bad))
	}
}

// TestWork_effectsOfASaleThatCannotBeReadWait: a delivery that was ordered before is neither dropped nor tried again and again.
func TestWork_effectsOfASaleThatCannotBeReadWait(t *testing.T) {
	b := newBench(t)
	bad, good := b.sale(), b.sale()
	for _, s := range []store.Sale{bad, good} {
		b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	}
	if n, err := b.looks(); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	var facts string
	if err := b.Store.Pool().QueryRow(t.Context(), `SELECT facts::text FROM payments WHERE id = $1`, bad.ID).Scan(&facts); err != nil {
		t.Fatal(err)
	}
	b.edit(bad, `{"paid_at": 7}`)
	b.settle()
	if got := b.get(good); got.Message != "queued" || b.links(bad) != 0 {
		t.Errorf("the other: %+v; %d links of the bad one", got.Fulfilment, b.links(bad))
	}
	b.edit(bad, facts)
	if err := b.release(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.settle()
	buyer, owner := b.messages(bad)
	if b.links(bad) != 1 || buyer != 1 || owner["payment_update paid"] != 1 {
		t.Errorf("repaired: %d links, %d messages, owner %v", b.links(bad), buyer, owner)
	}
}
