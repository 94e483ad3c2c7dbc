package checkout

import (
	"sync"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// However many pages of one sale are opened and held open, and however often they are read again, the sale is looked at as often as the
// provider's rule allows and no more, and its history says once that the buyer came.
func TestPages_manyOfOneSaleKeepTheRule(t *testing.T) {
	const held, readers, minutes = 10, 20, 10
	rule := payment.ProviderRule("pushinpay")
	s := open(t, func(c *Config) { c.Check = 20 * time.Millisecond })
	sale := s.sale(nil)
	s.ask("GET", "/pay/"+sale.PageKey)
	for range held {
		s.listen(sale).next()
	}
	key := store.Key{MerchantID: s.merchant, PaymentID: sale.ID}
	var looks []time.Time
	for end := s.clock().Add(minutes * time.Minute); s.clock().Before(end); s.pass(5 * time.Second) {
		var wg sync.WaitGroup
		for range readers / 10 {
			wg.Go(func() { s.ask("GET", "/pay/"+sale.PageKey) })
		}
		wg.Wait()
		look, err := s.Store.GetLook(t.Context(), key)
		must(t, err)
		if look.DueAt.After(s.clock()) {
			continue
		}
		looks = append(looks, s.clock())
		s.reads(sale, payment.StatusPending, 0)
	}
	for i := 1; i < len(looks); i++ {
		if d := looks[i].Sub(looks[i-1]); d < rule {
			t.Errorf("look %d came %v after the one before, the rule is %v", i+1, d, rule)
		}
	}
	if len(looks) > minutes+1 || len(looks) < minutes/2 {
		t.Errorf("%d looks in %d minutes with a rule of %v", len(looks), minutes, rule)
	}
	events, err := s.Store.Events(t.Context(), s.merchant, sale.ID)
	must(t, err)
	came := 0
	for _, e := range events {
		if e.Kind == payment.BuyerPresent {
			came++
		}
	}
	if came != 1 {
		t.Errorf("the buyer came %d times", came)
	}
}

// Visits of one moment are one coming of the buyer: each of them must not be a line of its own.
func TestPages_openedAtOnce(t *testing.T) {
	s := open(t, nil)
	sale := s.sale(nil)
	came := 0
	for start := time.Now(); came == 0 && time.Since(start) < limit; { // a page is shown although a busy database took no note of the visit in time
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() { s.ask("GET", "/pay/"+sale.PageKey) })
		}
		wg.Wait()
		events, err := s.Store.Events(t.Context(), s.merchant, sale.ID)
		must(t, err)
		for _, e := range events {
			if e.Kind == payment.BuyerPresent {
				came++
			}
		}
	}
	if came != 1 {
		t.Errorf("the buyer came %d times at one moment", came)
	}
}

// Two processes may show the page at one moment: the visit is noted by whoever is first.
func TestPages_openedAtOnceAtTwoProcesses(t *testing.T) {
	s := open(t, nil)
	sale := s.sale(nil)
	other, err := New(s.Config)
	must(t, err)
	seen, err := s.Store.Checkout(t.Context(), sale.PageKey)
	must(t, err)
	for _, h := range []*Handler{s.Handler, other} { // both have read that nobody waits
		h.notice(t.Context(), &seen)
	}
	came := func() int { return s.visits(sale) }
	if n := came(); n != 1 {
		t.Errorf("one visit is noted %d times", n)
	}
	s.pass(presence + time.Second)
	other.notice(t.Context(), &seen)
	if n := came(); n != 2 {
		t.Errorf("with another visit there are %d lines, want 2", n)
	}
}
