package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// What was written before the clock went back.

const aheadLooks = `
SELECT l.merchant_id, l.payment_id FROM looks l JOIN payments p ON p.merchant_id = l.merchant_id AND p.id = l.payment_id
WHERE (l.merchant_id, l.payment_id) > ($3, $4) AND (p.last_poll_at > $1 OR p.last_poll_at IS NULL AND l.created_at > $1)
ORDER BY l.merchant_id, l.payment_id LIMIT $2`

// AheadLooks finds up to limit scheduled sales whose last look (or birth, when they were never looked at) lies after an instant, in the order
// of their keys and beyond the key given. It reads the whole schedule: for the rare time when a clock went back.
func (s *Store) AheadLooks(ctx context.Context, after time.Time, limit int, beyond Key) ([]Key, error) {
	rows, err := s.pool.Query(ctx, aheadLooks, after, limit, beyond.MerchantID, beyond.PaymentID)
	if err != nil {
		return nil, fmt.Errorf("find looks ahead of the clock: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Key])
	if err != nil {
		return nil, fmt.Errorf("find looks ahead of the clock: %w", err)
	}
	return keys, nil
}

const pullLeases = `UPDATE looks SET leased_until = $1 WHERE leased_until > $1`

const pullEffects = `
UPDATE effects SET due_at = LEAST(due_at, $1), leased_until = LEAST(leased_until, $1) WHERE due_at > $1 OR leased_until > $1`

const pullWebhooks = `
UPDATE webhooks SET due_at = LEAST(due_at, $1), leased_until = LEAST(leased_until, $1)
WHERE due_at IS NOT NULL AND state = 'new' AND (due_at > $1 OR leased_until > $1)`

const pullAlerts = `UPDATE alert_lanes SET due_at = $1 WHERE due_at > $1`

const pullReschedules = `UPDATE reschedules SET due_at = $1 WHERE due_at > $1` // the lease is judged where it is claimed

// PullBack makes free and due at latest what no clock that is right leases or delays for longer.
func (s *Store) PullBack(ctx context.Context, latest time.Time) error {
	for _, statement := range []string{pullLeases, pullEffects, pullWebhooks, pullAlerts, pullReschedules} {
		if _, err := s.pool.Exec(ctx, statement, latest); err != nil {
			return fmt.Errorf("pull back what is ahead of the clock: %w", err)
		}
	}
	return nil
}
