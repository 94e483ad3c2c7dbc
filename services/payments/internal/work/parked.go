package work

import (
	"context"
	"log/slog"
	"time"
)

// A webhook and its sale can miss each other when one is read while the other is being made. Whoever waits is compared with the sales again
// when it is some seconds old, and at growing distances after that.

const (
	sweepEvery = time.Second
	sweepShare = 5 // an age is swept when this part of it has passed
)

// sweepParked compares until ctx is done.
func (w *Worker) sweepParked(ctx context.Context) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	swept := make([]time.Time, len(parked))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		for i, age := range parked {
			if time.Since(swept[i]) < age/sweepShare {
				continue
			}
			swept[i] = time.Now()
			if err := w.sweep(ctx, age); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "parked webhooks not compared with the sales; tried again soon", slog.Any("error", err))
			}
		}
	}
}

// sweep goes through all that has come to an age.
func (w *Worker) sweep(ctx context.Context, age time.Duration) error {
	for more := true; more && ctx.Err() == nil; {
		var woken int
		var err error
		if woken, more, err = w.Store.SweepParked(ctx, age, w.Now()); err != nil {
			return err
		}
		if woken > 0 {
			w.Wakers.Hooks.Note()
		}
	}
	return nil
}
