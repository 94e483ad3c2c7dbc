package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// Effect is something that must follow from a decision. Its key is its idempotency key within the sale.
type Effect struct {
	Key
	Name     string // the key: "deliver", "owner:7", …
	Kind     string // which worker does it
	Payload  json.RawMessage
	DueAt    time.Time
	Attempts int
	// Lease is until when a new effect is its inserter's own; zero: it is for whoever claims it. Sale is then the sale as the
	// transaction left it. Neither is set by a claim.
	Lease time.Time
	Sale  *Sale
}

const insertEffects = `
INSERT INTO effects (merchant_id, payment_id, key, kind, payload, due_at, leased_until)
SELECT merchant_id, payment_id, key, kind, payload::jsonb, due_at, leased_until
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
  AS w (merchant_id, payment_id, key, kind, payload, due_at, leased_until)
ON CONFLICT (merchant_id, payment_id, key) DO NOTHING`

// InsertEffects enqueues effects in the transaction that decides them.
func InsertEffects(ctx context.Context, tx pgx.Tx, effects []Effect) error {
	if len(effects) == 0 {
		return nil
	}
	c := newColumns(len(effects), 7)
	for i := range effects {
		e := &effects[i]
		payload := []byte(e.Payload)
		if len(payload) == 0 {
			payload = []byte("{}")
		}
		var lease *time.Time
		if !e.Lease.IsZero() {
			lease = &e.Lease
		}
		c.add(e.MerchantID, e.PaymentID, e.Name, e.Kind, payload, e.DueAt, null(lease))
	}
	if _, err := tx.Exec(ctx, insertEffects, c.args...); err != nil {
		return fmt.Errorf("insert effects: %w", err)
	}
	return nil
}

const claimEffects = `
WITH picked AS (
    SELECT merchant_id, payment_id, key FROM effects
    WHERE kind = $1 AND due_at <= $2 AND (leased_until IS NULL OR leased_until <= $2)
    ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
)
UPDATE effects e SET leased_until = $3
FROM picked w WHERE e.merchant_id = w.merchant_id AND e.payment_id = w.payment_id AND e.key = w.key
RETURNING e.merchant_id, e.payment_id, e.key, e.kind, e.payload, e.due_at, e.attempts`

// ClaimEffects leases up to limit due effects of a kind until lease.
func (s *Store) ClaimEffects(ctx context.Context, kind string, now, lease time.Time, limit int) ([]Effect, error) {
	rows, err := pg.Lease.Query(ctx, s.pool, claimEffects, kind, now, lease, limit)
	if err != nil {
		return nil, fmt.Errorf("claim effects: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Effect, err error) {
		err = row.Scan(&e.MerchantID, &e.PaymentID, &e.Name, &e.Kind, &e.Payload, &e.DueAt, &e.Attempts)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim effects: %w", err)
	}
	return out, nil
}

const renewEffects = `
UPDATE effects e SET leased_until = $4
FROM (
    SELECT k.merchant_id, k.payment_id, k.key
    FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS r (merchant_id, payment_id, key)
    JOIN effects k ON k.merchant_id = r.merchant_id AND k.payment_id = r.payment_id AND k.key = r.key AND k.leased_until < $4
    ORDER BY k.merchant_id, k.payment_id, k.key FOR UPDATE OF k SKIP LOCKED
) AS w
WHERE e.merchant_id = w.merchant_id AND e.payment_id = w.payment_id AND e.key = w.key`

// RenewEffects holds claimed effects until a later moment; those that have ended or were given back stay as they are.
func (s *Store) RenewEffects(ctx context.Context, effects []Effect, until time.Time) error {
	c := newColumns(len(effects), 3)
	for _, e := range effects {
		c.add(e.MerchantID, e.PaymentID, e.Name)
	}
	if _, err := s.pool.Exec(ctx, renewEffects, append(c.args, until)...); err != nil {
		return fmt.Errorf("renew effects: %w", err)
	}
	return nil
}

const returnEffects = `
UPDATE effects e SET leased_until = NULL
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) AS w (merchant_id, payment_id, key, lease)
WHERE e.merchant_id = w.merchant_id AND e.payment_id = w.payment_id AND e.key = w.key AND e.leased_until = w.lease`

// ReturnEffects gives back effects that nobody began, each of which still has the lease that it was inserted with.
func (s *Store) ReturnEffects(ctx context.Context, effects []Effect) error {
	if len(effects) == 0 {
		return nil
	}
	c := newColumns(len(effects), 4)
	for _, e := range effects {
		c.add(e.MerchantID, e.PaymentID, e.Name, e.Lease)
	}
	if _, err := s.pool.Exec(ctx, returnEffects, c.args...); err != nil {
		return fmt.Errorf("return effects: %w", err)
	}
	return nil
}

const finishEffects = `
DELETE FROM effects e USING unnest($1::uuid[], $2::uuid[], $3::text[]) AS w (merchant_id, payment_id, key)
WHERE e.merchant_id = w.merchant_id AND e.payment_id = w.payment_id AND e.key = w.key`

// FinishEffects removes effects that are done, in the transaction that records what they did.
func FinishEffects(ctx context.Context, tx pgx.Tx, effects []Effect) error {
	if len(effects) == 0 {
		return nil
	}
	c := newColumns(len(effects), 3)
	for _, e := range effects {
		c.add(e.MerchantID, e.PaymentID, e.Name)
	}
	if _, err := tx.Exec(ctx, finishEffects, c.args...); err != nil {
		return fmt.Errorf("finish effects: %w", err)
	}
	return nil
}

const emptyEffects = `
UPDATE effects e SET payload = '{}' FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS w (merchant_id, payment_id, key)
WHERE e.merchant_id = w.merchant_id AND e.payment_id = w.payment_id AND e.key = w.key`

// EmptyEffects takes the payload from effects that go on without it, in the transaction that records what became of it.
func EmptyEffects(ctx context.Context, tx pgx.Tx, effects []Effect) error {
	if len(effects) == 0 {
		return nil
	}
	c := newColumns(len(effects), 3)
	for _, e := range effects {
		c.add(e.MerchantID, e.PaymentID, e.Name)
	}
	if _, err := tx.Exec(ctx, emptyEffects, c.args...); err != nil {
		return fmt.Errorf("empty effects: %w", err)
	}
	return nil
}

const postponeEffects = `
UPDATE effects e SET leased_until = NULL, due_at = w.due_at, attempts = e.attempts + 1, last_error = w.reason
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[]) AS w (merchant_id, payment_id, key, due_at, reason)
WHERE e.merchant_id = w.merchant_id AND e.payment_id = w.payment_id AND e.key = w.key`

// PostponeEffects gives effects back, each due again at its own DueAt, with the reason for all of them.
func (s *Store) PostponeEffects(ctx context.Context, effects []Effect, reason string) error {
	if len(effects) == 0 {
		return nil
	}
	c := newColumns(len(effects), 5)
	for _, e := range effects {
		c.add(e.MerchantID, e.PaymentID, e.Name, e.DueAt, reason)
	}
	if _, err := s.pool.Exec(ctx, postponeEffects, c.args...); err != nil {
		return fmt.Errorf("postpone effects: %w", err)
	}
	return nil
}

const getSales = `
SELECT ` + saleColumns + `
FROM payments p JOIN unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, id) ON p.merchant_id = w.merchant_id AND p.id = w.id`

// Sales returns the sales that keys name, by key; those that do not exist are missing, and those whose rows cannot be read are apart.
func (s *Store) Sales(ctx context.Context, keys []Key) (map[Key]Sale, []Unreadable, error) {
	if len(keys) == 0 {
		return nil, nil, nil
	}
	c := newColumns(len(keys), 2)
	for _, k := range keys {
		c.add(k.MerchantID, k.PaymentID)
	}
	rows, err := pg.ByKey.Query(ctx, s.pool, getSales, c.args...)
	list, bad, err := sortSales(rows, err, "get sales", len(keys))
	if err != nil {
		return nil, nil, err
	}
	out := make(map[Key]Sale, len(list))
	for _, sale := range list {
		out[Key{sale.MerchantID, sale.ID}] = sale
	}
	return out, bad, nil
}
