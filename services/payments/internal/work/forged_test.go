package work

import (
	"fmt"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// TestLook_floodOfForgedWebhooksOverManySalesDelaysNobody is the promise of docs/scheduling.md, "A flood over many sales": an account that grants one
// look a second has 210 old sales. Somebody posts "paid" about 160 of them, again and again. New sales appear, true webhooks come about some
// of them in the midst of the flood, and the 50 others wait for their turn.
func TestLook_floodOfForgedWebhooksOverManySalesDelaysNobody(t *testing.T) {
	b := newBench(t)
	m := &metered{GatewaysServiceClient: b.Gateways, now: b.clock, interval: time.Second, asked: map[string][]time.Time{}, paid: map[string]bool{}}
	b.Gateways = m
	const known, quiet, seconds = 160, 50, 240
	var openings []ledger.Opening
	for i := range known + quiet {
		s := b.draft(b.account, "atomopay")
		s.CreatedAt = b.clock().Add(-2*time.Hour - time.Duration(i)*time.Minute)
		openings = append(openings, ledger.Opening{Sale: s, Kind: payment.Imported, Source: payment.SourceAPI})
	}
	if _, err := b.Ledger.Record(t.Context(), openings); err != nil {
		t.Fatal(err)
	}
	type born struct {
		sale         store.Sale
		at, hintedAt time.Time
		hinted       bool
	}
	var fresh []*born
	start := b.clock()
	for second := range seconds {
		for i := range 8 { // the flood: eight a second, twenty seconds over all
			b.post("atomopay", fmt.Sprintf(`{"hash":%q,"status":"paid","amount":1990}`, openings[(second*8+i)%known].Sale.Charge.Hash))
		}
		if second%30 == 0 {
			s := b.draft(b.account, "atomopay")
			s.CreatedAt = b.clock()
			fresh = append(fresh, &born{sale: b.record(s), at: b.clock()})
		}
		for n, f := range fresh {
			if n%2 == 0 && !f.hinted && b.clock().Sub(f.at) >= 35*time.Second { // its buyer pays, and its provider says so
				m.paid[f.sale.Charge.Hash], f.hinted, f.hintedAt = true, true, b.clock()
				b.post("atomopay", fmt.Sprintf(`{"hash":%q,"status":"paid","amount":1990}`, f.sale.Charge.Hash))
			}
		}
		if _, err := b.reads(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.looks(); err != nil {
			t.Fatal(err)
		}
		b.pass(time.Second + time.Millisecond)
	}
	var slowest, slowestHint time.Duration
	for _, f := range fresh {
		asked := m.asked[f.sale.Charge.Hash]
		if b.clock().Sub(f.at) > 30*time.Second {
			if len(asked) == 0 {
				t.Fatalf("a sale of %s ago was never looked at", b.clock().Sub(f.at))
			}
			slowest = max(slowest, asked[0].Sub(f.at))
		}
		if f.hinted && b.clock().Sub(f.hintedAt) > 30*time.Second {
			got := b.get(f.sale)
			if got.State != payment.Paid {
				t.Errorf("a true webhook of %s ago, and the sale is %s", b.clock().Sub(f.hintedAt), got.State)
				continue
			}
			slowestHint = max(slowestHint, got.LastPollAt.Sub(f.hintedAt))
		}
	}
	if limit := payment.DefaultPolicy("atomopay").FirstLook + 20*time.Second; slowest > limit {
		t.Errorf("a new sale waited %s, the bound is %s", slowest, limit)
	}
	if slowestHint > 20*time.Second {
		t.Errorf("a true webhook waited %s for its look", slowestHint)
	}
	swept := 0
	for _, o := range openings[known:] {
		if len(m.asked[o.Sale.Charge.Hash]) > 0 {
			swept++
		}
	}
	if least := min(quiet, seconds/4-len(fresh)); swept < least {
		t.Errorf("%d of the %d sales that nobody posts about were looked at, want %d", swept, quiet, least)
	}
	total := 0
	for _, at := range m.asked {
		total += len(at)
	}
	t.Logf("%d looks in %s: new sales waited at most %s, true webhooks %s, %d of %d quiet sales looked at", total, b.clock().Sub(start), slowest, slowestHint, swept, quiet)
}

func TestLook_webhookGoesBeforeOthersWhileThereAreFew(t *testing.T) {
	b := newBench(t)
	var all []store.Sale
	for range 40 {
		all = append(all, b.sale())
	}
	for _, s := range all {
		b.gateways.Script(s.Charge.Hash, gatewaystest.Pending())
	}
	if n, err := b.looks(); n != 40 || err != nil {
		t.Fatal(n, err)
	}
	b.pass(20 * time.Second)
	for _, s := range all {
		b.post("atomopay", fmt.Sprintf(`{"hash":%q,"status":"paid","amount":1990}`, s.Charge.Hash))
	}
	b.read()
	lanes := map[payment.Lane]int{}
	for _, s := range all {
		l, err := b.Store.GetLook(t.Context(), store.Key{MerchantID: s.MerchantID, PaymentID: s.ID})
		if err != nil || l.DueAt.After(b.clock()) {
			t.Fatalf("due in %s, %v: every webhook makes its sale due", l.DueAt.Sub(b.clock()), err)
		}
		lanes[l.Lane]++
	}
	if lanes[payment.LaneUrgent] != 4 || lanes[payment.LaneOld] != 36 {
		t.Errorf("lanes: %v", lanes)
	}
}
