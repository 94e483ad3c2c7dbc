// Package ledger is the one way in which anything happens to a sale: in one transaction the sales are locked, each event is
// decided by the state table, and row, history, statistics, effects and schedule are written together or not at all.
//
// It refuses to call anybody: no network is touched inside its transaction. It decides nothing itself: package payment does.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Config is what a ledger needs.
type Config struct {
	Pool *pgxpool.Pool
	// Policy is how a merchant's sale at an account of a provider is decided, and how often the provider is asked about it. It is
	// called while sales are locked and must not wait for anybody. Nil means the standard policies.
	Policy PolicyFunc
	// Habit is what is known of the webhooks of an account of a provider: whether they are silent against their habit, and whether they are doubted. Nil means
	// neither.
	Habit func(account payment.AccountID, provider string) (silent, doubted bool)
	// Wake is told, after the commit, which kinds of work have something to do now. Nil tells nobody; the work then waits for
	// its own clock.
	Wake func(Work)
	// Hand carries out effects in this process as soon as they are committed. Nil: they wait for whoever claims them.
	Hand Hand
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// PolicyFunc finds the policies of a sale by its merchant, account and provider.
type PolicyFunc func(payment.MerchantID, payment.AccountID, string) (payment.Policy, payment.PollPolicy)

// Hand carries out effects that this process orders, see store.Effect.Lease.
type Hand interface {
	// Until is until when an effect of a kind that is ordered now will be this process's own; false: it is for whoever claims it.
	// It is called while sales are locked and must not wait for anybody.
	Until(kind string, now time.Time) (time.Time, bool)
	// Take is given, after the commit, the effects for which Until said yes, in the order in which they were ordered. What is never
	// done is claimed by somebody when the lease is over.
	Take([]store.Effect)
}

// Work is a set of kinds of work that have something to do.
type Work struct{ Looks, Deliver, Owner, Token, Webhooks bool }

// Ledger applies events. It is safe for concurrent use; any number may run on one database.
type Ledger struct {
	pool   *pgxpool.Pool
	policy PolicyFunc
	habit  func(payment.AccountID, string) (silent, doubted bool)
	wake   func(Work)
	hand   Hand
	now    func() time.Time
	group  group
	jumps  jumps
}

// ErrUnknownSale means that an entry names a sale that does not exist. Nothing of the call was done.
var ErrUnknownSale = errors.New("the sale does not exist")

// New returns a ledger, or an error that names what is missing.
func New(c Config) (*Ledger, error) {
	if c.Pool == nil {
		return nil, errors.New("ledger: Pool is nil")
	}
	l := &Ledger{pool: c.Pool, policy: c.Policy, habit: c.Habit, wake: c.Wake, hand: c.Hand, now: c.Now}
	if l.policy == nil {
		l.policy = func(_ payment.MerchantID, _ payment.AccountID, provider string) (payment.Policy, payment.PollPolicy) {
			return payment.StandardPolicy(), payment.DefaultPolicy(provider)
		}
	}
	if l.habit == nil {
		l.habit = func(payment.AccountID, string) (silent, doubted bool) { return false, false }
	}
	if l.wake == nil {
		l.wake = func(Work) {}
	}
	if l.now == nil {
		l.now = time.Now
	}
	return l, nil
}

// MinInterval is the shortest distance between two looks at one sale of a merchant's account at a provider.
func (l *Ledger) MinInterval(m payment.MerchantID, a payment.AccountID, provider string) time.Duration {
	_, policy := l.policy(m, a, provider)
	return policy.MinInterval
}

// Entry is one event of one sale, with what it carries beside the domain's part.
type Entry struct {
	store.Key
	Event payment.Event
	// Details go into the history. The caller has redacted them.
	Details map[string]string
	// Look is set when the event ends a look at the provider.
	Look *Look
	// Charge is set when identifiers or the code became known; empty fields change nothing.
	Charge *store.Charge
	// QRExpiresAt is set when the code's end became known.
	QRExpiresAt *time.Time
	// TraceID is where it happened. Empty: not traced.
	TraceID string
	// Hint is set when something says "look now".
	Hint bool
	// Resend is set for ResendOrdered, which orders it, and for what follows from it.
	Resend *ResendOrder
	// BuyerUntil is set when the buyer is believed to wait until then.
	BuyerUntil *time.Time
}

// Look is how a look at the provider ended.
type Look struct {
	// StartedAt is when the provider was asked.
	StartedAt time.Time
	Outcome   payment.Outcome
	// ProviderStatus is the provider's own word, empty when there was none.
	ProviderStatus string
	RetryAfter     time.Duration
}

// Also runs in the ledger's transaction, after everything else but the sums and before the commit; its error undoes all. Its tx is that of
// pg.Later.
type Also func(ctx context.Context, tx pgx.Tx) error

var tracer = otel.Tracer("github.com/baixapay/baixa/services/payments/internal/ledger")

// Apply applies entries in their order and returns the sales as they are afterwards, in one transaction. Giving it the same
// reading twice changes nothing the second time but the history; a step of the way to the buyer that is recorded already is not
// recorded again, nor is what was said before of a charge whose answer was lost. Several sales may be mixed; a sale may occur several
// times. Calls that come together share a transaction, see group.go; the returned sales are those of this call.
//
// A sale whose row cannot be read fails the call with store.ErrUnreadable; nothing of it was done.
func (l *Ledger) Apply(ctx context.Context, entries []Entry, also ...Also) (map[store.Key]store.Sale, error) {
	return l.applyCall(ctx, false, entries, also)
}

// ApplyOrHold is Apply for work that goes through many sales: one whose row cannot be read is set aside, and so is what happened to it, and
// the others go on.
func (l *Ledger) ApplyOrHold(ctx context.Context, entries []Entry, also ...Also) error {
	_, err := l.applyCall(ctx, true, entries, also)
	return err
}

func (l *Ledger) applyCall(ctx context.Context, holds bool, entries []Entry, also []Also) (map[store.Key]store.Sale, error) {
	ctx, span := tracer.Start(ctx, "ledger.Apply")
	defer span.End()
	span.SetAttributes(attribute.Int("baixa.entries", len(entries)))
	c := &call{ctx: ctx, holds: holds, entries: entries, also: also, done: make(chan struct{})}
	if l.apply(c); c.err != nil {
		return nil, fmt.Errorf("apply %d events: %w", len(entries), c.err)
	}
	return c.sales, nil
}

// open locks the sales that the entries name.
func (l *Ledger) open(ctx context.Context, tx pgx.Tx, entries []Entry) (*book, error) {
	b := newBook(l, len(entries))
	var keys []store.Key
	for _, e := range entries {
		if _, known := b.pages[e.Key]; !known {
			b.pages[e.Key] = nil
			keys = append(keys, e.Key)
		}
	}
	if err := pg.ByKey.Set(ctx, tx); err != nil {
		return nil, err
	}
	sales, bad, looks, err := store.LockWithLooks(ctx, tx, keys)
	if err != nil {
		return nil, err
	}
	if len(sales)+len(bad) != len(keys) {
		return nil, ErrUnknownSale
	}
	for _, u := range bad {
		b.unreadable[u.Key] = u
		delete(b.pages, u.Key)
	}
	for _, s := range sales {
		k := store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}
		p := &page{sale: s}
		if look, ok := looks[k]; ok {
			p.look, p.scheduled = look, true
		}
		b.pages[k] = p
	}
	return b, nil
}

// close writes everything that the book says.
func (l *Ledger) close(ctx context.Context, tx pgx.Tx, b *book, also []Also) error {
	b.schedule()
	b.lend()
	charged, others := b.sales()
	if err := store.Save(ctx, pg.Later(tx), charged, true); err != nil {
		return err
	}
	if err := store.Save(ctx, pg.Later(tx), others, false); err != nil {
		return err
	}
	return l.write(ctx, tx, b, also)
}

// write writes what goes with the sales' rows. All of it is sent with the commit: sales are locked while the server works, not while
// it waits for the next statement.
func (l *Ledger) write(ctx context.Context, tx pgx.Tx, b *book, also []Also) error {
	tx = pg.Later(tx)
	if err := store.Append(ctx, tx, b.events); err != nil {
		return err
	}
	if err := store.InsertEffects(ctx, tx, b.effects); err != nil {
		return err
	}
	if err := store.SetLooks(ctx, tx, b.set, b.drop, b.release); err != nil {
		return err
	}
	if err := store.NotifyCheckouts(ctx, tx, b.shown()); err != nil {
		return err
	}
	found, err := store.Unpark(ctx, tx, b.findable, b.now)
	if err != nil {
		return err
	}
	b.work.Webhooks = b.work.Webhooks || found
	for _, more := range also {
		if err := more(ctx, tx); err != nil {
			return err
		}
	}
	// Last, for everybody adds to the few sums of a day: whoever holds them holds up all others until the commit.
	return store.AddStatistics(ctx, tx, b.lines())
}
