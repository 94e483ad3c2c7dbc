package notifier

import (
	"context"
	"log/slog"
	"time"

	"github.com/baixapay/baixa/internal/run"
)

const (
	interruptedEvery = 2 * time.Second
	waitingEvery     = 2 * time.Second
	patience         = 10 * time.Second // with a bot whose token is just being put
	sweepEvery       = time.Second
	sweepBatch       = 2000
	stopMargin       = 15 * time.Second
	httpStop         = 10 * time.Second
)

// settleInterrupted finds messages of processes that died while sending.
func (s *Service) settleInterrupted(ctx context.Context) error {
	return every(ctx, interruptedEvery, "interrupted messages are not settled", func(ctx context.Context) (bool, error) {
		n, err := s.store.Interrupted(ctx, sweepBatch)
		if n > 0 {
			slog.WarnContext(ctx, "messages were interrupted while being sent", slog.Int("messages", n))
			s.sender.Wake()
		}
		return n == sweepBatch, err
	})
}

// lookAfterWaiting finds messages that wait for their merchant: another bot takes them over, or an outcome says so.
func (s *Service) lookAfterWaiting(ctx context.Context) error {
	return every(ctx, waitingEvery, "waiting messages are not looked after", func(ctx context.Context) (bool, error) {
		moved, told, err := s.store.Waiting(ctx, sweepBatch, patience)
		if moved > 0 {
			s.sender.Wake()
		}
		return moved == sweepBatch || told == sweepBatch, err
	})
}

// sweep removes what is of no use any more.
func (s *Service) sweep(ctx context.Context) error {
	return every(ctx, sweepEvery, "sweep is behind", func(ctx context.Context) (bool, error) {
		n, err := s.store.Sweep(ctx, sweepBatch)
		return n == sweepBatch, err
	})
}

// every calls do at once and then after each pause, without one while do says that there is more. Errors are logged, the same
// one once, and never end it.
func every(ctx context.Context, pause time.Duration, complaint string, do func(context.Context) (more bool, err error)) error {
	last := ""
	for ctx.Err() == nil {
		more, err := do(ctx)
		switch {
		case err == nil:
			last = ""
		case ctx.Err() == nil && err.Error() != last:
			last = err.Error()
			slog.ErrorContext(ctx, complaint, slog.Any("error", err))
		}
		if more && err == nil {
			continue
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
		case <-wait.C:
		}
	}
	return nil
}

// serveHTTP serves the streams alone. They are hijacked connections, which end with the hub.
func (s *Service) serveHTTP(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.hub.Close)()
	return run.HTTP(ctx, s.deps.HTTP, s.Handler(), httpStop)
}
