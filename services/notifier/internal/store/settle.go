package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// Result is what became of one claimed message. State Queued means that it is tried again after Wait.
type Result struct {
	MerchantID, ID, PaymentID, BotID uuid.UUID // as claimed

	Attempt     int32 // of the claim; a result of an earlier claim cannot reschedule a later one
	State       State
	Reason      string
	MessageID   int64
	ChatID      int64         // where the chat is now; it differs from the claim's when the group moved
	Wait        time.Duration // until the next attempt, or how long the chat stays quiet after a final result
	Forbidden   bool
	Elsewhere   bool   // another bot may still reach the chat: the bot's fallback takes over what is undeliverable
	Traceparent string // of the sending; empty keeps the notification's
}

// BotNotice is what an answer said about a whole bot: wait that long, or (Refused) the token is not good any more.
type BotNotice struct {
	MerchantID, BotID uuid.UUID

	Version int64 // the token's version that was used
	Refused bool
	Wait    time.Duration
}

const noticeSQL = `
UPDATE bots b
SET refused_at = CASE WHEN g.refused THEN now() ELSE b.refused_at END,
    paused_until = greatest(b.paused_until, now() + make_interval(secs => g.wait))
FROM (
    SELECT merchant_id, bot_id, version, bool_or(refused) AS refused, max(wait) AS wait
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::boolean[], $5::float8[]) AS g (merchant_id, bot_id, version, refused, wait)
    GROUP BY merchant_id, bot_id, version
) g
WHERE b.merchant_id = g.merchant_id AND b.bot_id = g.bot_id AND b.version = g.version`

// What one bot cannot deliver its fallback takes over, once. A final result takes the content (with its link) out of the queue; the row stays as the mark that keeps its chat quiet. The
// chat's next message is put behind that mark. Outcomes follow what really changed in notifications. The queue is empty most of the time, and
// a plan that was made then is kept: so a message's row is looked up by itself, as a scalar, and taken where it was found. Payment and bot are asked for
// beside the keys so that whatever index is taken finds few rows.
const settleSQL = `
WITH given AS MATERIALIZED (
    SELECT g.*, (
        SELECT w.ctid FROM telegram_queue w
        WHERE w.merchant_id = g.merchant_id AND w.bot_id = g.bot_id AND w.notification_id = g.id AND w.state = 1 AND w.attempt = g.attempt LIMIT 1) AS place
    FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::smallint[], $5::text[], $6::bigint[], $7::bigint[], $8::float8[],
                         $9::boolean[], $10::text[], $11::boolean[], $12::uuid[], $13::uuid[])
        AS g (merchant_id, id, attempt, state, reason, message_id, chat_id, wait, forbidden, traceparent, elsewhere, payment_id, bot_id)
), moved AS (
    UPDATE telegram_queue q
    SET state = 0, lease_until = NULL, bot_id = b.fallback_bot_id, taken_over = true, forbidden = false, due_at = now(), reason = g.reason
    FROM given g, bots b, bots f
    WHERE g.elsewhere AND g.state = 3 AND q.ctid = g.place AND q.state = 1 AND q.attempt = g.attempt AND NOT q.taken_over AND b.merchant_id = q.merchant_id AND b.bot_id = q.bot_id
      AND f.merchant_id = b.merchant_id AND f.bot_id = b.fallback_bot_id AND f.refused_at IS NULL
    RETURNING q.merchant_id, q.notification_id AS id, q.payment_id, q.bot_id, q.reason
), carried AS (
    UPDATE notifications n SET carrier_bot_id = m.bot_id, carrier_because = m.reason
    FROM moved m WHERE n.merchant_id = m.merchant_id AND n.id = m.id AND n.payment_id = m.payment_id
), settled AS (
    SELECT * FROM given g
    WHERE NOT EXISTS (SELECT FROM moved m WHERE m.merchant_id = g.merchant_id AND m.id = g.id)
      AND (g.state <> 3 OR NOT EXISTS ( -- the result of a commit whose answer was lost
          SELECT FROM telegram_queue w WHERE w.merchant_id = g.merchant_id AND w.notification_id = g.id AND w.taken_over
            AND (w.attempt > g.attempt OR w.state = 0)))
), done AS (
    UPDATE telegram_queue q
    SET state = 2, content = NULL, lease_until = NULL, chat_id = g.chat_id, due_at = now() + make_interval(secs => g.wait)
    FROM settled g
    WHERE q.ctid = g.place AND q.state = 1 AND q.attempt = g.attempt AND g.state > 1
    RETURNING q.merchant_id, q.bot_id, q.chat_id, q.due_at
), again AS (
    UPDATE telegram_queue q
    SET state = 0, lease_until = NULL, chat_id = g.chat_id, due_at = now() + make_interval(secs => g.wait),
        reason = g.reason, forbidden = g.forbidden
    FROM given g
    WHERE q.ctid = g.place AND q.state = 1 AND q.attempt = g.attempt AND g.state = 1
), behind AS (
    UPDATE telegram_queue q SET due_at = greatest(q.due_at, d.due_at)
    FROM done d CROSS JOIN LATERAL (
        SELECT w.ctid FROM telegram_queue w
        WHERE w.merchant_id = d.merchant_id AND w.bot_id = d.bot_id AND w.chat_id = d.chat_id AND w.state = 0
        ORDER BY w.seq LIMIT 1) n
    WHERE q.ctid = n.ctid
), told AS (
    UPDATE notifications n
    SET state = g.state, reason = g.reason, message_id = g.message_id, attempts = g.attempt,
        sent_at = CASE WHEN g.state = 2 THEN now() END
    FROM settled g
    WHERE n.merchant_id = g.merchant_id AND n.payment_id = g.payment_id AND n.id = g.id AND g.state > 1 AND (n.state = 1 OR n.state = 4 AND g.state = 2)
    RETURNING n.merchant_id, n.id, n.payment_id, n.kind, n.channel, n.state, n.reason, n.message_id,
              COALESCE(NULLIF(g.traceparent, ''), n.traceparent) AS traceparent, n.carrier_bot_id, n.carrier_because
), logged AS (
    INSERT INTO outcomes (merchant_id, notification_id, payment_id, kind, channel, state, reason, message_id, traceparent, carrier_bot_id, carrier_because)
    SELECT merchant_id, id, payment_id, kind, channel, state, reason, message_id, traceparent, carrier_bot_id, carrier_because FROM told
    RETURNING 1
)
SELECT count(*) FROM logged`

// Settle writes many results in one statement and what their answers said about bots, in one transaction. A result whose
// message was settled or lost its lease meanwhile changes nothing, except that "sent" corrects "maybe sent". Calling it twice
// is safe.
func (s *Store) Settle(ctx context.Context, results []Result, notices []BotNotice) error {
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := pg.ByKey.Set(ctx, tx); err != nil {
			return err
		}
		if err := notice(ctx, tx, notices); err != nil {
			return err
		}
		logged, err := settle(ctx, tx, results)
		if err != nil || logged == 0 {
			return err
		}
		return s.outcomes.Notify(ctx, pg.Later(tx), "")
	})
	if err != nil {
		return fmt.Errorf("settle messages: %w", err)
	}
	return nil
}

func settle(ctx context.Context, tx pgx.Tx, results []Result) (logged int, err error) {
	n := len(results)
	if n == 0 {
		return 0, nil
	}
	var (
		merchant, id      = make([][16]byte, n), make([][16]byte, n)
		attempt, state    = make([]int32, n), make([]int16, n)
		reason, trace     = make([]string, n), make([]string, n)
		messageID, chatID = make([]int64, n), make([]int64, n)
		wait              = make([]float64, n)
		forbidden, other  = make([]bool, n), make([]bool, n)
		payment, bot      = make([][16]byte, n), make([][16]byte, n)
	)
	for i, r := range results {
		merchant[i], id[i], attempt[i], state[i], reason[i] = r.MerchantID, r.ID, r.Attempt, int16(r.State), r.Reason
		messageID[i], chatID[i], wait[i], forbidden[i], trace[i] = r.MessageID, r.ChatID, r.Wait.Seconds(), r.Forbidden, r.Traceparent
		other[i], payment[i], bot[i] = r.Elsewhere, r.PaymentID, r.BotID
	}
	err = tx.QueryRow(ctx, settleSQL, merchant, id, attempt, state, reason, messageID, chatID, wait, forbidden, trace, other,
		payment, bot).Scan(&logged)
	return logged, err
}

func notice(ctx context.Context, tx pgx.Tx, notices []BotNotice) error {
	n := len(notices)
	if n == 0 {
		return nil
	}
	var (
		merchant, bot = make([][16]byte, n), make([][16]byte, n)
		version       = make([]int64, n)
		refused       = make([]bool, n)
		wait          = make([]float64, n)
	)
	for i, x := range notices {
		merchant[i], bot[i], version[i], refused[i], wait[i] = x.MerchantID, x.BotID, x.Version, x.Refused, x.Wait.Seconds()
	}
	_, err := tx.Exec(ctx, noticeSQL, merchant, bot, version, refused, wait)
	return err
}
