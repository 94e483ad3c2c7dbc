package work

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

// What was scheduled by a policy that has changed is scheduled again.

const (
	rescheduleBatch = 500
	rescheduleEvery = time.Second
	oldestOpen      = 366 * 24 * time.Hour // the longest horizon that a policy may have
)

// rescheduleAll does what is ordered until ctx is done.
func (w *Worker) rescheduleAll(ctx context.Context) error {
	ticker := time.NewTicker(rescheduleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := w.reschedule(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "sales not rescheduled; it goes on from where it came to", slog.Any("error", err))
		}
	}
}

// reschedule does what is due, batch by batch, each noted as done before the next.
func (w *Worker) reschedule(ctx context.Context) error {
	now := w.Now()
	r, err := w.Store.ClaimReschedule(ctx, now, now.Add(lease))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := w.Refresh(ctx); err != nil {
		return err
	}
	total := 0
	for ctx.Err() == nil {
		keys, err := w.Store.Rescheduled(ctx, r, w.Now().Add(-oldestOpen), rescheduleBatch)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			if err := w.Ledger.ScheduleAnew(ctx, keys); err != nil {
				return err
			}
			r.At = keys[len(keys)-1]
			total += len(keys)
		}
		switch {
		case len(keys) == rescheduleBatch:
		case r.Phase == "looks" && r.Gone:
			r.Phase, r.At = "gone", store.Key{}
		default:
			slog.InfoContext(ctx, "sales scheduled again", slog.String("reason", r.Reason), slog.Int("sales", total))
			w.noteRun(ctx, NameReschedule, total, nil)
			return w.Store.EndReschedule(ctx, r)
		}
		held := w.Now().Add(lease).UTC().Truncate(time.Microsecond)
		if err := w.Store.AdvanceReschedule(ctx, r, len(keys), held); err != nil {
			return err
		}
		r.Lease = held
	}
	return nil
}
