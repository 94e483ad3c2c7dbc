package work

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// What webhooks and clicks leave behind: webhooks' bytes and what came with clicks go after a time, and webhooks that wait for a sale in
// vain come to an end.

const (
	keepEvery = time.Minute
	keepBatch = 500
)

// keepHouse purges and ends until ctx is done.
func (w *Worker) keepHouse(ctx context.Context) error {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := w.tidy(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "webhooks and clicks not tidied; tried again soon", slog.Any("error", err))
		}
	}
}

// tidy does all that is due now, in batches.
func (w *Worker) tidy(ctx context.Context) error {
	for w.ParkFor > 0 && ctx.Err() == nil {
		now := w.Now()
		n, err := w.Store.EndParked(ctx, now.Add(-w.ParkFor), now, keepBatch)
		if err != nil {
			return err
		}
		if n < keepBatch {
			break
		}
	}
	for w.KeepWebhooks > 0 && ctx.Err() == nil {
		now := w.Now()
		last, n, err := w.Store.PurgeWebhooks(ctx, w.purged, now.Add(-w.KeepWebhooks), now, keepBatch)
		if err != nil {
			return err
		}
		if n < keepBatch { // those that were to be read at this moment come the next time
			w.purged = uuid.UUID{}
			break
		}
		w.purged = last
	}
	for w.KeepClicks > 0 && ctx.Err() == nil {
		last, seen, _, err := w.Store.PurgeClicks(ctx, w.clicksPurged, w.Now().Add(-w.KeepClicks), keepBatch)
		if err != nil {
			return err
		}
		w.clicksPurged = last // what is behind it was sold and stays
		if seen < keepBatch {
			break
		}
	}
	return nil
}
