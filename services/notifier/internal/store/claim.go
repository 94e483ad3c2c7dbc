package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// Message is a claimed row of the Telegram queue: it counts as handed to Telegram from the claim's commit on, until Settle
// says what became of it or its lease ends.
type Message struct {
	MerchantID, ID, PaymentID, BotID uuid.UUID

	ChatID      int64
	Content     []byte // sealed
	Traceparent string
	Attempt     int32 // 1 for the first
	Forbidden   bool  // refused once with the 403 that is sometimes passing
	CreatedAt   time.Time
	DueAt       time.Time
	BotVersion  int64 // of the bot when claimed
}

// Pace bounds what one bot may send. Bots share nothing.
type Pace struct {
	Interval time.Duration // between two messages in the long run
	Burst    int           // messages at once after a rest
	InFlight int           // messages without an answer
}

// lanes are the bots that have something waiting, found by one index probe each.
const lanes = `
lanes AS (
    (SELECT merchant_id, bot_id FROM telegram_queue WHERE state = 0 ORDER BY merchant_id, bot_id LIMIT 1)
    UNION ALL
    SELECT n.merchant_id, n.bot_id
    FROM lanes l CROSS JOIN LATERAL (
        SELECT q.merchant_id, q.bot_id FROM telegram_queue q
        WHERE q.state = 0 AND (q.merchant_id, q.bot_id) > (l.merchant_id, l.bot_id)
        ORDER BY q.merchant_id, q.bot_id LIMIT 1) n
)`

// The bots' rows are locked first, those that sent least recently before others, so that replicas divide the bots and no
// bot's rate is spent twice. One that was used since the statement began is left out, since what it took of the queue is not seen here: the row is
// read as it was (o) and locked as it is now (b), each by its key and never by a join, for which all bots could be read. What was picked is taken
// where it was found; one that was changed meanwhile is left to the next claim, or taken as it is now if it still waits for this bot. A message is its chat's first when nothing before it waits, is being sent, or was sent so recently
// that the chat must be quiet; asked as a scalar, so that the planner walks the chat's index instead of the bot's. $1 most messages, $2 interval in seconds, $3 burst, $4 in flight, $5 lease in seconds, $6 the claim's name.
const claimSQL = `
WITH RECURSIVE` + lanes + `,
ready AS (
    SELECT f.merchant_id, f.bot_id, b.version, b.next_at
    FROM (
        SELECT l.merchant_id, l.bot_id, o.next_at
        FROM lanes l CROSS JOIN LATERAL (
            SELECT next_at FROM bots
            WHERE merchant_id = l.merchant_id AND bot_id = l.bot_id AND refused_at IS NULL AND paused_until <= now()
              AND next_at <= now() + make_interval(secs => ($3::int - 1) * $2::float8)
            OFFSET 0) o
        ORDER BY o.next_at
    ) f CROSS JOIN LATERAL (
        SELECT version, next_at FROM bots
        WHERE merchant_id = f.merchant_id AND bot_id = f.bot_id AND next_at = f.next_at AND refused_at IS NULL AND paused_until <= now()
        FOR NO KEY UPDATE SKIP LOCKED) b
    LIMIT $1
), share AS (
    SELECT r.merchant_id, r.bot_id, r.version,
           least(greatest(1, $1::int / (SELECT count(*)::int FROM ready)),
                 $3::int - ceil(extract(epoch FROM greatest(r.next_at, now()) - now())::float8 / $2::float8)::int,
                 $4::int - (SELECT count(*)::int FROM telegram_queue s
                            WHERE s.state = 1 AND s.merchant_id = r.merchant_id AND s.bot_id = r.bot_id)) AS most
    FROM ready r
), picked AS (
    SELECT s.merchant_id, s.bot_id, s.version, q.ctid
    FROM share s CROSS JOIN LATERAL (
        SELECT w.ctid FROM telegram_queue w
        WHERE w.state = 0 AND w.merchant_id = s.merchant_id AND w.bot_id = s.bot_id AND w.due_at <= now()
          AND w.seq = (
              SELECT e.seq FROM telegram_queue e
              WHERE e.merchant_id = w.merchant_id AND e.bot_id = w.bot_id AND e.chat_id = w.chat_id
                AND (e.state < 2 OR e.due_at > now())
              ORDER BY e.seq LIMIT 1)
          AND (
              SELECT e.seq FROM telegram_queue e
              WHERE e.state = 1 AND e.merchant_id = w.merchant_id AND e.bot_id = w.bot_id AND e.chat_id = w.chat_id LIMIT 1) IS NULL
        ORDER BY w.due_at, w.seq
        LIMIT greatest(0, s.most)) q
    LIMIT $1
), spent AS (
    UPDATE bots b SET next_at = greatest(b.next_at, now()) + make_interval(secs => c.n * $2::float8)
    FROM (SELECT merchant_id, bot_id, count(*) AS n FROM picked GROUP BY merchant_id, bot_id) c
    WHERE b.merchant_id = c.merchant_id AND b.bot_id = c.bot_id
)
UPDATE telegram_queue q
SET state = 1, attempt = q.attempt + 1, lease_until = now() + make_interval(secs => $5::float8), claim = $6
FROM picked p
WHERE q.ctid = p.ctid AND q.state = 0 AND q.merchant_id = p.merchant_id AND q.bot_id = p.bot_id
RETURNING q.merchant_id, q.notification_id, q.payment_id, q.bot_id, q.chat_id, q.content, q.traceparent, q.attempt, q.forbidden,
          q.created_at, q.due_at, p.version`

// Claim marks up to limit messages as being sent and returns them: due ones of bots that may send now, the first of each chat
// only, shared out between the bots. Fewer than limit does not mean that no more is due; none does. A message whose result is
// not settled within lease counts as maybe sent, so the caller sends at once and gives up earlier. After an error it is not
// known whether the claim was committed: Unclaim it before its lease ends.
func (s *Store) Claim(ctx context.Context, claim uuid.UUID, limit int, p Pace, lease time.Duration) ([]Message, error) {
	rows, err := pg.ByKey.Query(ctx, s.pool, claimSQL, limit, p.Interval.Seconds(), p.Burst, p.InFlight, lease.Seconds(), claim)
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Message, err error) {
		err = row.Scan(&m.MerchantID, &m.ID, &m.PaymentID, &m.BotID, &m.ChatID, &m.Content, &m.Traceparent, &m.Attempt,
			&m.Forbidden, &m.CreatedAt, &m.DueAt, &m.BotVersion)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	}
	return list, nil
}

const unclaimSQL = `
UPDATE telegram_queue SET state = 0, attempt = attempt - 1, lease_until = NULL WHERE state = 1 AND claim = ANY($1::uuid[])`

// Unclaim puts back what claims took whose callers never saw the messages and so cannot have sent them.
func (s *Store) Unclaim(ctx context.Context, claims []uuid.UUID) error {
	if _, err := s.pool.Exec(ctx, unclaimSQL, claims); err != nil {
		return fmt.Errorf("undo claims: %w", err)
	}
	return nil
}

// A bot that may send now has no due message left (Claim returned none), so only its future ones count; for the others it is
// the moment when they may send again.
const nextSQL = `
WITH RECURSIVE` + lanes + `
SELECT extract(epoch FROM min(t.at) - now())::float8
FROM lanes l
CROSS JOIN LATERAL (SELECT paused_until, next_at FROM bots WHERE merchant_id = l.merchant_id AND bot_id = l.bot_id AND refused_at IS NULL OFFSET 0) b
CROSS JOIN LATERAL (SELECT greatest(b.paused_until, b.next_at - make_interval(secs => ($2::int - 1) * $1::float8)) AS ready) r
CROSS JOIN LATERAL (
    SELECT CASE WHEN r.ready > now() THEN r.ready
                ELSE (SELECT q.due_at FROM telegram_queue q
                      WHERE q.state = 0 AND q.merchant_id = l.merchant_id AND q.bot_id = l.bot_id AND q.due_at > now()
                      ORDER BY q.due_at LIMIT 1) END AS at) t`

// Next tells how long after an empty Claim the next one may find something; ok is false when nothing is foreseen. New intents,
// settled messages and PutBot are not foreseen.
func (s *Store) Next(ctx context.Context, p Pace) (wait time.Duration, ok bool, err error) {
	rows, err := pg.ByKey.Query(ctx, s.pool, nextSQL, p.Interval.Seconds(), p.Burst)
	if err != nil {
		return 0, false, fmt.Errorf("next due message: %w", err)
	}
	secs, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[*float64])
	if err != nil {
		return 0, false, fmt.Errorf("next due message: %w", err)
	}
	if secs == nil {
		return 0, false, nil
	}
	return max(0, time.Duration(*secs*float64(time.Second))), true, nil
}
