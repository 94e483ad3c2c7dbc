package checkout

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// tab is an open stream.
type tab struct {
	t      *testing.T
	code   int
	lines  *bufio.Scanner
	cancel func()
}

func (s *shop) listen(sale store.Sale, header ...string) *tab {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*limit)
	s.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/pay/"+sale.PageKey+"/events", nil)
	must(s.t, err)
	req.Header.Set("User-Agent", person)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	must(s.t, err)
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	return &tab{t: s.t, code: resp.StatusCode, lines: bufio.NewScanner(resp.Body), cancel: cancel}
}

// next is the id of the next change, "" when the stream has ended.
func (b *tab) next() string {
	for b.lines.Scan() {
		if id, ok := strings.CutPrefix(b.lines.Text(), "id: "); ok {
			return id
		}
	}
	return ""
}

func TestStream_turnsWhenPaid(t *testing.T) {
	s := open(t, nil) // nothing but the notification tells: Check is an hour
	sale := s.sale(nil)
	s.ask("GET", "/pay/"+sale.PageKey)
	b := s.listen(sale)
	first := b.next()
	if b.code != 200 || !strings.HasPrefix(first, "pending.code.") {
		t.Fatalf("%d, the first change is %q", b.code, first)
	}
	s.awaitListener()
	s.reads(sale, payment.StatusPaid, 123456)
	if got := b.next(); got != "paid" {
		t.Errorf("then %q", got)
	}
	// What happened while nobody listened is told at once, and what is known is not told again.
	if got := s.listen(sale, "Last-Event-ID", first).next(); got != "paid" {
		t.Errorf("resumed: %q", got)
	}
	again := s.listen(sale, "Last-Event-ID", "paid")
	s.reads(sale, payment.StatusRefunded, 0)
	s.hub.wake(store.Key{MerchantID: s.merchant, PaymentID: sale.ID})
	if got := again.next(); got != "refunded" {
		t.Errorf("told %q of what was known", got)
	}
}

// awaitListener returns when the process's one connection listens.
func (s *shop) awaitListener() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	admin := s.db.Admin(s.t)
	for n := 0; n == 0; {
		must(s.t, admin.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN `+store.CheckoutChannel+`' AND state = 'idle' AND datname = current_database()`).Scan(&n))
	}
}

func TestStream_whatWasNotNotifiedIsFound(t *testing.T) {
	s := open(t, func(c *Config) { c.Check = 50 * time.Millisecond })
	sale := s.sale(nil) // no page was opened, so the ledger has nobody to notify
	b := s.listen(sale)
	b.next()
	s.reads(sale, payment.StatusPaid, 123456)
	if got := b.next(); got != "paid" {
		t.Errorf("then %q", got)
	}
}

func TestStream_manyWaitCheaply(t *testing.T) {
	const pages = 300
	s := open(t, func(c *Config) { c.PerAddress, c.Check = pages, 100*time.Millisecond })
	sales := make([]store.Sale, pages)
	tabs := make([]*tab, pages)
	for i := range sales {
		sales[i] = s.sale(nil)
	}
	var wg sync.WaitGroup
	for i := range tabs {
		wg.Go(func() {
			tabs[i] = s.listen(sales[i])
			tabs[i].next()
		})
	}
	wg.Wait()
	before, began := s.queries.n.Load(), time.Now()
	wait := time.NewTimer(2 * time.Second) // measured, not waited for
	<-wait.C
	n := s.queries.n.Load() - before
	if ticks := int64(time.Since(began) / (100 * time.Millisecond)); n > 2*ticks { // one statement each, and a connection's own
		t.Errorf("%d pages cost %d statements in %d ticks", pages, n, ticks)
	}
	s.reads(sales[7], payment.StatusPaid, 123456)
	if got := tabs[7].next(); got != "paid" {
		t.Errorf("then %q", got)
	}
	s.kill()
	for i, b := range tabs {
		if got := b.next(); got != "" {
			t.Errorf("page %d was told %q at the stop", i, got)
		}
	}
}

func TestStream_bounds(t *testing.T) {
	s := open(t, func(c *Config) { c.Streams, c.PerAddress, c.PerSale = 4, 3, 2 })
	x, y, z := s.sale(nil), s.sale(nil), s.sale(nil)
	first := s.listen(x)
	first.next()
	s.listen(x).next()
	if b := s.listen(x); b.code != 503 {
		t.Errorf("a third page of one sale: %d", b.code)
	}
	s.listen(y).next()
	if b := s.listen(z); b.code != 503 {
		t.Errorf("a fourth page of one address: %d", b.code)
	}
	first.cancel()
	for b := s.listen(z); b.code != 200; b = s.listen(z) { // the place is given back when the server notices
		if t.Context().Err() != nil {
			t.Fatal("the place of a page that is gone is not given back")
		}
	}
}

func TestStream_renewsItsBuyer(t *testing.T) {
	s := open(t, func(c *Config) { c.Check = 20 * time.Millisecond })
	sale := s.sale(nil)
	s.ask("GET", "/pay/"+sale.PageKey)
	b := s.listen(sale)
	b.next()
	s.pass(renewEvery + time.Second)
	want := s.clock().Add(presence)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		look, err := s.Store.GetLook(ctx, store.Key{MerchantID: s.merchant, PaymentID: sale.ID})
		must(t, err)
		if look.BuyerUntil.Equal(want) {
			return
		}
	}
}

// A server that gives requests little time to arrive does not end a page that waits.
func TestStream_outlivesTheServersReadTimeout(t *testing.T) {
	s := open(t, func(c *Config) { c.Check = 20 * time.Millisecond })
	server := httptest.NewUnstartedServer(s.Handler)
	server.Config.ReadTimeout = 2 * time.Second
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	s.url = server.URL
	sale := s.sale(nil)
	b := s.listen(sale)
	b.next()
	over := time.NewTimer(2500 * time.Millisecond)
	<-over.C
	s.reads(sale, payment.StatusPaid, 123456)
	if got := b.next(); got != "paid" {
		t.Errorf("then %q", got)
	}
}

func TestStream_livesOnlySoLong(t *testing.T) {
	s := open(t, func(c *Config) { c.Life = 200 * time.Millisecond })
	b := s.listen(s.sale(nil))
	b.next()
	if got := b.next(); got != "" {
		t.Errorf("told %q instead of ending", got)
	}
}

func FuzzParseNotice(f *testing.F) {
	f.Add("0190a2c4-0000-7000-8000-000000000001 0190a2c4-0000-7000-8000-000000000002")
	f.Add(" ")
	f.Fuzz(func(t *testing.T, payload string) {
		if k, ok := parseNotice(payload); ok {
			if again, ok := parseNotice(k.MerchantID.String() + " " + k.PaymentID.String()); !ok || again != k {
				t.Errorf("%q is read as %v", payload, k)
			}
		}
	})
}

func FuzzWellFormed(f *testing.F) {
	f.Add(strings.Repeat("a", 43))
	f.Fuzz(func(t *testing.T, key string) {
		if wellFormed(key) && strings.Trim(key, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
			t.Errorf("%q can be a key", key)
		}
	})
}
