package work

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The backfills: the sales that a time of trouble touched are made due a few at a time, so that what is going on hardly waits for them. When
// they are looked at, and how often, stays the schedule's: never faster than the provider's rule, never over the budget.

const (
	backfillEvery = time.Second
	backfillWidth = 8 // sales of one account under way
)

// runBackfills works until ctx is done. A backfill belongs to no process: whoever claims it goes on where it stands.
func (w *Worker) runBackfills(ctx context.Context) error {
	tick := time.NewTicker(backfillEvery)
	defer tick.Stop()
	for {
		if err := w.stepBackfills(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "backfill does not go on; it is tried again", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (w *Worker) stepBackfills(ctx context.Context) error {
	now := w.Now()
	claimed, err := w.Store.ClaimBackfills(ctx, now, now.Add(lease))
	if err != nil {
		return err
	}
	for _, k := range claimed {
		if err := w.stepBackfill(ctx, k, now); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) stepBackfill(ctx context.Context, k store.BackfillKey, now time.Time) error {
	keys, err := w.Store.NextBackfillSales(ctx, k, now, backfillWidth)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		entries := make([]ledger.Entry, len(keys))
		for i, key := range keys {
			entries[i] = ledger.Entry{Key: key, Hint: true, TraceID: traceID(ctx), Details: map[string]string{"by": "backfill " + k.ID.String()},
				Event: payment.Event{Kind: payment.RecheckRequested, At: now, Source: payment.SourceManual}}
		}
		err := w.Ledger.ApplyOrHold(ctx, entries, func(ctx context.Context, tx pgx.Tx) error { return store.AskBackfillSales(ctx, tx, k, keys, now) })
		if err != nil {
			return err
		}
	}
	return w.Store.EndStep(ctx, k, now)
}
