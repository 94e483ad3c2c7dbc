package purchase

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// unopenedBatch is how many links are looked at in one statement.
const unopenedBatch = 200

// UnopenedQueue is what Unopened needs of the store.
type UnopenedQueue interface {
	QueueUnopened(ctx context.Context, limit int) (looked, queued int, err error)
}

// Unopened queues the Purchases of links that nobody has opened for as long as the merchant's policy says. Any number of
// replicas may run it: a link is looked at once.
type Unopened struct {
	Queue  UnopenedQueue
	Queued func()        // called after a Purchase was queued; may be nil
	Poll   time.Duration // between two looks; 0 means 5 s
	Log    *slog.Logger  // nil means slog.Default()
}

// Run works until ctx is done and returns its error. A look that fails is made again.
func (u Unopened) Run(ctx context.Context) error {
	if u.Queue == nil {
		return errors.New("unopened purchases: a queue is needed")
	}
	if u.Poll <= 0 {
		u.Poll = 5 * time.Second
	}
	if u.Log == nil {
		u.Log = slog.Default()
	}
	tick := time.NewTicker(u.Poll)
	defer tick.Stop()
	for {
		u.look(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (u Unopened) look(ctx context.Context) {
	for ctx.Err() == nil {
		looked, queued, err := u.Queue.QueueUnopened(ctx, unopenedBatch)
		if err != nil {
			if ctx.Err() == nil {
				u.Log.WarnContext(ctx, "unopened links not looked at", slog.Any("error", err))
			}
			return
		}
		if queued > 0 && u.Queued != nil {
			u.Queued()
		}
		if looked < unopenedBatch {
			return
		}
	}
}
