// Package inbox takes what providers post and answers only when it is durable.
//
// Webhooks that arrive together are committed together: each is sealed by its caller, a few writers take whatever waits and
// store it in one statement, and a caller gets its answer after the commit. Nothing waits for company: a webhook that is alone
// is written alone, at once.
//
// It refuses to read a webhook itself, to believe it, and to pretend: when the queue is full, the database away or the inbox stopped,
// the caller gets ErrNotStored and the provider is told to send again.
package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/groupcommit"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// MaxBody is the size of the largest webhook that is taken, in bytes.
const MaxBody = 1 << 20

// Defaults of Config.
const (
	DefaultWriters      = 2 // one collects while the other waits for the disk; more make smaller batches (BenchmarkPut)
	DefaultBatch        = 256
	DefaultQueue        = 8192
	DefaultQueueBytes   = 64 << 20
	DefaultWriteTimeout = 5 * time.Second
)

// ErrNotStored means that the webhook is not known to be stored and should be sent again; a copy of one that was stored after
// all is harmless. It wraps the reason.
var ErrNotStored = errors.New("webhook not stored")

// ErrInvalid means that the webhook cannot be taken, now or later; a *FieldError says which part of it and why.
var ErrInvalid = errors.New("invalid webhook")

// FieldError is an ErrInvalid. Its text holds nothing of the webhook.
type FieldError struct{ Field, Expected string }

// Error names the field and what was expected.
func (e *FieldError) Error() string { return e.Field + ": " + e.Expected }

// Is makes errors.Is(err, ErrInvalid) true.
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

// Webhook is what a provider posted, as it arrived.
type Webhook struct {
	Provider    string // canonical name; required
	AccountKey  string // from the URL; may be empty
	SaleKey     string // from the URL; may be empty
	Body        []byte // 1 byte to MaxBody; not kept and not changed
	ContentType string
	Headers     map[string]string // lower-case names; only those of Inbox.Headers are kept
	RemoteAddr  string            // the sender as seen behind trusted proxies
}

// Receipt says under which id a webhook is stored.
type Receipt struct {
	ID uuid.UUID
	// Duplicate is true when the same webhook was stored before, or with this one by somebody else's call.
	Duplicate bool
}

// Config describes an inbox. Store and Seal are required.
type Config struct {
	Store *store.Store
	Seal  *seal.Sealer
	// Wake is called after each commit of something new. Nil: nobody is woken.
	Wake func()
	// Read says of webhooks that are about to be stored, with their bodies opened, what they say; nil of one that is to be read when it is stored. It is
	// asked while Pressed. Senders wait for it: it is quick, or says nothing. Nil: nothing is read before.
	Read func(context.Context, []store.Webhook) []*store.Said
	// Hand takes what was committed to whoever reads it in this process. Nil: everything is read from the table.
	Hand Hand
	// Headers are names to keep besides those of the built-in list, in any case; their values are sealed.
	Headers []string
	// Writers is how many commits may be in flight; Batch is how many webhooks one commit holds at most.
	Writers, Batch int
	// Queue and QueueBytes bound what waits for a writer, in webhooks and in bytes.
	Queue      int
	QueueBytes int64
	// WriteTimeout bounds one commit.
	WriteTimeout time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Meters receives the instruments. Nil means the process's own.
	Meters metric.MeterProvider
}

// Hand takes webhooks over in memory, so that nobody has to claim and open what was just stored. Nothing is promised by it: the rows are there.
type Hand interface {
	// Until is until when webhooks of so many bytes that are stored now are this process's own; false: they are the table's.
	Until(now time.Time, bytes int64) (lease time.Time, ok bool)
	// Take gets webhooks whose rows have that lease, with what they say or with their bodies opened, in the order of their arrival.
	Take([]store.Webhook)
}

// Inbox is the intake. It is safe for concurrent use. Run must run for Put to answer.
type Inbox struct {
	cfg     Config
	headers atomic.Pointer[keeping]
	meters  *meters
	group   *groupcommit.Group[*entry]
	flights flights
	press   press
}

// New checks the configuration. Nothing runs yet.
func New(c Config) (*Inbox, error) {
	if c.Store == nil || c.Seal == nil {
		return nil, errors.New("inbox: Store and Seal are required")
	}
	if c.Writers < 0 || c.Batch < 0 || c.Queue < 0 || c.QueueBytes < 0 || c.WriteTimeout < 0 {
		return nil, errors.New("inbox: a limit is negative")
	}
	c.Writers = cmp.Or(c.Writers, DefaultWriters)
	c.Batch = cmp.Or(c.Batch, DefaultBatch)
	c.Queue = cmp.Or(c.Queue, DefaultQueue)
	c.QueueBytes = cmp.Or(c.QueueBytes, DefaultQueueBytes)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, DefaultWriteTimeout)
	if c.QueueBytes < MaxBody {
		return nil, fmt.Errorf("inbox: QueueBytes is %d, want at least one webhook: %d", c.QueueBytes, MaxBody)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wake == nil {
		c.Wake = func() {}
	}
	headers, err := newHeaderList(c.Headers)
	if err != nil {
		return nil, err
	}
	m, err := newMeters(c.Meters)
	if err != nil {
		return nil, err
	}
	b := &Inbox{cfg: c, meters: m}
	b.group = groupcommit.New(groupcommit.Config[*entry]{Commit: b.commit, Alone: refusesRow, Writers: c.Writers, Batch: c.Batch, Queue: c.Queue,
		Size: size, BatchBytes: maxBatchBytes, QueueBytes: c.QueueBytes})
	b.headers.Store(&keeping{list: headers, names: headers.names()})
	return b, nil
}

// Headers are the lower-case names of the headers that are kept, those of Learn among them. The same slice comes again until
// one is learned; it must not be changed.
func (b *Inbox) Headers() []string { return b.headers.Load().names }

// Put stores a webhook and returns after the commit. An exact copy (same provider, keys and body) is stored once: the
// receipt then names the first; a copy that comes while that is being committed is answered with it. Errors: a *FieldError (ErrInvalid) when it cannot be taken; ErrNotStored when the queue is
// full, the database away or the inbox stopped; ctx's error, with ErrNotStored, when ctx ends first — the webhook may then be
// stored all the same. The body must not be changed any more.
func (b *Inbox) Put(ctx context.Context, w Webhook) (Receipt, error) {
	if err := check(&w); err != nil {
		b.meters.count(ctx, "refused", 1)
		return Receipt{}, err
	}
	e, err := b.prepare(ctx, w)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := b.store(ctx, e)
	if err == nil {
		return receipt, nil
	}
	b.meters.count(ctx, "not_stored", 1)
	if ctx.Err() == nil && !errors.Is(err, groupcommit.ErrFull) && !errors.Is(err, groupcommit.ErrStopping) { // whose callers know enough
		slog.ErrorContext(ctx, "webhook not stored", slog.String("provider", w.Provider), slog.Any("error", err))
	}
	return Receipt{}, fmt.Errorf("%w: %w", ErrNotStored, err)
}

// prepare seals w for its row.
func (b *Inbox) prepare(ctx context.Context, w Webhook) (*entry, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("%w: make id: %w", ErrNotStored, err)
	}
	digest := Digest(w.Provider, w.AccountKey, w.SaleKey, w.Body)
	body, err := b.cfg.Seal.Seal(w.Body, row(digest))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	headers, opened, err := b.sealHeaders(w.Headers, digest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	if parent := telemetry.Carrier(ctx); parent != "" {
		headers["traceparent"], opened["traceparent"] = parent, parent // ours, so that what follows from it joins the trace of its arrival
	}
	return &entry{
		hook: store.Webhook{ID: id, Provider: w.Provider, Digest: digest, AccountKey: w.AccountKey, SaleKey: w.SaleKey,
			Body: body, ContentType: plain(w.ContentType, maxShort), Headers: headers,
			RemoteAddr: plain(w.RemoteAddr, maxShort), ReceivedAt: b.cfg.Now().UTC()},
		opened: opened, body: w.Body,
		span: trace.SpanContextFromContext(ctx),
	}, nil
}

// check refuses what the database could not hold or what is not a webhook.
func check(w *Webhook) error {
	for _, part := range []struct{ field, text string }{{"provider", w.Provider}, {"account_key", w.AccountKey}, {"sale_key", w.SaleKey}} {
		if len(part.text) > maxShort || plain(part.text, maxShort) != part.text {
			return &FieldError{part.field, fmt.Sprintf("at most %d bytes of UTF-8 text without control characters", maxShort)}
		}
	}
	switch {
	case strings.TrimSpace(w.Provider) == "":
		return &FieldError{"provider", "the name of a provider"}
	case len(w.Body) == 0:
		return &FieldError{"body", "the webhook's bytes; it was empty"}
	case len(w.Body) > MaxBody:
		return &FieldError{"body", fmt.Sprintf("at most %d bytes", MaxBody)}
	}
	return nil
}
