package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The kinds of Unrecorded.
const (
	NoNotice     = "notice"        // nothing was recorded under Key
	NoAccess     = "access"        // no access was granted
	StuckMessage = "message_stuck" // a message waits, and no queue has it
	StuckAccess  = "access_stuck"  // an access has an end, and nothing will end it
)

// Unrecorded is something of a sale that is not there, or that nothing leads on.
type Unrecorded struct {
	PaymentID uuid.UUID
	Kind      string
	Key       string // of a notice or a message
}

const unrecordedSQL = `
SELECT w.payment_id, 'notice', w.key FROM unnest($2::uuid[], $3::text[]) AS w (payment_id, key)
WHERE NOT EXISTS (SELECT FROM notifications n WHERE n.merchant_id = $1 AND n.payment_id = w.payment_id AND n.key = w.key)
UNION ALL
SELECT w.payment_id, 'access', '' FROM unnest($4::uuid[]) AS w (payment_id)
WHERE NOT EXISTS (SELECT FROM accesses a WHERE a.merchant_id = $1 AND a.payment_id = w.payment_id)
UNION ALL
SELECT n.payment_id, 'message_stuck', n.key FROM unnest($5::uuid[]) AS w (payment_id)
JOIN notifications n ON n.merchant_id = $1 AND n.payment_id = w.payment_id AND n.channel = 1 AND n.state = 1
WHERE NOT EXISTS (SELECT FROM telegram_queue q WHERE q.merchant_id = $1 AND q.notification_id = n.id)
UNION ALL
SELECT a.payment_id, 'access_stuck', '' FROM unnest($5::uuid[]) AS w (payment_id)
JOIN accesses a ON a.merchant_id = $1 AND a.payment_id = w.payment_id
WHERE a.due_at IS NULL AND (a.state = 2 AND a.expires_at IS NOT NULL OR a.removal = 2)`

// Unrecorded returns what is missing of a merchant's sales: sales[i] is to have been told under keys[i], and each of granted an access.
// Whatever of the sales in all waits for nobody is returned as well.
func (s *Store) Unrecorded(ctx context.Context, merchant uuid.UUID, sales []uuid.UUID, keys []string, granted, all []uuid.UUID) ([]Unrecorded, error) {
	rows, err := s.pool.Query(ctx, unrecordedSQL, merchant, sales, keys, granted, all)
	if err != nil {
		return nil, fmt.Errorf("find what is unrecorded: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Unrecorded])
	if err != nil {
		return nil, fmt.Errorf("find what is unrecorded: %w", err)
	}
	return out, nil
}
