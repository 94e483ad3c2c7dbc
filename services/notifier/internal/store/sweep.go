package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/baixapay/baixa/internal/pg"
)

const interruptedSQL = `
WITH lost AS (
    UPDATE telegram_queue q
    SET state = 2, content = NULL, lease_until = NULL, due_at = now()
    FROM (
        SELECT merchant_id, notification_id FROM telegram_queue
        WHERE state = 1 AND lease_until < now()
        LIMIT $1 FOR UPDATE SKIP LOCKED
    ) l
    WHERE q.merchant_id = l.merchant_id AND q.notification_id = l.notification_id
    RETURNING q.merchant_id, q.notification_id, q.payment_id, q.attempt
), told AS (
    UPDATE notifications n
    SET state = 4, reason = 'interrupted', attempts = l.attempt
    FROM lost l
    WHERE n.merchant_id = l.merchant_id AND n.payment_id = l.payment_id AND n.id = l.notification_id AND n.state = 1
    RETURNING n.merchant_id, n.id, n.payment_id, n.kind, n.channel, n.state, n.reason, n.message_id, n.traceparent,
              n.carrier_bot_id, n.carrier_because
), logged AS (
    INSERT INTO outcomes (merchant_id, notification_id, payment_id, kind, channel, state, reason, message_id, traceparent, carrier_bot_id, carrier_because)
    SELECT merchant_id, id, payment_id, kind, channel, state, reason, message_id, traceparent, carrier_bot_id, carrier_because FROM told
)
SELECT count(*) FROM lost`

// Interrupted turns messages whose lease has ended without a result (the process died between the claim and the answer) into
// maybe-sent ones, at most limit, and returns how many.
func (s *Store) Interrupted(ctx context.Context, limit int) (n int, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := pg.ByKey.Set(ctx, tx); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, interruptedSQL, limit).Scan(&n); err != nil || n == 0 {
			return err
		}
		return s.outcomes.Notify(ctx, tx, "")
	})
	if err != nil {
		return 0, fmt.Errorf("settle interrupted messages: %w", err)
	}
	return n, nil
}

const sweepQueueSQL = `
DELETE FROM telegram_queue q
USING (SELECT ctid FROM telegram_queue
       WHERE state = 2 AND due_at < now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) d
WHERE q.ctid = d.ctid`

const sweepTicketsSQL = `
DELETE FROM stream_tickets t
USING (SELECT merchant_id, hash FROM stream_tickets
       WHERE expires_at < now() ORDER BY expires_at LIMIT $1) d
WHERE t.merchant_id = d.merchant_id AND t.hash = d.hash`

// Sweep removes up to limit marks of messages whose chats need no quiet any more, and as many expired tickets. It returns the
// larger number, so that limit means that there may be more.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	var marks pgconn.CommandTag
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
		if err = pg.ByKey.Set(ctx, tx); err == nil {
			marks, err = tx.Exec(ctx, sweepQueueSQL, limit)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sweep telegram queue: %w", err)
	}
	tickets, err := s.pool.Exec(ctx, sweepTicketsSQL, limit)
	if err != nil {
		return 0, fmt.Errorf("sweep stream tickets: %w", err)
	}
	return int(max(marks.RowsAffected(), tickets.RowsAffected())), nil
}
