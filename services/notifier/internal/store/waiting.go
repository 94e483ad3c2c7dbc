package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// idleLanes are the bots that have something waiting and cannot send it: those that Telegram refuses and those that are not known. Each is looked up by
// its key before anything is joined: a join took each of them with all the bots of its merchant.
const idleLanes = `
idle AS MATERIALIZED (
    SELECT l.merchant_id, l.bot_id, b.fallback_bot_id, CASE WHEN b.bot_id IS NULL THEN 'no_bot' ELSE 'bot_unauthorized' END AS reason
    FROM lanes l LEFT JOIN LATERAL (
        SELECT bot_id, fallback_bot_id, refused_at FROM bots WHERE merchant_id = l.merchant_id AND bot_id = l.bot_id OFFSET 0) b ON true
    WHERE b.bot_id IS NULL OR b.refused_at IS NOT NULL
)`

// A bot that is not refused takes over from one that is; each message once.
const takeOverSQL = `
WITH RECURSIVE` + lanes + `,` + idleLanes + `, moved AS (
    UPDATE telegram_queue q SET bot_id = w.fallback_bot_id, taken_over = true, due_at = now(), reason = w.reason
    FROM (
        SELECT x.merchant_id, x.notification_id, i.fallback_bot_id, i.reason
        FROM idle i
        CROSS JOIN LATERAL (
            SELECT FROM bots WHERE merchant_id = i.merchant_id AND bot_id = i.fallback_bot_id AND refused_at IS NULL OFFSET 0) f
        JOIN telegram_queue x ON x.merchant_id = i.merchant_id AND x.bot_id = i.bot_id AND x.state = 0 AND NOT x.taken_over
        LIMIT $1 FOR UPDATE OF x SKIP LOCKED
    ) w
    WHERE q.merchant_id = w.merchant_id AND q.notification_id = w.notification_id
    RETURNING q.merchant_id, q.notification_id, q.bot_id, q.reason
)
UPDATE notifications n SET carrier_bot_id = m.bot_id, carrier_because = m.reason
FROM moved m WHERE n.merchant_id = m.merchant_id AND n.id = m.notification_id`

// Only a message that really waits is told of, once; $2 seconds of patience are for a bot whose token is just being put.
const tellWaitingSQL = `
WITH RECURSIVE` + lanes + `,` + idleLanes + `
INSERT INTO outcomes (merchant_id, notification_id, payment_id, kind, channel, state, reason, message_id, traceparent)
SELECT n.merchant_id, n.id, n.payment_id, n.kind, n.channel, 1, i.reason, 0, n.traceparent
FROM idle i
JOIN telegram_queue q ON q.merchant_id = i.merchant_id AND q.bot_id = i.bot_id AND q.state = 0
JOIN notifications n ON n.merchant_id = q.merchant_id AND n.id = q.notification_id
WHERE (i.reason <> 'no_bot' OR q.created_at < now() - make_interval(secs => $2))
  AND NOT EXISTS (SELECT FROM outcomes o WHERE o.merchant_id = q.merchant_id AND o.notification_id = q.notification_id AND o.state = 1)
LIMIT $1
ON CONFLICT DO NOTHING`

// Waiting looks after messages whose bot is refused or not known: its fallback takes them over, or an outcome says that they wait
// for their merchant, at most limit each. It returns how many were taken over and told of. Bots that never had a token are
// given patience first.
func (s *Store) Waiting(ctx context.Context, limit int, patience time.Duration) (moved, told int, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := pg.ByKey.Set(ctx, tx); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, takeOverSQL, limit)
		if err != nil {
			return err
		}
		moved = int(tag.RowsAffected())
		if tag, err = tx.Exec(ctx, tellWaitingSQL, limit, patience.Seconds()); err != nil {
			return err
		}
		if told = int(tag.RowsAffected()); told == 0 {
			return nil
		}
		return s.outcomes.Notify(ctx, tx, "")
	})
	if err != nil {
		return 0, 0, fmt.Errorf("look after waiting messages: %w", err)
	}
	return moved, told, nil
}
