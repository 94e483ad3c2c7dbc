package queue_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/baixapay/baixa/internal/queue"
)

// work takes a while and says how it ended.
func work(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func TestHold_renewsWhileTheWorkGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		fails func(n int) bool
		want  error
		calls int
	}{
		"short work is not renewed":         {2 * time.Second, nil, nil, 0},
		"long work is":                      {31 * time.Second, nil, nil, 10},
		"a renewal that fails is repeated":  {31 * time.Second, func(n int) bool { return n%2 == 0 }, nil, 10},
		"work that nobody can hold is over": {time.Hour, func(n int) bool { return n > 3 }, queue.ErrLeaseLost, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := queue.Hold(t.Context(), 9*time.Second, func(context.Context) error {
					if calls++; c.fails != nil && c.fails(calls) {
						return errors.New("the database is away")
					}
					return nil
				}, work(c.takes))
				if !errors.Is(err, c.want) || calls != c.calls {
					t.Errorf("%v after %d renewals, want %v after %d", err, calls, c.want, c.calls)
				}
			})
		})
	}
}

func TestHold_endsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		err := queue.Hold(ctx, 9*time.Second, func(ctx context.Context) error { return ctx.Err() }, work(time.Hour))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
