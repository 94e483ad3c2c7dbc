package work

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Sales whose rows cannot be read are set aside by whoever meets them, and go on when somebody has repaired them.

const (
	releaseEvery = 10 * time.Second
	releaseBatch = 200
)

// salesOf are the sales of effects. Those that cannot be read are set aside with their effects, which are left out.
func (w *Worker) salesOf(ctx context.Context, effects []store.Effect) (map[store.Key]*store.Sale, []store.Effect, error) {
	sales, unread := w.known(effects)
	read, bad, err := w.Store.Sales(ctx, keysOf(unread))
	if err := firstOf(err, w.Ledger.Hold(ctx, bad)); err != nil {
		return nil, nil, err
	}
	for k, s := range read {
		sales[k] = &s
	}
	if len(bad) == 0 {
		return sales, effects, nil
	}
	aside := make(map[store.Key]bool, len(bad))
	for _, u := range bad {
		aside[u.Key] = true
	}
	return sales, slices.DeleteFunc(slices.Clone(effects), func(e store.Effect) bool { return aside[e.Key] }), nil
}

// releaseAll lets go what was repaired, until ctx is done.
func (w *Worker) releaseAll(ctx context.Context) error {
	ticker := time.NewTicker(releaseEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := w.release(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "sales set aside not looked through; tried again soon", slog.Any("error", err))
		}
	}
}

// release goes through all that is set aside. One that cannot be let go does not keep the others.
func (w *Worker) release(ctx context.Context) error {
	var after store.Key
	for {
		held, err := w.Store.HeldSales(ctx, nil, after, releaseBatch)
		if err != nil || len(held) == 0 {
			return err
		}
		for _, h := range held {
			if _, err := w.Ledger.Release(ctx, h.Key); err != nil {
				slog.ErrorContext(ctx, "sale not let go", slog.String("payment_id", h.PaymentID.String()), slog.Any("error", err))
			}
		}
		after = held[len(held)-1].Key
	}
}
