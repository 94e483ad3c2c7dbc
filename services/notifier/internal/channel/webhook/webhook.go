// Package webhook sends the owner log's events to merchants' own systems by the Standard Webhooks specification: at least once, with
// one id however often, signed, retried for days.
//
// It refuses to connect to anything but public addresses, to follow redirects, to keep or show what a receiver answers beyond its
// status, and to let one endpoint's troubles delay another's messages.
package webhook

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const (
	scope       = "github.com/baixapay/baixa/services/notifier/internal/channel/webhook"
	leaseMargin = 30 * time.Second // for writing results while the database is away
	feedBatch   = 500
	feedSpace   = 25 * time.Millisecond // between two reads of the log
	claimBatch  = 128
	sweepEvery  = time.Minute
	sweepBatch  = 2000
	retryPause  = time.Second // after an error of the feed
)

// Schedule is the specification's own recommendation of waits between attempts: the first is at once, the last follows three days
// and some hours later.
var Schedule = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
	20 * time.Hour, 24 * time.Hour}

// Config says how to send. Store and Sealer must be set; zero values mean the defaults.
type Config struct {
	Store  *store.Store
	Sealer *seal.Sealer

	InFlight     int             // requests without an answer, all endpoints together (256)
	PerEndpoint  int             // of one endpoint (8)
	Timeout      time.Duration   // of one attempt (20 s)
	Schedule     []time.Duration // waits after failed attempts; nil means Schedule
	DisableAfter time.Duration   // an endpoint that has only failed for so long is disabled (5 days)
	Pause        time.Duration   // of an endpoint after a failure; it doubles up to 64 times that (1 s)
	Hold         time.Duration   // how long an event waits behind an earlier one of its sale (5 min)
	Keep         time.Duration   // of ended messages and their attempts (30 days)
	Idle         time.Duration   // between two looks for due messages (500 ms)
	Resolver     *net.Resolver   // nil means the system's
	Roots        *x509.CertPool  // nil means the system's
}

func (c Config) withDefaults() Config {
	c.InFlight, c.PerEndpoint = cmp.Or(c.InFlight, 256), cmp.Or(c.PerEndpoint, 8)
	c.Timeout, c.DisableAfter = cmp.Or(c.Timeout, 20*time.Second), cmp.Or(c.DisableAfter, 5*24*time.Hour)
	c.Pause, c.Hold = cmp.Or(c.Pause, time.Second), cmp.Or(c.Hold, 5*time.Minute)
	c.Keep, c.Idle = cmp.Or(c.Keep, 30*24*time.Hour), cmp.Or(c.Idle, 500*time.Millisecond)
	if c.Schedule == nil {
		c.Schedule = Schedule
	}
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	return c
}

// Sender feeds, sends and sweeps. Any number of senders may run on one database.
type Sender struct {
	cfg              Config
	public, loopback *http.Client
	waker            *queue.Waker
	slots            chan struct{} // one element per message in flight, until its result is written
	failing          chan struct{} // and one here for those of endpoints that fail: at most half of all
	tracer           trace.Tracer
	ends             metric.Int64Counter
}

// NewSender checks c. Nothing is sent before Run.
func NewSender(c Config) (*Sender, error) {
	if c.Store == nil || c.Sealer == nil {
		return nil, errors.New("webhook sender: store and sealer are needed")
	}
	c = c.withDefaults()
	if c.InFlight < 2 || c.PerEndpoint < 1 || c.Timeout <= 0 || c.DisableAfter <= 0 || c.Pause <= 0 || c.Hold <= 0 || c.Keep <= 0 || c.Idle <= 0 {
		return nil, errors.New("webhook sender: limits and times must be positive")
	}
	s := &Sender{cfg: c, public: newClient(c, net.Dialer{ControlContext: admit(public)}), loopback: newClient(c, net.Dialer{ControlContext: admit(loopbackOnly)}),
		waker: queue.NewWaker(), slots: make(chan struct{}, c.InFlight), failing: make(chan struct{}, c.InFlight/2), tracer: otel.Tracer(scope)}
	var err error
	if s.ends, err = otel.Meter(scope).Int64Counter("baixa.notifier.webhook.attempts", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts to deliver webhooks, by reason; an empty one means delivered.")); err != nil {
		return nil, fmt.Errorf("webhook sender: create instrument: %w", err)
	}
	return s, nil
}

// Wake asks for a look for due messages now. It never blocks.
func (s *Sender) Wake() { s.waker.Wake() }

// Run works until ctx is done; then nothing is claimed any more and requests in flight get their answer within Timeout. It returns
// nil after such a stop.
func (s *Sender) Run(ctx context.Context) error {
	defer s.public.CloseIdleConnections()
	defer s.loopback.CloseIdleConnections()
	var side, sending sync.WaitGroup
	side.Go(func() { s.feed(ctx) })
	side.Go(func() { s.sweep(ctx) })
	loop := queue.Loop[store.WebhookMessage]{
		Name: "notifier.webhooks", Claim: s.claim, Batch: claimBatch, Workers: 1, Idle: s.cfg.Idle, Wake: s.waker.C(),
		Due: func(m store.WebhookMessage) time.Time { return m.DueAt },
		Work: func(work context.Context, batch []store.WebhookMessage) error {
			for _, m := range batch {
				sending.Go(func() { s.deliver(context.WithoutCancel(work), m) })
			}
			return nil
		},
	}
	err := loop.Run(ctx)
	sending.Wait()
	side.Wait()
	return err
}

// claim takes as many messages as there are free slots and holds a slot for each until its result is written.
func (s *Sender) claim(ctx context.Context, limit int) ([]store.WebhookMessage, error) {
	free := 0
	for free < limit && take(s.slots) {
		free++
	}
	if free == 0 { // whoever frees one wakes
		return nil, nil
	}
	sick := 0
	for sick < free && take(s.failing) {
		sick++
	}
	rows, err := s.cfg.Store.ClaimWebhooks(ctx, free, store.WebhookPace{InFlight: s.cfg.PerEndpoint, Failing: sick, Hold: s.cfg.Hold}, s.cfg.Timeout+leaseMargin)
	used := 0
	for _, m := range rows {
		if m.Failing {
			used++
		}
	}
	release(s.slots, free-len(rows))
	release(s.failing, sick-used)
	if len(rows) > 0 {
		s.waker.Wake() // until a claim comes back empty
	}
	return rows, err
}

func take(slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func release(slots chan struct{}, n int) {
	for range n {
		<-slots
	}
}

// feed hands the log's events to endpoints whenever there are new ones.
func (s *Sender) feed(ctx context.Context) {
	last := ""
	for ctx.Err() == nil {
		err := eventlog.Follow(ctx, s.cfg.Store.Events(), eventlog.Feed[store.Event]{Batch: 1, Space: feedSpace,
			// The log only says when to look: where the feed stands is its own row, which all replicas share.
			Read: func(ctx context.Context, at eventlog.Cursor, _ int) ([]store.Event, eventlog.Cursor, error) {
				return nil, at, s.feedAll(ctx)
			},
			Deliver: func(context.Context, []store.Event) error { return nil }})
		if text := fmt.Sprint(err); text != last && ctx.Err() == nil {
			last = text
			slog.ErrorContext(ctx, "webhooks are not fed", slog.Any("error", err))
		}
		pause(ctx, retryPause)
	}
}

func (s *Sender) feedAll(ctx context.Context) error {
	for {
		events, messages, err := s.cfg.Store.FeedWebhooks(ctx, feedBatch)
		if err != nil {
			return err
		}
		if messages > 0 {
			s.waker.Wake()
		}
		if events < feedBatch {
			return nil
		}
	}
}

// sweep forgets what ended long ago.
func (s *Sender) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := s.cfg.Store.SweepWebhooks(ctx, s.cfg.Keep, sweepBatch)
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "old webhooks are not swept", slog.Any("error", err))
		}
		if n < sweepBatch {
			pause(ctx, sweepEvery)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-wait.C:
	}
}

// jittered spreads retries of messages that failed together: up to a tenth longer.
func jittered(d time.Duration) time.Duration { return d + rand.N(d/10+1) }
