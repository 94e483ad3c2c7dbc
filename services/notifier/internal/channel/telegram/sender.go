package telegram

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/crash"
	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const (
	scope         = "github.com/baixapay/baixa/services/notifier/internal/channel/telegram"
	leaseMargin   = 45 * time.Second // for writing results while the database is away
	botShare      = 8                // one bot has at most an eighth of the messages in flight
	claimBatch    = 256
	lookSpace     = 25 * time.Millisecond // between two claims when nothing was queued since the first
	claimSpace    = 5 * time.Millisecond  // between two claims of a busy sender at least
	busyClaim     = 16                    // a claim that found as many as this is followed by a longer space:
	busyShare     = 4                     // that many times as long as it took, since each asks every bot that waits,
	maxClaimSpace = 50 * time.Millisecond // and at most this
	settleBatch   = 500
	groupWait     = 3 * time.Second // between two messages to a group: Telegram takes 20 a minute
)

// Config says how to send. Store and Sealer must be set, the numbers positive.
type Config struct {
	Store  *store.Store
	Sealer *seal.Sealer

	BaseURL  string        // of the Bot API for bots that have none of their own
	PerBot   int           // messages that one bot sends in any one second
	ChatWait time.Duration // between two messages to one private chat; groups wait at least 3 s, unless it is 0
	InFlight int           // messages without an answer, all bots together
	Timeout  time.Duration // of one message
	MaxAge   time.Duration // after which a message that could not be handed over is undeliverable
	Idle     time.Duration // between two looks into the queue when nothing is foreseen
	Retry    queue.Backoff // between two attempts at one message
	// ForbiddenWait is the time to the second and last attempt after the 403 that is sometimes passing.
	ForbiddenWait time.Duration
}

// Sender sends what is queued. Any number of senders may run on one database.
type Sender struct {
	cfg    Config
	pace   store.Pace
	client *client
	bots   *bots
	waker  *queue.Waker
	slots  chan struct{} // one element per message in flight, until its result is written
	done   chan settled
	tracer trace.Tracer
	ends   metric.Int64Counter
	fresh  atomic.Bool // a message was queued since the last claim
	ended  atomic.Bool // a message's result was written since

	mu       sync.Mutex
	life     context.Context // of what is sent; nil: nothing is begun before Run and after its end
	sending  sync.WaitGroup  // messages on their way, and calls of Record that may send
	doubtful []doubt         // claims whose answer got lost

	// Of the claiming goroutine alone.
	claimed time.Time     // when the last claim was made
	space   time.Duration // from then to the next, when busy
	timer   *time.Timer
}

// NewSender checks c. Nothing is sent before Run.
func NewSender(c Config) (*Sender, error) {
	if c.Store == nil || c.Sealer == nil {
		return nil, errors.New("telegram sender: store and sealer are needed")
	}
	if err := CheckBase(c.BaseURL); err != nil {
		return nil, fmt.Errorf("telegram sender: base address: %w", err)
	}
	if c.PerBot < 1 || c.InFlight < 1 || c.Timeout <= 0 || c.MaxAge <= 0 || c.Idle <= 0 || c.ChatWait < 0 || c.ForbiddenWait <= 0 {
		return nil, errors.New("telegram sender: limits and times must be positive")
	}
	s := &Sender{cfg: c, pace: paceOf(c), client: newClient(c.BaseURL, c.InFlight), bots: &bots{store: c.Store, sealer: c.Sealer},
		waker: queue.NewWaker(), slots: make(chan struct{}, c.InFlight), done: make(chan settled, c.InFlight),
		tracer: otel.Tracer(scope)}
	var err error
	if s.ends, err = otel.Meter(scope).Int64Counter("baixa.notifier.telegram.results", metric.WithUnit("{message}"),
		metric.WithDescription("Answers to sendMessage, by what they mean: state 1 is tried again, 2 sent, 3 undeliverable, 4 maybe sent.")); err != nil {
		return nil, fmt.Errorf("telegram sender: create instrument: %w", err)
	}
	s.timer = time.AfterFunc(time.Hour, s.waker.Wake)
	s.timer.Stop()
	return s, nil
}

// paceOf keeps burst + long run rate within the limit, so that no second has more.
func paceOf(c Config) store.Pace {
	burst := max(1, c.PerBot/10)
	return store.Pace{Interval: time.Second / time.Duration(max(1, c.PerBot-burst)), Burst: burst, InFlight: max(1, c.InFlight/botShare)}
}

// Wake asks for a look into the queue now. It never blocks.
func (s *Sender) Wake() {
	s.fresh.Store(true)
	s.waker.Wake()
}

// Run sends until ctx is done; then nothing is claimed any more, messages in flight get their answer within Timeout, and all
// results are written. It returns nil after such a stop.
func (s *Sender) Run(ctx context.Context) error {
	defer s.client.close()
	defer s.timer.Stop()
	settling := make(chan struct{})
	go func() { defer close(settling); s.settle(context.WithoutCancel(ctx)) }()
	loop := queue.Loop[store.Message]{
		Name: "notifier.telegram", Claim: s.claim, Batch: claimBatch, Workers: 1, Idle: s.cfg.Idle, Wake: s.waker.C(),
		Due: func(m store.Message) time.Time { return m.DueAt },
		Work: func(work context.Context, batch []store.Message) error {
			for _, m := range batch {
				s.sending.Go(func() { s.deliver(context.WithoutCancel(work), m) })
			}
			return nil
		},
	}
	s.begin(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { s.begin(nil) })()
	err := loop.Run(ctx)
	s.begin(nil)
	s.sending.Wait()
	close(s.done)
	<-settling
	return err
}

// claim takes as many messages as there are free slots. It holds a slot for each until the result is written.
func (s *Sender) claim(ctx context.Context, limit int) ([]store.Message, error) {
	fresh := s.fresh.Swap(false)
	if wait := s.pause(fresh, s.ended.Swap(false)) - time.Since(s.claimed); wait > 0 {
		if fresh {
			s.fresh.Store(true)
		}
		s.timer.Reset(wait)
		return nil, nil
	}
	s.claimed = time.Now()
	free := s.reserve(ctx, limit)
	if free == 0 {
		return nil, nil
	}
	rows, err := s.take(ctx, free)
	s.release(free - len(rows))
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 {
		s.waker.Wake() // until a claim comes back empty
		return rows, nil
	}
	wait, ok, err := s.cfg.Store.Next(ctx, s.pace)
	if err == nil && ok && wait < s.cfg.Idle {
		s.timer.Reset(max(wait, time.Millisecond))
	}
	return nil, err
}

// pause is how long after the last claim the next is made. What was queued since is claimed at once unless many are on their way; a look for
// what a claim left behind, or for what the end of a message makes due, comes together with others.
func (s *Sender) pause(fresh, ended bool) time.Duration {
	switch {
	case s.space > 0 && len(s.slots) > 0:
		return s.space
	case fresh:
		return 0
	case ended || len(s.slots) > 0:
		return lookSpace
	}
	return 0
}

func (s *Sender) take(ctx context.Context, limit int) ([]store.Message, error) {
	if err := s.unclaim(ctx); err != nil {
		return nil, err
	}
	name := uuid.New()
	rows, err := s.cfg.Store.Claim(ctx, name, limit, s.pace, s.cfg.Timeout+leaseMargin)
	if s.space = 0; len(rows) >= busyClaim {
		s.space = max(claimSpace, min(busyShare*time.Since(s.claimed), maxClaimSpace))
	}
	if err != nil {
		s.doubt(name)
	}
	return rows, err
}

// reserve waits for one free slot, at most Idle, and takes what else is free.
func (s *Sender) reserve(ctx context.Context, limit int) int {
	wait := time.NewTimer(s.cfg.Idle)
	defer wait.Stop()
	select {
	case s.slots <- struct{}{}:
	case <-wait.C:
		return 0
	case <-ctx.Done():
		return 0
	}
	return 1 + s.grab(limit-1)
}

// grab takes up to most free slots, without waiting.
func (s *Sender) grab(most int) (n int) {
	for n < most {
		select {
		case s.slots <- struct{}{}:
			n++
		default:
			return n
		}
	}
	return n
}

func (s *Sender) release(n int) {
	for range n {
		<-s.slots
	}
}

// deliver sends one message and hands its result on. It always does, or the slot would be lost.
func (s *Sender) deliver(ctx context.Context, m store.Message) {
	ctx, cancel := context.WithTimeout(telemetry.Resume(ctx, m.Traceparent), s.cfg.Timeout)
	defer cancel()
	ctx, span := s.tracer.Start(ctx, "telegram sendMessage", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("bot_id", m.BotID.String()), attribute.String("notification_id", m.ID.String()),
		attribute.String("payment_id", m.PaymentID.String()), attribute.Int("attempt", int(m.Attempt))))
	defer span.End()
	r := settled{}
	defer func() {
		if v := recover(); v != nil { // whether it was sent is unknown
			slog.ErrorContext(ctx, "sending panicked", slog.String("notification_id", m.ID.String()), slog.Any("error", crash.Of(v)))
			r = s.result(m, answer{kind: unknown, reason: store.ReasonInterrupted, chat: m.ChatID})
		}
		r.result.Traceparent = telemetry.Carrier(ctx)
		end := []attribute.KeyValue{attribute.Int("state", int(r.result.State)), attribute.String("reason", r.result.Reason)}
		span.SetAttributes(end...)
		s.ends.Add(ctx, 1, metric.WithAttributes(end...))
		s.done <- r
	}()
	l, err := s.letter(ctx, m)
	if err != nil {
		slog.ErrorContext(ctx, "message cannot be prepared", slog.String("notification_id", m.ID.String()),
			slog.String("payment_id", m.PaymentID.String()), slog.Any("error", err))
		r = s.result(m, answer{kind: again, reason: reasonUnprepared, chat: m.ChatID})
		return
	}
	r = s.result(m, s.client.send(ctx, l))
}

// reasonUnprepared is of our own making: the database was away, or the keyset is another one.
const reasonUnprepared = "not_prepared"

func (s *Sender) letter(ctx context.Context, m store.Message) (letter, error) {
	b, err := s.bots.get(ctx, m)
	if err != nil {
		return letter{}, err
	}
	content, err := openContent(s.cfg.Sealer, m.ID, m.Content)
	if err != nil {
		return letter{}, err
	}
	return letter{base: b.base, token: b.token, chat: m.ChatID, text: b.text(content)}, nil
}
