package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// WebhookMessage is one claimed event on its way to one endpoint.
type WebhookMessage struct {
	MerchantID, EndpointID, EventID uuid.UUID

	PaymentID uuid.UUID // Nil for a test event
	BotID     uuid.UUID // Nil for a test event
	Type      string
	JSON      []byte // the event, an object
	Attempt   int    // 1 for the first ever
	Try       int    // 1 for the first of this round
	DueAt     time.Time
	// Traceparent is the sale's; empty when it was not traced.
	Traceparent string

	URL          string
	Loopback     bool
	Failing      bool // the endpoint's last attempt failed
	FailingSince *time.Time
}

// WebhookPace bounds what one endpoint gets at once.
type WebhookPace struct {
	InFlight int           // requests without an answer to an endpoint that works; to one that fails, 1
	Failing  int           // most messages of endpoints that fail in this claim, so that they never take all the room
	Hold     time.Duration // how long an event waits behind an earlier one of its sale
}

// Lanes are the endpoints with something waiting, one index probe each. The endpoints' rows are locked so that replicas divide them
// and nobody's limit is spent twice. An event waits for the earlier ones of its sale, but not longer than $4 after its own
// creation: an endpoint that chokes on one event must not lose the rest. $1 most messages, $2 in flight, $3 most of failing ones,
// $4 hold in seconds, $5 lease in seconds.
const claimWebhooksSQL = `
WITH RECURSIVE lanes AS (
    (SELECT merchant_id, endpoint_id FROM webhook_messages WHERE state = 1 ORDER BY merchant_id, endpoint_id LIMIT 1)
    UNION ALL
    SELECT n.merchant_id, n.endpoint_id
    FROM lanes l CROSS JOIN LATERAL (
        SELECT q.merchant_id, q.endpoint_id FROM webhook_messages q
        WHERE q.state = 1 AND (q.merchant_id, q.endpoint_id) > (l.merchant_id, l.endpoint_id)
        ORDER BY q.merchant_id, q.endpoint_id LIMIT 1) n
), ready AS (
    SELECT e.merchant_id, e.id, e.url, e.loopback, e.failing_since
    FROM lanes l JOIN endpoints e ON e.merchant_id = l.merchant_id AND e.id = l.endpoint_id
    WHERE e.disabled_reason = '' AND e.paused_until <= now()
    FOR NO KEY UPDATE OF e SKIP LOCKED
), found AS (
    SELECT r.merchant_id, r.id, r.url, r.loopback, r.failing_since, q.event_id,
           row_number() OVER (PARTITION BY r.failing_since IS NULL ORDER BY q.n, q.due_at) AS place, q.n
    FROM ready r CROSS JOIN LATERAL (
        SELECT w.event_id, w.due_at, row_number() OVER (ORDER BY w.due_at, w.seq) AS n
        FROM webhook_messages w
        WHERE w.state = 1 AND w.merchant_id = r.merchant_id AND w.endpoint_id = r.id AND w.due_at <= now() AND w.lease_until < now()
          AND (w.payment_id IS NULL OR w.created_at < now() - make_interval(secs => $4::float8) OR w.seq = (
              SELECT min(x.seq) FROM webhook_messages x
              WHERE x.state = 1 AND x.merchant_id = w.merchant_id AND x.endpoint_id = w.endpoint_id AND x.payment_id = w.payment_id))
        ORDER BY w.due_at, w.seq
        LIMIT greatest(0, CASE WHEN r.failing_since IS NULL THEN $2::int ELSE 1 END - (
            SELECT count(*)::int FROM webhook_messages s
            WHERE s.state = 1 AND s.merchant_id = r.merchant_id AND s.endpoint_id = r.id AND s.lease_until >= now()))) q
), picked AS (
    SELECT * FROM found WHERE failing_since IS NULL OR place <= $3::int
    ORDER BY failing_since IS NOT NULL, n LIMIT $1
), taken AS (
    UPDATE webhook_messages m
    SET attempts = m.attempts + 1, tries = m.tries + 1, lease_until = now() + make_interval(secs => $5::float8)
    FROM picked p
    WHERE m.merchant_id = p.merchant_id AND m.endpoint_id = p.id AND m.event_id = p.event_id AND m.state = 1
    RETURNING m.merchant_id, m.endpoint_id, m.event_id, m.payment_id, m.event_type, m.event, m.attempts, m.tries, m.due_at,
              p.url, p.loopback, p.failing_since
)
SELECT t.merchant_id, t.endpoint_id, t.event_id, COALESCE(t.payment_id, '00000000-0000-0000-0000-000000000000'::uuid),
       COALESCE(n.bot_id, '00000000-0000-0000-0000-000000000000'::uuid), t.event_type, COALESCE(t.event, n.event)::text, t.attempts, t.tries, t.due_at,
       t.url, t.loopback, t.failing_since, COALESCE(n.traceparent, '')
FROM taken t LEFT JOIN notifications n ON n.merchant_id = t.merchant_id AND n.id = t.event_id`

// ClaimWebhooks leases due messages, those of endpoints that work first, shared out between the endpoints, and returns them. One
// whose result is not settled within lease is claimed again: the receiver knows it by its id.
func (s *Store) ClaimWebhooks(ctx context.Context, limit int, p WebhookPace, lease time.Duration) ([]WebhookMessage, error) {
	rows, err := s.pool.Query(ctx, claimWebhooksSQL, limit, p.InFlight, p.Failing, p.Hold.Seconds(), lease.Seconds())
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m WebhookMessage, err error) {
		var body *string
		err = row.Scan(&m.MerchantID, &m.EndpointID, &m.EventID, &m.PaymentID, &m.BotID, &m.Type, &body, &m.Attempt, &m.Try, &m.DueAt,
			&m.URL, &m.Loopback, &m.FailingSince, &m.Traceparent)
		if m.Failing = m.FailingSince != nil; body != nil {
			m.JSON = []byte(*body)
		}
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	return list, nil
}

// WebhookResult is what one attempt came to.
type WebhookResult struct {
	MerchantID, EndpointID, EventID uuid.UUID

	Attempt    int
	At         time.Time
	Elapsed    time.Duration
	HTTPStatus int
	Reason     string        // empty: delivered
	Wait       time.Duration // to the next attempt
	GiveUp     bool          // there is none
	Pause      time.Duration // of the endpoint
	Disable    string        // reason to disable the endpoint; empty: leave it
}

const webhookResultSQL = `
WITH ended AS (
    UPDATE webhook_messages
    SET state = CASE WHEN $7 = '' THEN 2 WHEN $8 THEN 3 ELSE 1 END, reason = $7, lease_until = '-infinity',
        due_at = clock_timestamp() + make_interval(secs => $9::float8), ended_at = CASE WHEN $7 = '' OR $8 THEN clock_timestamp() END
    WHERE merchant_id = $1 AND endpoint_id = $2 AND event_id = $3 AND attempts = $4 AND state = 1 AND lease_until > '-infinity'
)
INSERT INTO webhook_attempts (merchant_id, endpoint_id, event_id, number, at, elapsed_ms, http_status, reason)
SELECT m.merchant_id, m.endpoint_id, m.event_id, $4, $5, $6, $10, $7 FROM webhook_messages m
WHERE m.merchant_id = $1 AND m.endpoint_id = $2 AND m.event_id = $3
ON CONFLICT DO NOTHING`

const endpointResultSQL = `
UPDATE endpoints
SET failures = CASE WHEN $3 THEN 0 ELSE failures + 1 END, failing_since = CASE WHEN $3 THEN NULL ELSE COALESCE(failing_since, clock_timestamp()) END,
    paused_until = CASE WHEN $3 THEN '-infinity' ELSE clock_timestamp() + make_interval(secs => $4::float8 * least(power(2, failures), 64)) END,
    disabled_reason = CASE WHEN $5 <> '' THEN $5 ELSE disabled_reason END
WHERE merchant_id = $1 AND id = $2`

// SettleWebhook writes an attempt and what it means for its message and endpoint, in one transaction. A message that somebody else
// claimed meanwhile keeps that claim, and one that was asked for again meanwhile is sent again; the attempt is listed all the same. Calling it twice writes one attempt. An endpoint's pause
// doubles with every failure in a row, from Pause to 64 times that.
func (s *Store) SettleWebhook(ctx context.Context, r WebhookResult) error {
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, webhookResultSQL, r.MerchantID, r.EndpointID, r.EventID, r.Attempt, r.At, r.Elapsed.Milliseconds(), r.Reason,
			r.GiveUp, r.Wait.Seconds(), r.HTTPStatus); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, endpointResultSQL, r.MerchantID, r.EndpointID, r.Reason == "", r.Pause.Seconds(), r.Disable)
		return err
	})
	if err != nil {
		return fmt.Errorf("settle webhook %s: %w", r.EventID, err)
	}
	return nil
}

// WebhookAttempt is one request that was made.
type WebhookAttempt struct {
	EventID, PaymentID uuid.UUID

	Seq        int64
	Type       string
	Number     int
	At         time.Time
	ElapsedMS  int
	HTTPStatus int
	Reason     string
	NextAt     *time.Time
}

const attemptsSQL = `
SELECT a.seq, a.event_id, COALESCE(m.payment_id, '00000000-0000-0000-0000-000000000000'::uuid), m.event_type, a.number, a.at, a.elapsed_ms,
       a.http_status, a.reason, CASE WHEN m.state = 1 AND a.number = m.attempts THEN m.due_at END
FROM webhook_attempts a JOIN webhook_messages m ON m.merchant_id = a.merchant_id AND m.endpoint_id = a.endpoint_id AND m.event_id = a.event_id
WHERE a.merchant_id = $1 AND a.endpoint_id = $2 AND ($3::uuid IS NULL OR a.event_id = $3) AND (NOT $4 OR a.reason <> '') AND a.seq < $5
ORDER BY a.seq DESC LIMIT $6`

// WebhookAttempts lists an endpoint's attempts below a sequence number, newest first; event nil means all.
func (s *Store) WebhookAttempts(ctx context.Context, merchant, endpoint uuid.UUID, event *uuid.UUID, failed bool, below int64, limit int) ([]WebhookAttempt, error) {
	rows, err := s.pool.Query(ctx, attemptsSQL, merchant, endpoint, event, failed, below, limit)
	if err != nil {
		return nil, fmt.Errorf("list attempts of endpoint %s: %w", endpoint, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a WebhookAttempt, err error) {
		err = row.Scan(&a.Seq, &a.EventID, &a.PaymentID, &a.Type, &a.Number, &a.At, &a.ElapsedMS, &a.HTTPStatus, &a.Reason, &a.NextAt)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("list attempts of endpoint %s: %w", endpoint, err)
	}
	return list, nil
}

const sweepWebhooksSQL = `
DELETE FROM webhook_messages w
USING (SELECT merchant_id, endpoint_id, event_id FROM webhook_messages
       WHERE state > 1 AND ended_at < now() - make_interval(secs => $2::float8) ORDER BY ended_at LIMIT $1 FOR UPDATE SKIP LOCKED) d
WHERE w.merchant_id = d.merchant_id AND w.endpoint_id = d.endpoint_id AND w.event_id = d.event_id`

// SweepWebhooks removes messages that ended longer ago than age, with their attempts, at most limit, and returns how many.
func (s *Store) SweepWebhooks(ctx context.Context, age time.Duration, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, sweepWebhooksSQL, limit, age.Seconds())
	if err != nil {
		return 0, fmt.Errorf("sweep webhooks: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
