package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

func (r *rig) queueUnopened() (looked, queued int) {
	r.t.Helper()
	looked, queued, err := r.QueueUnopened(r.ctx, 100)
	if err != nil {
		r.t.Fatalf("QueueUnopened: %v", err)
	}
	return looked, queued
}

func TestUnopened_purchaseOfThePaymentsTime(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, sale.BotID{}, "11111")
	r.putPolicy(store.Policy{PurchaseUnopened: 600})
	paid := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	ofClick := func(is *store.Issue) {
		is.PaidAt = paid
		is.Tracking = sale.Tracking{ClientIP: "203.0.113.5", ClientUserAgent: "Click/1", FBP: "fb.1.1780000000000.123", PageViewEventID: "view_1"}
	}
	due, twin := draft(ofClick), draft(ofClick) // one click, two sales
	fresh := draft()                            // paid just now
	opened, revoked := draft(ofClick), draft(ofClick)
	elsewhere := draft(ofClick, func(is *store.Issue) { is.Merchant = merchantB }) // no policy
	r.issue(due, twin, fresh, opened, revoked, elsewhere)
	r.open(opened)
	if _, err := r.Revoke(r.ctx, revoked.Key, "refunded"); err != nil {
		t.Fatal(err)
	}
	if looked, queued := r.queueUnopened(); looked != 3 || queued != 2 {
		t.Errorf("%d looked at, %d queued; want the two that are due, and the revoked one left out", looked, queued)
	}
	if looked, _ := r.queueUnopened(); looked != 0 {
		t.Errorf("%d looked at again", looked)
	}
	ids := map[string]bool{}
	for _, c := range r.claim(10, time.Minute) {
		if c.Payment == opened.Payment {
			continue
		}
		ids[c.EventID] = true
		if !c.EventTime.Equal(paid) || c.ClientIP != "203.0.113.5" || c.ClientUserAgent != "Click/1" || c.FBP != "fb.1.1780000000000.123" {
			t.Errorf("claimed %+v; want the payment's time and the click's browser", c)
		}
	}
	// The visit had the PageView's id first; whoever comes later has an own one.
	want := map[string]bool{"purchase_" + due.Payment.String(): true, "purchase_" + twin.Payment.String(): true}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("event ids (-want +got):\n%s", diff)
	}
	if kinds := r.kinds(due.Key); len(kinds) != 1 || kinds[0] != store.OutcomeQueued {
		t.Errorf("outcomes of the unopened one: %v", kinds)
	}
	// The buyer comes after all: the same event, and nothing is queued again.
	o := r.open(due)
	if !o.First || o.EventID != "purchase_"+due.Payment.String() || o.PixelID != "11111" {
		t.Errorf("opened afterwards: %+v", o)
	}
	if kinds := r.kinds(due.Key); len(kinds) != 2 || kinds[1] != store.OutcomeOpened {
		t.Errorf("outcomes after the visit: %v", kinds)
	}
	if d := r.get(fresh.Key); d.Purchase.State != store.WaitingOpen {
		t.Errorf("one that is not due: %v", d.Purchase)
	}
}

func TestUnopened_firstOfAClickHasThePageViewsID(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, botOne, "11111")
	r.putPolicy(store.Policy{PurchaseUnopened: 60})
	early := func(is *store.Issue) { is.PaidAt = time.Now().Add(-time.Hour) }
	a, b := draft(pageView("view_9"), early), draft(pageView("view_9"), early)
	r.issue(a, b)
	r.queueUnopened()
	ids := map[string]int{}
	for _, c := range r.claim(10, time.Minute) {
		ids[c.EventID]++
	}
	if len(ids) != 2 || ids["view_9"] != 1 {
		t.Errorf("event ids = %v; want the view's for one, an own one for the other", ids)
	}
}

func TestUnopened_withoutPixelTheVisitDecides(t *testing.T) {
	r := newRig(t)
	r.putPolicy(store.Policy{PurchaseUnopened: 60})
	is := draft(func(is *store.Issue) { is.PaidAt = time.Now().Add(-time.Hour) })
	r.issue(is)
	if looked, queued := r.queueUnopened(); looked != 1 || queued != 0 {
		t.Errorf("%d looked at, %d queued", looked, queued)
	}
	r.putPixel(merchantA, botOne, "11111")
	if o := r.open(is); !o.Queued {
		t.Errorf("opened with a pixel: %+v, want its Purchase queued", o)
	}
}

func TestPixelMissing_toldOnceABotUntilThereIsOne(t *testing.T) {
	r := newRig(t)
	count := func() (n int) {
		if err := r.pool.QueryRow(r.ctx, `SELECT count(*) FROM outcomes WHERE kind = 'pixel_missing'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	visit := func(b sale.BotID) {
		is := draft(func(is *store.Issue) { is.Bot = b })
		r.issue(is)
		r.open(is)
	}
	visit(botOne)
	visit(botOne)
	visit(botTwo)
	if n := count(); n != 2 {
		t.Errorf("told %d times of two bots", n)
	}
	r.putPixel(merchantA, botOne, "11111")
	visit(botOne)
	visit(botTwo)
	if n := count(); n != 2 {
		t.Errorf("told %d times after a pixel was put", n)
	}
}

func TestPixelPaused_toldOnceAPause(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, botOne, "11111")
	a, b := draft(), draft()
	r.issue(a, b)
	r.open(a)
	r.open(b)
	claims := r.claim(10, time.Minute)
	var results []store.Result
	for i := range claims {
		p := store.Paused(&claims[i], time.Minute)
		p.Pause = "Meta error 190 (HTTP 400)"
		results = append(results, p)
	}
	r.write(results...)
	var told []store.Outcome
	for _, k := range []sale.Key{a.Key, b.Key} {
		for _, o := range r.outcomesOf(k) {
			if o.Kind == store.OutcomePixelPaused {
				told = append(told, o)
			}
		}
	}
	if len(told) != 1 || told[0].Detail != "Meta error 190 (HTTP 400)" {
		t.Errorf("told %+v; want once, with what Meta answered", told)
	}
}
