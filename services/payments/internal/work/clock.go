package work

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The clock: when it goes back, what was written before lies in its future and would wait until it has caught up.

const (
	clockEvery = time.Second
	clockSlack = 2 * time.Second // replicas' clocks differ by that much
	// No lease, and no wait of an effect or of a webhook that is to be read, is longer.
	longestWait = 10 * time.Minute
	clockBatch  = 500
)

// clock remembers the latest moment that this replica has seen.
type clock struct {
	mu     sync.Mutex
	latest time.Time
}

// back reports whether the clock went back since it was asked last, or was never asked: nobody knows what it did while we were not there.
func (c *clock) back(now time.Time) bool {
	now = now.Round(0) // the wall's time, not the monotonic one, which never goes back
	c.mu.Lock()
	defer c.mu.Unlock()
	back := c.latest.IsZero() || now.Before(c.latest.Add(-clockSlack))
	if back || now.After(c.latest) {
		c.latest = now
	}
	return back
}

// forget makes the next question be answered with yes.
func (c *clock) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latest = time.Time{}
}

// watchClock asks every second until ctx is done.
func (w *Worker) watchClock(ctx context.Context) error {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		if err := w.followClock(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "what lies ahead of the clock is not found; it is tried again", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// followClock brings back what lies ahead of a clock that went back: the sales get the next look that the schedule has for them now.
func (w *Worker) followClock(ctx context.Context) (err error) {
	now := w.Now()
	if !w.clock.back(now) {
		return nil
	}
	defer func() {
		if err != nil {
			w.clock.forget()
		}
	}()
	w.held.forget()
	if err := w.Store.PullBack(ctx, now.Add(longestWait)); err != nil {
		return err
	}
	for beyond := (store.Key{}); ; {
		keys, err := w.Store.AheadLooks(ctx, now.Add(clockSlack), clockBatch, beyond)
		if err != nil || len(keys) == 0 {
			return err
		}
		slog.WarnContext(ctx, "the clock went back: sales are scheduled anew", slog.Int("sales", len(keys)))
		if err := w.Ledger.Reschedule(ctx, keys); err != nil {
			return err
		}
		beyond = keys[len(keys)-1]
	}
}
