package queue

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// ErrLeaseLost is why the context of work ends whose lease could not be renewed in time: somebody else may have taken it over.
var ErrLeaseLost = errors.New("the lease of this work was lost")

// Hold does work whose lease is shorter than it may take: renew, which sets the lease to its full length again, is called each third of it
// until do returns. So work lasts as long as it must, and what a dead process leaves is taken over after one lease. The context of do
// ends with ErrLeaseLost when renew has not succeeded for a lease; do must not go on then. Nothing runs any more when Hold returns.
func Hold(ctx context.Context, lease time.Duration, renew, do func(context.Context) error) error {
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	over, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(lease / 3)
		defer tick.Stop()
		last := time.Now()
		for {
			select {
			case <-over:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if time.Since(last) >= lease { // this process slept for too long
				lose(ErrLeaseLost)
				return
			}
			call, cancel := context.WithTimeout(ctx, lease/3)
			at := time.Now()
			err := renew(call)
			cancel()
			switch {
			case err == nil:
				last = at
			case ctx.Err() == nil:
				slog.WarnContext(ctx, "lease not renewed", slog.Any("error", err))
			}
		}
	}()
	err := do(ctx)
	close(over)
	lose(nil)
	<-stopped
	return err
}
