package store

import (
	"context"
	"fmt"
	"time"
)

const pullPurchases = `
UPDATE purchases SET due_at = now()
WHERE due_at > now() + make_interval(secs => $1::float8) AND (attempts = 0 OR due_at > now() + make_interval(secs => $2::float8))`

// PullPurchases makes due what a clock that went back has put out of reach: Purchases that wait for longer than fresh and were never
// asked for, and any that wait for longer than longest. fresh is the shorter one.
func (s *Store) PullPurchases(ctx context.Context, fresh, longest time.Duration) error {
	if _, err := s.pool.Exec(ctx, pullPurchases, fresh.Seconds(), longest.Seconds()); err != nil {
		return fmt.Errorf("pull purchases back: %w", err)
	}
	return nil
}
