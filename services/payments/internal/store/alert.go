package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// AlertSettings say whom of a merchant's to tell what by Telegram.
type AlertSettings struct {
	MerchantID  payment.MerchantID
	ChatID      int64 // 0: nobody
	BotID       payment.BotID
	Kinds       []string // empty: all
	Lang        string
	Timezone    string
	DigestHour  int
	DigestAt    time.Time // when the next digest is due
	DigestDay   time.Time // its local day, as midnight UTC
	UpdatedAt   time.Time
	LastSentAt  *time.Time
	LastFailure string
}

const alertColumns = `merchant_id, chat_id, bot_id, kinds, lang, timezone, digest_hour, digest_at, digest_day, updated_at, last_sent_at, last_failure`

const putAlertSettings = `
INSERT INTO alert_settings AS s (merchant_id, chat_id, bot_id, kinds, lang, timezone, digest_hour, digest_at, digest_day)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (merchant_id) DO UPDATE SET chat_id = EXCLUDED.chat_id, bot_id = EXCLUDED.bot_id, kinds = EXCLUDED.kinds, lang = EXCLUDED.lang,
    timezone = EXCLUDED.timezone, digest_hour = EXCLUDED.digest_hour, digest_at = EXCLUDED.digest_at, digest_day = EXCLUDED.digest_day,
    updated_at = now(), last_failure = CASE WHEN s.chat_id = EXCLUDED.chat_id AND s.bot_id = EXCLUDED.bot_id THEN s.last_failure ELSE '' END
RETURNING ` + alertColumns

// PutAlertSettings sets a merchant's; an unknown merchant or bot is ErrNotFound. Idempotency key: MerchantID.
func (s *Store) PutAlertSettings(ctx context.Context, a AlertSettings) (AlertSettings, error) {
	out, err := s.alertSettings(ctx, putAlertSettings, a.MerchantID, a.ChatID, a.BotID, a.Kinds, a.Lang, a.Timezone, a.DigestHour, a.DigestAt, a.DigestDay)
	switch {
	case pg.IsForeignKey(err):
		return AlertSettings{}, ErrNotFound
	case err != nil:
		return AlertSettings{}, fmt.Errorf("put alert settings: %w", err)
	}
	return out[0], nil
}

const getAlertSettings = `SELECT ` + alertColumns + ` FROM alert_settings WHERE merchant_id = $1`

// AlertSettings returns a merchant's, or ErrNotFound when it has none.
func (s *Store) AlertSettings(ctx context.Context, m payment.MerchantID) (AlertSettings, error) {
	out, err := s.alertSettings(ctx, getAlertSettings, m)
	if err != nil {
		return AlertSettings{}, fmt.Errorf("get alert settings: %w", err)
	}
	if len(out) == 0 {
		return AlertSettings{}, ErrNotFound
	}
	return out[0], nil
}

const listAlertSettings = `SELECT ` + alertColumns + ` FROM alert_settings WHERE merchant_id = ANY($1::uuid[]) AND chat_id <> 0`

// AlertSettingsOf returns those of the merchants that have somebody to tell, by merchant.
func (s *Store) AlertSettingsOf(ctx context.Context, merchants []payment.MerchantID) (map[payment.MerchantID]AlertSettings, error) {
	if len(merchants) == 0 {
		return nil, nil
	}
	rows, err := pg.ByKey.Query(ctx, s.pool, listAlertSettings, merchants)
	if err != nil {
		return nil, fmt.Errorf("list alert settings: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AlertSettings])
	if err != nil {
		return nil, fmt.Errorf("list alert settings: %w", err)
	}
	out := make(map[payment.MerchantID]AlertSettings, len(list))
	for _, a := range list {
		out[a.MerchantID] = a
	}
	return out, nil
}

func (s *Store) alertSettings(ctx context.Context, statement string, args ...any) ([]AlertSettings, error) {
	rows, err := s.pool.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[AlertSettings])
}

const noteAlert = `
UPDATE alert_settings SET last_sent_at = CASE WHEN $3 = '' THEN greatest(last_sent_at, $2) ELSE last_sent_at END, last_failure = $3
WHERE merchant_id = $1`

// NoteAlert keeps what became of the last message to an owner: failure says why it did not arrive, "" that it did.
func (s *Store) NoteAlert(ctx context.Context, m payment.MerchantID, at time.Time, failure string) error {
	if _, err := s.pool.Exec(ctx, noteAlert, m, at, failure); err != nil {
		return fmt.Errorf("note alert: %w", err)
	}
	return nil
}

// Alert is one thing to tell an owner. Idempotency key: (MerchantID, Kind, Subject), until it was told.
type Alert struct {
	MerchantID payment.MerchantID
	Kind       string
	Subject    string
	Item       json.RawMessage
}

const insertAlerts = `
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS w (merchant_id, kind, subject, item)
), fresh AS (
    INSERT INTO alerts (merchant_id, kind, subject, item) SELECT merchant_id, kind, subject, item::jsonb FROM given ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING RETURNING merchant_id, kind
)
INSERT INTO alert_lanes AS l (merchant_id, kind, due_at, queued)
SELECT merchant_id, kind, $5::timestamptz, count(*) FROM fresh GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (merchant_id, kind) DO UPDATE SET queued = l.queued + EXCLUDED.queued`

// InsertAlerts enqueues alerts in the transaction that decides them.
func InsertAlerts(ctx context.Context, tx pgx.Tx, alerts []Alert, now time.Time) error {
	if len(alerts) == 0 {
		return nil
	}
	c := newColumns(len(alerts), 4)
	for _, a := range alerts {
		c.add(a.MerchantID, a.Kind, a.Subject, string(a.Item))
	}
	if _, err := tx.Exec(ctx, insertAlerts, append(c.args, now)...); err != nil {
		return fmt.Errorf("insert alerts: %w", err)
	}
	return nil
}

// AlertBatch is what is told in one message, whose idempotency key is its ID.
type AlertBatch struct {
	MerchantID payment.MerchantID
	Kind       string
	ID         uuid.UUID
	Attempts   int
	Items      []json.RawMessage // the oldest first
}

// A lane that lies further ahead than any wait is of a clock that went back.
const claimAlertLanes = `
WITH due AS (
    SELECT l.merchant_id, l.kind FROM alert_lanes l
    WHERE (l.due_at <= $1 OR l.due_at > $1::timestamptz + interval '10 minutes') AND (l.batch IS NOT NULL OR EXISTS (SELECT FROM alerts a WHERE a.merchant_id = l.merchant_id AND a.kind = l.kind))
    ORDER BY l.due_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE alert_lanes l SET due_at = $2, batch = COALESCE(l.batch, gen_random_uuid())
FROM due d WHERE l.merchant_id = d.merchant_id AND l.kind = d.kind
RETURNING l.merchant_id, l.kind, l.batch, l.attempts`

const fillAlertBatches = `
WITH claimed AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS c (merchant_id, kind, batch)
), fresh AS (
    UPDATE alerts a SET batch = c.batch FROM claimed c
    WHERE a.merchant_id = c.merchant_id AND a.kind = c.kind AND a.batch IS NULL
      AND NOT EXISTS (SELECT FROM alerts b WHERE b.merchant_id = c.merchant_id AND b.kind = c.kind AND b.batch = c.batch)
    RETURNING a.batch, a.item, a.created_at, a.subject
)
SELECT batch, item, created_at, subject FROM fresh
UNION ALL
SELECT a.batch, a.item, a.created_at, a.subject FROM alerts a JOIN claimed c ON a.merchant_id = c.merchant_id AND a.kind = c.kind AND a.batch = c.batch
ORDER BY 3, 4`

// ClaimAlerts leases up to limit lanes that are due and gives each what waits in it; one whose message was tried before keeps
// what that message said.
func (s *Store) ClaimAlerts(ctx context.Context, now, lease time.Time, limit int) (out []AlertBatch, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, claimAlertLanes, now, lease, limit)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (b AlertBatch, err error) {
			return b, row.Scan(&b.MerchantID, &b.Kind, &b.ID, &b.Attempts)
		})
		if err != nil || len(out) == 0 {
			return err
		}
		c, at := newColumns(len(out), 3), map[uuid.UUID]int{}
		for i, b := range out {
			c.add(b.MerchantID, b.Kind, b.ID)
			at[b.ID] = i
		}
		if rows, err = tx.Query(ctx, fillAlertBatches, c.args...); err != nil {
			return err
		}
		var (
			id      uuid.UUID
			item    json.RawMessage
			created time.Time
			subject string
		)
		_, err = pgx.ForEachRow(rows, []any{&id, &item, &created, &subject}, func() error {
			b := &out[at[id]]
			b.Items, item = append(b.Items, item), nil
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim alerts: %w", err)
	}
	return out, nil
}

const finishAlerts = `
WITH told AS (DELETE FROM alerts WHERE merchant_id = $1 AND kind = $2 AND batch = $3 RETURNING 1)
UPDATE alert_lanes SET batch = NULL, attempts = 0, due_at = $4, told = told + (SELECT count(*) FROM told) WHERE merchant_id = $1 AND kind = $2 AND batch = $3`

// FinishAlerts removes what was told; its lane is free again at next.
func (s *Store) FinishAlerts(ctx context.Context, b AlertBatch, next time.Time) error {
	if _, err := s.pool.Exec(ctx, finishAlerts, b.MerchantID, b.Kind, b.ID, next); err != nil {
		return fmt.Errorf("finish alerts: %w", err)
	}
	return nil
}

const postponeAlerts = `UPDATE alert_lanes SET attempts = attempts + 1, due_at = $4 WHERE merchant_id = $1 AND kind = $2 AND batch = $3`

// PostponeAlerts gives a batch back, to be told as it is at next.
func (s *Store) PostponeAlerts(ctx context.Context, b AlertBatch, next time.Time) error {
	if _, err := s.pool.Exec(ctx, postponeAlerts, b.MerchantID, b.Kind, b.ID, next); err != nil {
		return fmt.Errorf("postpone alerts: %w", err)
	}
	return nil
}
