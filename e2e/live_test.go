package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/baixapay/baixa/e2e/browser"
	"github.com/baixapay/baixa/e2e/deployment"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier"
)

// A page in a real browser listens with the client that notifier serves, while every connection is cut again and again: it comes
// back by itself, misses nothing and shows nothing twice.
func TestLive_clientInABrowserMissesNothing(t *testing.T) {
	t.Parallel()
	const rounds, each = 12, 25
	api, public := startNotifier(t)
	wire := newCutter(t, public)
	merchant := uuid.NewString()
	as := auth.With(t.Context(), auth.Principal{MerchantID: merchant})
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ticket" {
			ticket, err := api.CreateStreamTicket(as, &notifierv1.CreateStreamTicketRequest{})
			if err != nil {
				http.Error(w, "no ticket", http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, ticket.GetTicket())
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="en"><title>live</title><link rel="icon" href="data:,"><body><script type="module">
			import { Live } from '%[1]s/ws/client.js';
			window.ids = []; window.hellos = 0;
			const live = new Live({ url: '%[1]s', ticket: async () => { const r = await fetch('/ticket'); if (!r.ok) throw r; return r.text(); } });
			live.addEventListener('hello', () => window.hellos++);
			live.addEventListener('payment_update', (e) => window.ids.push(e.detail.id));
			</script></body></html>`, wire.url())
	}))
	t.Cleanup(page.Close)
	tab := browser.New(t, browser.Options{})
	tab.Open(page.URL)
	number := func(js string) int { return int(browser.Run(tab, chromedp.Evaluate[float64](js))) }
	deployment.Eventually(t, deployment.Within, "the page is greeted", func() bool { return number("window.hellos ?? 0") > 0 })
	want := map[string]bool{}
	for round := range rounds {
		batch := &notifierv1.BatchNotifyRequest{}
		for range each {
			batch.Requests = append(batch.Requests, &notifierv1.NotifyRequest{MerchantId: merchant, PaymentId: uuid.NewString(), BotId: uuid.NewString(), Key: "owner:1",
				What: &notifierv1.NotifyRequest_OwnerEvent{OwnerEvent: &notifierv1.OwnerEvent{Type: "payment_update", Status: "paid"}}})
		}
		made, err := api.BatchNotify(as, batch)
		must(t, err)
		for _, r := range made.GetResponses() {
			want[r.GetNotification().GetId()] = true
		}
		if round%3 == 1 {
			wire.cut() // some of them are on their way
		}
	}
	deployment.Eventually(t, deployment.Within, "every event arrives", func() bool { return number("window.ids.length") >= len(want) })
	var got []string
	must(t, json.Unmarshal([]byte(browser.Run(tab, chromedp.Evaluate[string]("JSON.stringify(window.ids)"))), &got))
	seen := map[string]bool{}
	for _, id := range got {
		if seen[id] || !want[id] {
			t.Errorf("event %s twice, or of nobody", id)
		}
		seen[id] = true
	}
	if hellos := number("window.hellos"); len(seen) != len(want) || hellos < 2 {
		t.Errorf("%d of %d events over %d connections", len(seen), len(want), hellos)
	}
}

// startNotifier runs the service alone and returns its API and the host:port of its streams.
func startNotifier(t *testing.T) (notifierv1.NotifierServiceClient, string) {
	t.Helper()
	dsn := pgtest.New(t).DSN()
	must(t, notifier.Migrate(t.Context(), dsn))
	keys, err := seal.Generate()
	must(t, err)
	sealer, err := seal.New(keys)
	must(t, err)
	signer, err := auth.NewSigner([]byte(strings.Repeat("k", 32)))
	must(t, err)
	memory := rpc.NewMemory()
	service, err := notifier.New(t.Context(), notifier.Config{DSN: dsn}, notifier.Deps{Listener: memory.Listener(), Signer: signer, Sealer: sealer})
	must(t, err)
	public := httptest.NewServer(service.Handler())
	conn, err := rpc.Dial(rpc.ClientConfig{Memory: memory, Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient}})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	t.Cleanup(func() {
		_ = conn.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop notifier: %v", err)
		}
		public.Close()
	})
	return notifierv1.NewNotifierServiceClient(conn), strings.TrimPrefix(public.URL, "http://")
}

// cutter passes connections on and breaks them, or lets nothing through, when it is told to.
type cutter struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	open     map[net.Conn]struct{}
	gate     sync.RWMutex // held for writing while nothing is let through
}

func newCutter(t *testing.T, target string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &cutter{listener: l, target: target, open: map[net.Conn]struct{}{}}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(in)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); c.cut() })
	return c
}

func (c *cutter) url() string { return "http://" + c.address() }

func (c *cutter) pass(in net.Conn) {
	out, err := net.Dial("tcp", c.target)
	if err != nil {
		_ = in.Close()
		return
	}
	c.mu.Lock()
	c.open[in], c.open[out] = struct{}{}, struct{}{}
	c.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() { _, _ = io.Copy(gated{pair[0], &c.gate}, pair[1]); done <- struct{}{} }()
	}
	<-done
	_, _ = in.Close(), out.Close()
	c.mu.Lock()
	delete(c.open, in)
	delete(c.open, out)
	c.mu.Unlock()
}

// gated writes when the gate is open.
type gated struct {
	net.Conn
	gate *sync.RWMutex
}

func (g gated) Write(p []byte) (int, error) {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.Conn.Write(p)
}

func (c *cutter) address() string { return c.listener.Addr().String() }

// stall lets nothing through until the returned function is called.
func (c *cutter) stall() (pass func()) {
	c.gate.Lock()
	return c.gate.Unlock
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Close()
	}
}
