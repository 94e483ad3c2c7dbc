package ledger

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Reschedule computes anew when sales are looked at, for what the schedule depends on besides the sales has changed: the clock, a policy, the
// webhooks' habit. Nothing happens to the sales and their histories stay as they are; those that are not scheduled stay so. Doing it twice is
// harmless.
func (l *Ledger) Reschedule(ctx context.Context, keys []store.Key) error {
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
			p.asked = p.scheduled
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
