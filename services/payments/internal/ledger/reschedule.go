package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Reschedule computes anew when sales are looked at, for what the schedule depends on besides the sales has changed: the clock, a policy, the
// webhooks' habit. Nothing happens to the sales and their histories stay as they are; those that are not scheduled stay so. Doing it twice is
// harmless.
func (l *Ledger) Reschedule(ctx context.Context, keys []store.Key) error {
	return l.reschedule(ctx, keys, false)
}

// ScheduleAnew is Reschedule also for sales that are not scheduled any more: by a policy that was changed they may be again.
func (l *Ledger) ScheduleAnew(ctx context.Context, keys []store.Key) error {
	return l.reschedule(ctx, keys, true)
}

func (l *Ledger) reschedule(ctx context.Context, keys []store.Key, anew bool) error {
	if len(keys) == 0 {
		return nil
	}
	entries := make([]Entry, len(keys))
	for i, k := range keys {
		entries[i].Key = k
	}
	var b *book
	err := pg.InTx(ctx, l.pool, func(tx pgx.Tx) error {
		var err error
		if b, err = l.open(ctx, tx, entries); err != nil {
			return err
		}
		for _, p := range b.pages {
			p.asked = anew || p.scheduled
		}
		if err := b.hold(ctx, tx, nil); err != nil {
			return err
		}
		return l.close(ctx, tx, b, nil)
	})
	if err != nil {
		return fmt.Errorf("reschedule %d sales: %w", len(keys), err)
	}
	b.log(ctx)
	l.wake(b.work)
	return nil
}

// Expired reports whether our clock would end the sale now, so that nobody writes down that it would not.
func (l *Ledger) Expired(s store.Sale, now time.Time) bool {
	policy, _ := l.policy(s.MerchantID, s.AccountID, s.Provider)
	d := payment.Decide(s.Payment, payment.Event{Kind: payment.ExpiryReached, At: now, Source: payment.SourceClock}, policy)
	return d.Moved(s.Payment)
}
