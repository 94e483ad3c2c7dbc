// Package access lets buyers into Telegram groups for as long as they paid for: an invite link for one person, a look whether they are in,
// and their leaving when the time is over or the money went back.
//
// It owns no updates of the bot (the merchant's program does), so it looks instead of listening, seldom and within the rate that messages
// leave. It refuses to take anybody out whom another access keeps in, to take anybody out by a clock that jumped, and to say anything of
// Telegram's texts or of a token in logs, errors and spans.
package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/crash"
	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/notifier/internal/channel/telegram"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const (
	scope      = "github.com/baixapay/baixa/services/notifier/internal/access"
	claimBatch = 32
	perBot     = 4
	stepCalls  = 2
	stepTime   = 4 * callTimeout
	// lease is how long an access that a dead process had begun stays with it; it is renewed while a step goes on, and a step whose lease
	// is lost makes no further call.
	lease = 12 * time.Second
)

// Config says how to work. Store and Sealer must be set; zero values of the others mean the defaults.
type Config struct {
	Store   *store.Store
	Sealer  *seal.Sealer
	BaseURL string // of the Bot API for bots that have none of their own

	PerBot   int           // calls that one bot makes in any one second, messages included (30)
	LinkLife time.Duration // of an invite link; a new one follows while the buyer has not come (7 days)
	Patience time.Duration // with a buyer who does not come (90 days)
	Grace    time.Duration // how long a removal waits for a renewal that is paid and not seen yet (1 h)
	Soon     time.Duration // the shortest wait between two looks at one access (5 s)
	Mend     time.Duration // between two tries of what the owner must mend (10 min)
	Idle     time.Duration // between two looks for due accesses (500 ms)
}

func (c Config) withDefaults() Config {
	c.PerBot, c.LinkLife, c.Patience = cmp.Or(c.PerBot, 30), cmp.Or(c.LinkLife, 7*24*time.Hour), cmp.Or(c.Patience, 90*24*time.Hour)
	c.Grace, c.Soon, c.Mend, c.Idle = cmp.Or(c.Grace, time.Hour), cmp.Or(c.Soon, 5*time.Second), cmp.Or(c.Mend, 10*time.Minute), cmp.Or(c.Idle, 500*time.Millisecond)
	return c
}

// Keeper does what is due about accesses. Any number of keepers may run on one database.
type Keeper struct {
	cfg    Config
	api    *api
	waker  *queue.Waker
	clock  clock
	tracer trace.Tracer
}

// NewKeeper checks c. Nothing happens before Run.
func NewKeeper(c Config) (*Keeper, error) {
	if c.Store == nil || c.Sealer == nil {
		return nil, errors.New("access keeper: store and sealer are needed")
	}
	if err := telegram.CheckBase(c.BaseURL); err != nil {
		return nil, fmt.Errorf("access keeper: base address: %w", err)
	}
	c = c.withDefaults()
	if c.PerBot < 1 || c.LinkLife <= 0 || c.Patience <= 0 || c.Grace <= 0 || c.Soon <= 0 || c.Mend <= 0 || c.Idle <= 0 {
		return nil, errors.New("access keeper: limits and times must be positive")
	}
	return &Keeper{cfg: c, api: newAPI(c.BaseURL), waker: queue.NewWaker(), tracer: otel.Tracer(scope)}, nil
}

// Wake asks for a look for due accesses now. It never blocks.
func (k *Keeper) Wake() { k.waker.Wake() }

// Run works until ctx is done; steps under way are finished first. It returns nil after such a stop.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.api.http.CloseIdleConnections()
	loop := queue.Loop[store.Access]{
		Name: "notifier.accesses", Claim: k.claim, Work: k.work, Batch: claimBatch, Workers: 4, Idle: k.cfg.Idle, Wake: k.waker.C(),
		Timeout: stepTime, Grace: stepTime,
		Due:   func(a store.Access) time.Time { return cmp.Or(deref(a.DueAt), a.Now) },
		Trace: func(a store.Access) string { return a.Traceparent },
	}
	return loop.Run(ctx)
}

func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func (k *Keeper) claim(ctx context.Context, limit int) ([]store.Access, error) {
	if err := k.watch(ctx); err != nil {
		return nil, err
	}
	pace := store.AccessPace{Interval: time.Second / time.Duration(k.cfg.PerBot), Calls: stepCalls, PerBot: perBot}
	rows, err := k.cfg.Store.ClaimAccesses(ctx, limit, pace, lease)
	if len(rows) > 0 {
		k.waker.Wake() // until a claim comes back empty
	}
	return rows, err
}

// watch looks at the database's clock before anything is ended by it.
func (k *Keeper) watch(ctx context.Context) error {
	now, err := k.cfg.Store.Now(ctx)
	if err != nil {
		return err
	}
	k.clock.see(now, time.Now())
	if k.clock.wentAhead() {
		slog.ErrorContext(ctx, "the database's clock went ahead: nobody is taken out of a group for a while", slog.Duration("while", clockQuiet))
	}
	if k.clock.wentBack() {
		slog.WarnContext(ctx, "the database's clock went back: what waits for it is looked at again")
		return k.cfg.Store.PullBack(ctx, longestWait)
	}
	return nil
}

func (k *Keeper) work(ctx context.Context, rows []store.Access) error {
	var all sync.WaitGroup
	errs := make([]error, len(rows))
	for i, a := range rows {
		all.Go(func() {
			errs[i] = queue.Hold(ctx, lease, func(ctx context.Context) error { return k.cfg.Store.RenewAccess(ctx, a, lease) },
				func(ctx context.Context) error { return k.step(ctx, a) })
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// step does the next thing about one access. What it writes is dropped when the access changed meanwhile; then it is due again.
func (k *Keeper) step(ctx context.Context, a store.Access) (err error) {
	ctx, span := k.tracer.Start(telemetry.Resume(ctx, a.Traceparent), "access step", trace.WithAttributes(
		attribute.String("access_id", a.ID.String()), attribute.String("payment_id", a.PaymentID.String()), attribute.Int("state", int(a.State)),
		attribute.Int("removal", int(a.Removal))))
	defer span.End()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("step of access %s: %w", a.ID, crash.Of(v))
		}
	}()
	if a.State == store.AccessActive && a.Removal != store.RemovalBegun { // asks Telegram nothing
		return k.expire(ctx, a)
	}
	b, ok, err := k.bot(ctx, a)
	if err != nil || !ok {
		return err
	}
	switch {
	case a.State == store.AccessCancelled && a.Link != nil && a.LinkUntil.After(a.Now):
		return k.closeLink(ctx, b, a)
	case a.Removal == store.RemovalWanted, a.Removal == store.RemovalBegun:
		return k.remove(ctx, b, a)
	case a.State == store.AccessPending, a.State == store.AccessError:
		return k.admit(ctx, b, a)
	}
	return k.cfg.Store.DropLink(ctx, a) // nothing is left to do
}

// bot opens the access's bot; ok is false when there is none that works, which the owner is told.
func (k *Keeper) bot(ctx context.Context, a store.Access) (b bot, ok bool, err error) {
	if a.BotMissing || a.BotRefuse {
		fault := FaultUnauthorized
		if a.BotMissing {
			fault = FaultNoBot
		}
		_, err := k.cfg.Store.PutFault(ctx, a, fault, min(time.Minute, k.cfg.Mend))
		return bot{}, false, err
	}
	row, err := k.cfg.Store.Bot(ctx, a.MerchantID, a.BotID)
	if err != nil {
		return bot{}, false, err
	}
	token, err := telegram.OpenToken(k.cfg.Sealer, row)
	if err != nil {
		return bot{}, false, err
	}
	return bot{base: row.BaseURL, token: token}, true, nil
}

func linkName(id uuid.UUID) string { return "notifier/access/" + id.String() }

// OpenLink opens a sealed invite link, or returns "" when there is none.
func OpenLink(s *seal.Sealer, a store.Access) (string, error) {
	if a.Link == nil {
		return "", nil
	}
	plain, err := s.Open(a.Link, linkName(a.ID))
	if err != nil {
		return "", fmt.Errorf("link of access %s: %w", a.ID, err)
	}
	return string(plain), nil
}
