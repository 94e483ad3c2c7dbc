// Package work is everything that the payments service does by itself, one kind of work a file: read webhooks, look at
// providers, deliver, tell owners on their screens and by Telegram, close and open links, follow what happens in the leaves.
//
// Each kind claims rows with a lease, calls a leaf outside of any transaction, and lets the ledger record the result together
// with the row's end. A replica that dies is taken over when its leases end; doing a row twice is harmless, since every call
// to a leaf has an idempotency key.
package work

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/fair"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Config is what the workers need. All fields but Habits, KeepWebhooks, ParkFor, Pressed, Refresh and Now are required.
type Config struct {
	Store    *store.Store
	Ledger   *ledger.Ledger
	Wakers   *Wakers
	Gateways gatewaysv1.GatewaysServiceClient
	Delivery deliveryv1.DeliveryServiceClient
	Notifier notifierv1.NotifierServiceClient
	// Access is the notifier's other face. Nil: sales of groups are not delivered.
	Access notifierv1.AccessServiceClient
	// OpenBody gives the bytes of a stored webhook.
	OpenBody func(store.Webhook) ([]byte, error)
	// Provider is the canonical name of a provider's name or alias.
	Provider func(string) (string, bool)
	// Title is how the provider of a name writes itself, for people. Nil: by its name.
	Title func(string) string
	// Habits is what the ledger is told of webhooks' habits; nil: it is told nothing.
	Habits *Habits
	// KeepWebhooks is how long webhooks' bytes are kept, ParkFor how long one waits for its sale; zero is for ever.
	KeepWebhooks, ParkFor time.Duration
	// KeepClicks is how long clicks are kept that no sale was made with; zero is for ever.
	KeepClicks time.Duration
	// Pressed reports that storing webhooks is what waits: reading them steps back for a while. Nil: it never does.
	Pressed func() bool
	// Refresh reads policies that were changed. Nil: there are none to read.
	Refresh func(context.Context) error
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Wakers wake the loops in this process when the ledger has something for them.
type Wakers struct {
	Looks, Deliver, Owner, Token, Webhooks *queue.Waker
	// Hooks take webhooks over from who stores them.
	Hooks *Hooks

	kept map[string]*kept // by the kind of effect
}

// NewWakers returns wakers that nobody has woken.
func NewWakers() *Wakers {
	w := &Wakers{Looks: queue.NewWaker(), Deliver: queue.NewWaker(), Owner: queue.NewWaker(), Token: queue.NewWaker(), Webhooks: queue.NewWaker()}
	w.Hooks = &Hooks{wake: w.Webhooks}
	w.kept = map[string]*kept{ledger.KindDeliver: {wake: w.Deliver}, ledger.KindOwner: {wake: w.Owner}}
	return w
}

// Wake is what ledger.Config.Wake takes.
func (w *Wakers) Wake(what ledger.Work) {
	if what.Deliver {
		w.kept[ledger.KindDeliver].note()
	}
	if what.Owner {
		w.kept[ledger.KindOwner].note()
	}
	if what.Webhooks {
		w.Hooks.Note()
	}
	for waker, asked := range map[*queue.Waker]bool{w.Looks: what.Looks, w.Token: what.Token} {
		if asked {
			waker.Wake()
		}
	}
}

// The names of the loops, as diagnosis shows them.
const (
	NameLooks    = "poll"
	NameWebhooks = "webhooks"
	NameDeliver  = "deliver"
	NameOwner    = "owner"
	NameToken    = "token"
	NameFollow   = "follow"
	NameExpire   = "expire"

	NameReschedule = "reschedule"
	NameAlerts     = "alerts"
	NameDigests    = "digests"
	NameWatch      = "watch"
)

const (
	callTimeout = 20 * time.Second // of one batch at a leaf
	readTimeout = 8 * time.Second  // of one batch of webhooks, which nobody has to wait for: shorter than the lease
	workTimeout = 40 * time.Second // of one batch in all
	lease       = 10 * time.Second // until others take over what nobody holds any more; renewed while the work goes on
	renewAfter  = 3 * time.Second
	leaseSlack  = 5 * time.Second // more than a look's lease may have run when the provider is asked
	idle        = time.Second
	hold        = 100 * time.Millisecond // for which what comes may wait for a batch in flight, to be claimed with what else comes
	holdLooks   = 25 * time.Millisecond  // the same for looks, whose batches take as long as providers do
	holdAt      = 16                     // rows in flight from which on anything waits: before that nothing is busy
	newsSpace   = 25 * time.Millisecond  // between two claims of what nobody waits for by the millisecond: owners' news
	retryLimit  = 5 * time.Second        // between claims while a leaf is away: what waits goes on soon after it is back
)

var tracer = otel.Tracer("github.com/baixapay/baixa/services/payments/internal/work")

// Worker runs all kinds of work.
type Worker struct {
	Config
	held  held
	runs  runs
	fair  fair.Table
	clock clock
	slow  sync.WaitGroup
	names botNames
	// unwritten are deliveries that wait for the outcome of their messages.
	unwritten *unwritten
	alarm     *queue.Waker // wakes the alerts
	// nextLook is up to when the claims of looks know that nothing becomes due of which they are not woken; claimLooks' alone.
	nextLook time.Time
	// watched is when accounts were watched last in this process.
	watched atomic.Pointer[time.Time]
	alive   context.Context // of calls that outlast the batch that began them
	kill    context.CancelFunc
	// purged is up to which webhook bytes were removed; keepHouse's alone.
	purged uuid.UUID
	// clicksPurged is up to which clicks were looked at; keepHouse's alone.
	clicksPurged store.ClickMark
}

// New checks the configuration.
func New(c Config) (*Worker, error) {
	if c.Store == nil || c.Ledger == nil || c.Wakers == nil || c.Gateways == nil || c.Delivery == nil || c.Notifier == nil || c.OpenBody == nil || c.Provider == nil {
		return nil, errors.New("work: Store, Ledger, Wakers, Gateways, Delivery, Notifier, OpenBody and Provider are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Title == nil {
		c.Title = func(name string) string { return name }
	}
	if c.Habits == nil {
		c.Habits = NewHabits()
	}
	if c.Pressed == nil {
		c.Pressed = func() bool { return false }
	}
	if c.Refresh == nil {
		c.Refresh = func(context.Context) error { return nil }
	}
	w := &Worker{Config: c, alarm: queue.NewWaker(), unwritten: newUnwritten()}
	w.held.wake = c.Wakers.Looks.Wake
	w.alive, w.kill = context.WithCancel(context.Background())
	return w, nil
}

// Run works until ctx is done; claimed batches are finished first.
func (w *Worker) Run(ctx context.Context) error {
	var g run.Group
	g.Add(NameWebhooks, loop(w, NameWebhooks, w.Wakers.Webhooks, 4, hookBatch, pace{hold: hold, yield: w.yieldToStoring}, w.claimHooks, w.readAndLook))
	g.Add(NameLooks, loop(w, NameLooks, w.Wakers.Looks, 8, 200, pace{hold: holdLooks}, w.claimLooks, w.look))
	g.Add(NameDeliver, loop(w, NameDeliver, w.Wakers.Deliver, 4, deliverBatch, pace{hold: hold}, w.Wakers.kept[ledger.KindDeliver].claim(w.Now, w.claimDeliveries), w.holding(w.deliver)))
	g.Add(NameOwner, loop(w, NameOwner, w.Wakers.Owner, 2, 400, pace{hold: hold, space: newsSpace}, w.Wakers.kept[ledger.KindOwner].claim(w.Now, w.claimNews), w.holding(w.tell)))
	g.Add(NameToken, loop(w, NameToken, w.Wakers.Token, 2, 50, pace{hold: hold}, w.claimTokens, w.holding(w.changeTokens)))
	g.Add("clock", w.watchClock)
	g.Add("habits", w.watchHabits)
	g.Add(NameExpire, w.expireAll)
	g.Add(NameReschedule, w.rescheduleAll)
	g.Add(NameAlerts, loop(w, NameAlerts, w.alarm, 2, 20, pace{}, w.claimAlerts, w.alertOwners))
	g.Add(NameDigests, loop(w, NameDigests, queue.NewWaker(), 1, 20, pace{}, w.claimDigests, w.digests))
	g.Add(NameWatch, loop(w, NameWatch, queue.NewWaker(), 1, 1, pace{}, w.claimWatch, w.watch))
	g.Add("parked", w.sweepParked)
	g.Add("keep", w.keepHouse)
	g.Add("release", w.releaseAll)
	g.Add("backfills", w.runBackfills)
	g.Add(NameFollow+" delivery", w.followDelivery)
	g.Add(NameFollow+" notifier", w.followNotifier)
	g.Add("unwritten", w.writeLate)
	w.unwritten.start()
	giveBack, giveHooksBack := w.keep(), w.holdHooks(ctx)
	err := g.Run(ctx)
	w.write(ctx, w.unwritten.shut())
	ended := make(chan struct{})
	go func() { w.slow.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(queue.DefaultGrace):
		slog.WarnContext(ctx, "slow looks cut off at stop; their leases end by themselves")
	}
	w.kill()
	<-ended
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := errors.Join(giveBack(rest), giveHooksBack(rest)); err != nil {
		slog.WarnContext(ctx, "work not given back at stop; its lease ends by itself", slog.Any("error", err))
	}
	return err
}

// pace is what a loop waits for so that rows are claimed together: see queue.Loop's Hold, Space and Yield.
type pace struct {
	hold, space time.Duration
	yield       func() time.Duration
}

// loop is one claim loop whose runs are noted for diagnosis.
func loop[T any](w *Worker, name string, wake *queue.Waker, workers, batch int, p pace, claim func(context.Context, int) ([]T, error), do func(context.Context, []T) error) run.Part {
	l := queue.Loop[T]{Name: "payments." + name, Batch: batch, Workers: workers, Idle: idle, Wake: wake.C(), Space: p.space,
		Hold: p.hold, HoldAt: holdAt, Yield: p.yield, Timeout: workTimeout, Retry: queue.Backoff{Limit: retryLimit},
		Claim: claim,
		Work: func(ctx context.Context, rows []T) error {
			err := do(ctx, rows)
			w.noteRun(ctx, name, len(rows), err)
			return err
		}}
	return l.Run
}

// runs keeps what diagnosis shows from costing a statement a batch.
type runs struct {
	mu   sync.Mutex
	open map[string]*tally
}

type tally struct {
	worked, failed int
	written        time.Time
}

func (w *Worker) noteRun(ctx context.Context, name string, rows int, err error) {
	w.runs.mu.Lock()
	if w.runs.open == nil {
		w.runs.open = map[string]*tally{}
	}
	t := w.runs.open[name]
	if t == nil {
		t = &tally{}
		w.runs.open[name] = t
	}
	if err != nil {
		t.failed += rows
	} else {
		t.worked += rows
	}
	now := w.Now()
	if now.Sub(t.written) < time.Second {
		w.runs.mu.Unlock()
		return
	}
	worked, failed := t.worked, t.failed
	*t = tally{written: now}
	w.runs.mu.Unlock()
	if err := w.Store.NoteRun(ctx, name, now, worked, failed); err != nil {
		slog.WarnContext(ctx, "run not noted", slog.String("work", name), slog.Any("error", err))
	}
}

// traceID is the trace in which ctx's work happens, empty when it is not traced.
func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() && sc.IsSampled() {
		return sc.TraceID().String()
	}
	return ""
}

// traceOf is the trace id of a W3C traceparent, empty when it is none.
func traceOf(traceparent string) string {
	if link, ok := telemetry.LinkFrom(traceparent); ok {
		return link.SpanContext.TraceID().String()
	}
	return ""
}
