package work

import (
	"context"
	"log/slog"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

// every does something again and again while other work goes on. The returned function ends that, and returns when the last time is over. A
// time that fails is only logged: the next may not.
func (w *Worker) every(ctx context.Context, interval time.Duration, do func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := do(ctx); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "lease not renewed", slog.Any("error", err))
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// holding is do, with the leases of the effects renewed until it returns.
func (w *Worker) holding(do func(context.Context, []store.Effect) error) func(context.Context, []store.Effect) error {
	return func(ctx context.Context, effects []store.Effect) error {
		keys := append([]store.Effect(nil), effects...)
		release := w.every(ctx, renewAfter, func(ctx context.Context) error { return w.Store.RenewEffects(ctx, keys, w.Now().Add(lease)) })
		defer release()
		return do(ctx, effects)
	}
}
