package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
)

const lockFeedSQL = `
SELECT xid, seq, xid > pg_snapshot_xmax(pg_current_snapshot()), pg_snapshot_xmin(pg_current_snapshot()),
       EXISTS (SELECT FROM endpoints WHERE disabled_reason = '')
FROM webhook_feed FOR UPDATE SKIP LOCKED`

// Where nobody wants events none is read: the cursor goes behind all that lockFeedSQL could see.
const passFeedSQL = `UPDATE webhook_feed SET xid = $1, seq = 0`

// The cursor moves with the messages or not at all. Events of merchants without endpoints are only passed over.
const feedSQL = `
WITH batch AS MATERIALIZED (
    SELECT xid, seq, merchant_id, id, payment_id, bot_id, kind FROM notifications
    WHERE channel = 2 AND ` + eventlog.After + `
    ORDER BY ` + eventlog.Order + ` LIMIT $3
), made AS (
    INSERT INTO webhook_messages (merchant_id, endpoint_id, event_id, payment_id, event_type)
    SELECT b.merchant_id, e.id, b.id, b.payment_id, b.kind
    FROM batch b JOIN endpoints e ON e.merchant_id = b.merchant_id AND e.disabled_reason = ''
     AND (cardinality(e.event_types) = 0 OR b.kind = ANY(e.event_types)) AND (cardinality(e.bot_ids) = 0 OR b.bot_id = ANY(e.bot_ids))
    ORDER BY b.xid, b.seq
    ON CONFLICT DO NOTHING
    RETURNING 1
), moved AS (
    UPDATE webhook_feed f SET xid = l.xid, seq = l.seq
    FROM (SELECT xid, seq FROM batch ORDER BY xid DESC, seq DESC LIMIT 1) l
)
SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM made)`

// FeedWebhooks hands the next events of the owner log, at most limit, to the endpoints that want them. It returns how many events
// were read and how many messages that made; none is read while there is no endpoint at all. Replicas take turns: one that comes while another does it reads
// nothing. A place in the future (the database was restored from a dump) is eventlog.ErrCursorAhead. Should the server crash at once, what was handed
// over is handed over again, with the same ids, unless it was claimed.
func (s *Store) FeedWebhooks(ctx context.Context, limit int) (events, messages int, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		events, messages = 0, 0
		if err := pg.Lease.Set(ctx, tx); err != nil {
			return err
		}
		var at eventlog.Cursor
		var end uint64
		var ahead, wanted bool
		err := tx.QueryRow(ctx, lockFeedSQL).Scan(&at.XID, &at.Seq, &ahead, &end, &wanted)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil && ahead {
			err = eventlog.ErrCursorAhead
		}
		if err != nil {
			return err
		}
		if !wanted {
			_, err := pg.Later(tx).Exec(ctx, passFeedSQL, end)
			return err
		}
		return tx.QueryRow(ctx, feedSQL, at.XID, at.Seq, limit).Scan(&events, &messages)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("feed webhooks: %w", err)
	}
	return events, messages, nil
}

const testMessageSQL = `
INSERT INTO webhook_messages (merchant_id, endpoint_id, event_id, event_type, event) VALUES ($1, $2, $3, 'test', $4::json)`

// PutTestMessage queues an event of one endpoint's own. The endpoint must exist.
func (s *Store) PutTestMessage(ctx context.Context, merchant, endpoint, event uuid.UUID, body []byte) error {
	if _, err := s.pool.Exec(ctx, testMessageSQL, merchant, endpoint, event, string(body)); err != nil {
		if pg.IsForeignKey(err) {
			err = ErrNotFound
		}
		return fmt.Errorf("test event of endpoint %s: %w", endpoint, err)
	}
	return nil
}

// An event that was fed is begun anew; one that is only in the log (it came while the endpoint was disabled, or is not of the
// types that it wants) becomes a message.
const redeliverOneSQL = `
INSERT INTO webhook_messages AS m (merchant_id, endpoint_id, event_id, payment_id, event_type)
SELECT n.merchant_id, $2, n.id, n.payment_id, n.kind FROM notifications n
WHERE n.merchant_id = $1 AND n.id = $3 AND n.channel = 2
ON CONFLICT (merchant_id, endpoint_id, event_id) DO UPDATE
SET state = 1, tries = 0, due_at = clock_timestamp(), ended_at = NULL, lease_until = '-infinity'`

const redeliverTestSQL = `
UPDATE webhook_messages SET state = 1, tries = 0, due_at = clock_timestamp(), ended_at = NULL, lease_until = '-infinity'
WHERE merchant_id = $1 AND endpoint_id = $2 AND event_id = $3 AND event IS NOT NULL`

// Redeliver sends one event again, whatever became of it, or returns ErrNotFound.
func (s *Store) Redeliver(ctx context.Context, merchant, endpoint, event uuid.UUID) error {
	tag, err := s.pool.Exec(ctx, redeliverOneSQL, merchant, endpoint, event)
	if err == nil && tag.RowsAffected() == 0 {
		tag, err = s.pool.Exec(ctx, redeliverTestSQL, merchant, endpoint, event)
	}
	if err == nil && tag.RowsAffected() == 0 || pg.IsForeignKey(err) {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("redeliver event %s to endpoint %s: %w", event, endpoint, err)
	}
	return nil
}

// created_at is not indexed by merchant: the log's order by merchant is near it, and the time filters what is read.
const redeliverSinceSQL = `
INSERT INTO webhook_messages AS m (merchant_id, endpoint_id, event_id, payment_id, event_type)
SELECT n.merchant_id, e.id, n.id, n.payment_id, n.kind
FROM endpoints e JOIN notifications n ON n.merchant_id = e.merchant_id AND n.channel = 2
 AND (cardinality(e.event_types) = 0 OR n.kind = ANY(e.event_types)) AND (cardinality(e.bot_ids) = 0 OR n.bot_id = ANY(e.bot_ids))
LEFT JOIN webhook_messages w ON w.merchant_id = n.merchant_id AND w.endpoint_id = e.id AND w.event_id = n.id
WHERE e.merchant_id = $1 AND e.id = $2 AND n.created_at >= $3
  AND (w.event_id IS NULL OR w.state = 3 OR w.state = 1 AND w.tries > 0 AND w.lease_until < now())
ORDER BY n.xid, n.seq
LIMIT $4
ON CONFLICT (merchant_id, endpoint_id, event_id) DO UPDATE
SET state = 1, tries = 0, due_at = clock_timestamp(), ended_at = NULL, lease_until = '-infinity'
WHERE m.state <> 2`

// RedeliverSince sends every event since then again that the endpoint wants and did not get, the oldest first and at most limit,
// and returns how many.
func (s *Store) RedeliverSince(ctx context.Context, merchant, endpoint uuid.UUID, since time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, redeliverSinceSQL, merchant, endpoint, since, limit)
	if err != nil {
		return 0, fmt.Errorf("redeliver events to endpoint %s: %w", endpoint, err)
	}
	return int(tag.RowsAffected()), nil
}
