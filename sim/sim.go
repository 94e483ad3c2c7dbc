// Package sim plays the outside world: the PIX providers, Telegram's Bot API,
// Meta's Graph API, and the buyers who open what they are sent.
//
// It is written from notes about those vendors (the project's facts file) and
// from nothing of the services, so that it can disagree with them: a mistake
// made on both sides would otherwise hide itself. It imports the standard
// library only. Every name, key and number in it is invented.
//
// A World keeps everything in memory and is safe for concurrent use. Its
// webhook sender and its buyers refuse to leave the machine unless the
// configuration allows it.
package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how a World behaves from its first request. The zero value works.
type Config struct {
	// Seed makes identifiers, probabilities and delays repeatable. Two worlds
	// with one seed and the same calls in the same order give the same answers.
	Seed int64
	// Now is the world's clock; time.Now when nil. Delays are real time.
	Now func() time.Time
	// Strict refuses credentials, bots, chats and pixels that were not added.
	// Without it, a provider to which no account was added takes any
	// well-formed credential, and likewise for bots, chats and pixels.
	Strict bool
	// WebhookWorkers is how many webhooks may be on their way at once; 32 when 0.
	WebhookWorkers int
	// WebhookPatience is how long every provider waits for the answer to a webhook; each as long as it is known to (PushinPay 2 s), or 10 s, when 0.
	WebhookPatience time.Duration
	// Keep is how many messages, Meta events and webhook deliveries are kept
	// for reading, the oldest dropped first; 50,000 when 0. Counters count all.
	Keep int
	// AllowRemote lets webhooks and buyers leave the loopback interface.
	AllowRemote bool
	// PollRules replaces DefaultPollRules when not nil.
	PollRules map[Provider]PollRule
}

// World is one simulated outside. Close it when done.
type World struct {
	cfg    Config
	now    func() time.Time
	faults *faults
	shops  map[Provider]*shop
	hooks  *hooks
	tg     *telegram
	meta   *meta
	buyers *buyers
	payers payers
	mux    *http.ServeMux

	randMu sync.Mutex
	rand   *rand.Rand

	waiters atomic.Int32
	waitMu  sync.Mutex
	changed chan struct{}

	ctx  context.Context
	stop context.CancelFunc
	// closing guards wg: nothing is added to it once closed is set.
	closing sync.Mutex
	closed  bool
	wg      sync.WaitGroup
}

// New builds a world and starts its webhook workers. It fails only on a
// configuration that contradicts itself.
func New(cfg Config) (*World, error) {
	if cfg.WebhookWorkers < 0 || cfg.Keep < 0 || cfg.WebhookPatience < 0 {
		return nil, errors.New("sim: negative WebhookWorkers, WebhookPatience or Keep")
	}
	if cfg.WebhookWorkers == 0 {
		cfg.WebhookWorkers = 32
	}
	if cfg.Keep == 0 {
		cfg.Keep = 50_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.PollRules == nil {
		cfg.PollRules = DefaultPollRules()
	}
	for p, rule := range cfg.PollRules {
		if err := rule.check(); err != nil {
			return nil, fmt.Errorf("sim: poll rule of %s: %w", p, err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &World{
		cfg: cfg, now: cfg.Now, ctx: ctx, stop: stop,
		faults:  newFaults(cfg.Seed, cfg.Now),
		shops:   make(map[Provider]*shop),
		rand:    rand.New(rand.NewPCG(uint64(cfg.Seed), 0x5eed)),
		changed: make(chan struct{}),
		mux:     http.NewServeMux(),
	}
	w.hooks = newHooks(w)
	w.meta = newMeta(w)
	w.buyers = newBuyers(w)
	w.tg = newTelegram(w)
	for _, d := range dialects() {
		s := newShop(w, d)
		w.shops[d.provider] = s
		s.mount(w.mux)
	}
	for p := range cfg.PollRules {
		if w.shops[p] == nil {
			stop()
			return nil, fmt.Errorf("sim: poll rule of unknown provider %q", p)
		}
	}
	w.mux.Handle("/telegram/", w.tg)
	w.meta.mount(w.mux)
	w.mountControl(w.mux)
	w.hooks.start()
	return w, nil
}

// Handler serves every simulated vendor and the control API under one root:
// /<provider>/…, /telegram/bot<token>/…, /meta/…, /control/….
func (w *World) Handler() http.Handler { return w.mux }

// Close stops workers, buyers and hanging answers, and waits for them. What
// was recorded can still be read. Calling it twice is safe.
func (w *World) Close() {
	w.closing.Lock()
	w.closed = true
	w.closing.Unlock()
	w.stop()
	w.hooks.close()
	w.wg.Wait()
	w.hooks.client.CloseIdleConnections()
	w.buyers.client.CloseIdleConnections()
}

// Server is a world listening on a port.
type Server struct {
	// URL is the base, "http://127.0.0.1:40123", without a trailing slash.
	URL  string
	http *http.Server
	done chan error
}

// Start listens on addr ("127.0.0.1:0" when empty) and serves until Close.
func (w *World) Start(addr string) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("sim: listen: %w", err)
	}
	s := &Server{
		URL:  "http://" + l.Addr().String(),
		done: make(chan error, 1),
		http: &http.Server{
			Handler:           w.mux,
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          log.New(io.Discard, "", 0),
		},
	}
	go func() { s.done <- s.http.Serve(l) }()
	return s, nil
}

// ProviderURL is what an account's base URL must be to reach p here: it
// stands for the vendor's documented base URL, its path included.
func (s *Server) ProviderURL(p Provider) string { return s.URL + Path(p) }

// TelegramURL stands for https://api.telegram.org.
func (s *Server) TelegramURL() string { return s.URL + "/telegram" }

// MetaURL stands for https://graph.facebook.com.
func (s *Server) MetaURL() string { return s.URL + "/meta" }

// Close stops listening and cuts open connections at once.
func (s *Server) Close() error {
	err := s.http.Close()
	if serr := <-s.done; err == nil && !errors.Is(serr, http.ErrServerClosed) {
		err = serr
	}
	s.done <- http.ErrServerClosed
	return err
}

// Serve runs a world of its own on addr until ctx ends; ready, when not nil,
// is called once with the server that listens. For `baixa sim` and tests that
// want a separate process.
func Serve(ctx context.Context, cfg Config, addr string, ready func(*World, *Server)) error {
	w, err := New(cfg)
	if err != nil {
		return err
	}
	defer w.Close()
	s, err := w.Start(addr)
	if err != nil {
		return err
	}
	if ready != nil {
		ready(w, s)
	}
	select {
	case <-ctx.Done():
		return s.Close()
	case err := <-s.done:
		return fmt.Errorf("sim: serve: %w", err)
	}
}

// Await returns nil as soon as cond is true. It is asked again after every
// recorded thing (a call, a message, a webhook's outcome, a Meta event), and
// gives up with ctx's error. cond must not call Await.
func (w *World) Await(ctx context.Context, cond func() bool) error {
	w.waiters.Add(1)
	defer w.waiters.Add(-1)
	for {
		w.waitMu.Lock()
		changed := w.changed
		w.waitMu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bump wakes those who await; it costs one atomic read when nobody does.
func (w *World) bump() {
	if w.waiters.Load() == 0 {
		return
	}
	w.waitMu.Lock()
	close(w.changed)
	w.changed = make(chan struct{})
	w.waitMu.Unlock()
}

// after runs f once in its own goroutine, d from now, unless the world closes
// first; Close waits for it.
func (w *World) after(d time.Duration, f func()) {
	time.AfterFunc(d, func() {
		w.closing.Lock()
		if w.closed {
			w.closing.Unlock()
			return
		}
		w.wg.Add(1)
		w.closing.Unlock()
		defer w.wg.Done()
		f()
	})
}
