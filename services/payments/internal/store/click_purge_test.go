package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Old clicks go in batches, those with which a sale was made stay with all that they say, and an ad's counts do not fall.
func TestPurgeClicks_unlessASaleWasMade(t *testing.T) {
	b := newBench(t)
	for _, n := range []tenant{b.one, b.other} {
		if _, err := b.PutClickLink(t.Context(), ClickLink{MerchantID: n.merchant, Slug: "promo-" + n.merchant.String()[:8], BotUsername: "clube_bot"}); err != nil {
			t.Fatal(err)
		}
	}
	const day = 24 * time.Hour
	slug := func(n tenant, c Click) Click { c.Slug = "promo-" + n.merchant.String()[:8]; return c }
	var all []Click
	for i := range 25 { // one every four days, the first 96 days ago, each in company of another of the same moment
		at := time.Duration(4*i-96) * day
		all = append(all, slug(b.one, b.click(b.one, 2*i, at)), slug(b.other, b.click(b.other, 2*i+1, at)))
	}
	all[2].Machine = true
	sold, theirs := all[0], all[1]
	if err := b.InsertClicks(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Click{sold, all[2], all[4], all[len(all)-2]} {
		if err := b.AttachClick(t.Context(), c.MerchantID, c.Token, b.one.bot, 77); err != nil {
			t.Fatal(err)
		}
	}
	s := b.sale(b.one, "a")
	s.Tracking = json.RawMessage(fmt.Sprintf(`{"tracking_token": %q}`, sold.Token))
	b.insert(s)
	other := b.sale(b.one, "b") // of one merchant's sale another merchant's click is none
	other.Tracking = json.RawMessage(fmt.Sprintf(`{"tracking_token": %q}`, theirs.Token))
	b.insert(other)

	purge := func(keep time.Duration) (gone int) {
		t.Helper()
		var mark ClickMark
		for range 100 {
			last, seen, n, err := b.PurgeClicks(t.Context(), mark, b.now.Add(-keep), 3)
			if err != nil || seen > 3 || n > seen {
				t.Fatalf("looked at %d, %d gone, %v; want at most 3 at once", seen, n, err)
			}
			mark, gone = last, gone+n
			if seen < 3 {
				return gone
			}
		}
		t.Fatal("a purge does not come to an end")
		return 0
	}
	if n := purge(97 * day); n != 0 {
		t.Errorf("%d clicks are gone that are not old enough", n)
	}
	if n := purge(90 * day); n != 3 { // four are older than 90 days, and one of them was sold
		t.Errorf("%d clicks are gone, want 3", n)
	}
	if n := purge(90 * day); n != 0 {
		t.Errorf("%d more are gone the second time", n)
	}
	there := func(m payment.MerchantID, token string) bool {
		t.Helper()
		_, err := b.GetClick(t.Context(), m, token)
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	if !there(b.one.merchant, sold.Token) || there(b.other.merchant, theirs.Token) || !there(b.one.merchant, all[4].Token) {
		t.Error("the wrong clicks are gone")
	}
	got, err := b.BuyersClicks(t.Context(), b.one.merchant, b.one.bot, 77, b.now.Add(time.Hour), 10)
	if err != nil || len(got) != 3 {
		t.Errorf("the buyer started with %d clicks, %v; want 3", len(got), err)
	}
	for n, want := range map[tenant][2]int64{b.one: {24, 1}, b.other: {25, 0}} {
		links, err := b.ClickLinks(t.Context(), n.merchant)
		if err != nil || len(links) != 1 || links[0].Clicks != want[0] || links[0].Machines != want[1] {
			t.Errorf("the ad's counts are %+v, %v; want %v", links, err, want)
		}
	}
}

// Two replicas do not purge at once, and what one looked at is not lost to the other.
func TestPurgeClicks_oneAtATime(t *testing.T) {
	b := newBench(t)
	if err := b.InsertClicks(t.Context(), []Click{b.click(b.one, 1, -100*24*time.Hour)}); err != nil {
		t.Fatal(err)
	}
	tx, err := b.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), lockClicks); err != nil {
		t.Fatal(err)
	}
	mark := ClickMark{At: b.now.Add(-101 * 24 * time.Hour)}
	if last, seen, gone, err := b.PurgeClicks(t.Context(), mark, b.now, 10); seen+gone != 0 || last != mark || err != nil {
		t.Errorf("beside another: looked at %d, %d gone, to %v, %v", seen, gone, last, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, seen, gone, err := b.PurgeClicks(t.Context(), mark, b.now, 10); seen != 1 || gone != 1 || err != nil {
		t.Errorf("afterwards: looked at %d, %d gone, %v", seen, gone, err)
	}
}
