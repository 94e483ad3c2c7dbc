package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Backfill is one time whose sales are asked about again.
type Backfill struct {
	MerchantID payment.MerchantID
	ID         uuid.UUID
	From, To   time.Time // To is exclusive
	Provider   string    // empty: all
	AccountID  *payment.AccountID
	State      string // "running", "done" or "cancelled"
	CreatedAt  time.Time
	FinishedAt *time.Time
	// Total sales are asked about; Asked have been made due, Done were looked at since, Unanswered of them without an answer, and Changed of
	// them have another state than when it began.
	Total, Asked, Done, Unanswered, Changed int
}

// OverlapError means that another backfill of the merchant is running over a part of the same sales.
type OverlapError struct{ Other Backfill }

// Error names the other.
func (e *OverlapError) Error() string {
	return fmt.Sprintf("backfill %s is running from %s to %s: wait for it, or cancel it", e.Other.ID, e.Other.From.UTC().Format(time.RFC3339), e.Other.To.UTC().Format(time.RFC3339))
}

// touched are the sales that a time touched: made in it, pending in it, or with a webhook in it. What was refunded or charged back can bring
// no news.
const touched = `
FROM payments p
WHERE p.merchant_id = $1 AND p.created_at < $3 AND ($4 = '' OR p.provider = $4) AND ($5::uuid IS NULL OR p.account_id = $5)
  AND p.state NOT IN ('refunded', 'charged_back')
  AND (p.created_at >= $2 OR p.state = 'pending' OR COALESCE(state_since(p.facts), p.created_at) >= $2
       OR p.id IN (SELECT h.payment_id FROM webhooks h
                   WHERE h.merchant_id = $1 AND h.payment_id IS NOT NULL AND h.received_at < $3 AND COALESCE(h.last_copy_at, h.received_at) >= $2))`

const countTouched = `SELECT count(*) ` + touched

// CountTouched counts the sales that a backfill would ask about.
func (s *Store) CountTouched(ctx context.Context, b Backfill) (n int, err error) {
	if err = s.pool.QueryRow(ctx, countTouched, b.MerchantID, b.From, b.To, b.Provider, b.AccountID).Scan(&n); err != nil {
		return 0, fmt.Errorf("count touched sales: %w", err)
	}
	return n, nil
}

const lockMerchant = `SELECT id FROM merchants WHERE id = $1 FOR UPDATE`

const runningOverlap = `
SELECT id, from_at, to_at, provider, account_id FROM backfills
WHERE merchant_id = $1 AND state = 'running' AND from_at < $3 AND to_at > $2
  AND (provider = '' OR $4 = '' OR provider = $4) AND (account_id IS NULL OR $5::uuid IS NULL OR account_id = $5)
ORDER BY created_at LIMIT 1`

const insertBackfill = `
INSERT INTO backfills (merchant_id, id, from_at, to_at, provider, account_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`

const insertBackfillSales = `
INSERT INTO backfill_sales (merchant_id, backfill_id, payment_id, account_id, was)
SELECT p.merchant_id, $6, p.id, p.account_id, p.state ` + touched

const totalBackfill = `UPDATE backfills SET total = $3 WHERE merchant_id = $1 AND id = $2`

// StartBackfill records a backfill and its sales. The same time and filters as one that is running return that one; another that overlaps is an
// *OverlapError, and an unknown merchant ErrNotFound.
func (s *Store) StartBackfill(ctx context.Context, tx pgx.Tx, b Backfill) (id uuid.UUID, created bool, err error) {
	var m payment.MerchantID
	if err := tx.QueryRow(ctx, lockMerchant, b.MerchantID).Scan(&m); err != nil { // one start at a time
		return uuid.Nil, false, fmt.Errorf("lock merchant: %w", one(err))
	}
	var o Backfill
	err = tx.QueryRow(ctx, runningOverlap, b.MerchantID, b.From, b.To, b.Provider, b.AccountID).Scan(&o.ID, &o.From, &o.To, &o.Provider, &o.AccountID)
	switch same := o.Provider == b.Provider && (o.AccountID == nil) == (b.AccountID == nil) && (o.AccountID == nil || *o.AccountID == *b.AccountID); {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return uuid.Nil, false, fmt.Errorf("find overlapping backfill: %w", err)
	case same && o.From.Equal(b.From) && o.To.Equal(b.To):
		return o.ID, false, nil
	default:
		return uuid.Nil, false, &OverlapError{o}
	}
	if _, err := tx.Exec(ctx, insertBackfill, b.MerchantID, b.ID, b.From, b.To, b.Provider, b.AccountID, b.CreatedAt); err != nil {
		return uuid.Nil, false, fmt.Errorf("insert backfill: %w", err)
	}
	tag, err := tx.Exec(ctx, insertBackfillSales, b.MerchantID, b.From, b.To, b.Provider, b.AccountID, b.ID)
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("insert sales of backfill: %w", err)
	}
	if _, err := tx.Exec(ctx, totalBackfill, b.MerchantID, b.ID, tag.RowsAffected()); err != nil {
		return uuid.Nil, false, fmt.Errorf("insert sales of backfill: %w", err)
	}
	return b.ID, true, nil
}

const getBackfill = `
SELECT b.merchant_id, b.id, b.from_at, b.to_at, b.provider, b.account_id, b.state, b.created_at, b.finished_at, b.total,
       count(s.asked_at), count(s.done_at), count(*) FILTER (WHERE s.done_at IS NOT NULL AND s.outcome NOT IN ('status', 'not_found')),
       count(*) FILTER (WHERE s.done_at IS NOT NULL AND p.state <> s.was)
FROM backfills b
LEFT JOIN backfill_sales s ON s.merchant_id = b.merchant_id AND s.backfill_id = b.id
LEFT JOIN payments p ON p.merchant_id = s.merchant_id AND p.id = s.payment_id
WHERE b.id = $1 AND ($2::uuid IS NULL OR b.merchant_id = $2)
GROUP BY b.merchant_id, b.id`

// GetBackfill returns a backfill and how far it is. With a merchant given, only that merchant's exist.
func (s *Store) GetBackfill(ctx context.Context, id uuid.UUID, m *payment.MerchantID) (b Backfill, err error) {
	err = s.pool.QueryRow(ctx, getBackfill, id, m).Scan(&b.MerchantID, &b.ID, &b.From, &b.To, &b.Provider, &b.AccountID, &b.State, &b.CreatedAt, &b.FinishedAt,
		&b.Total, &b.Asked, &b.Done, &b.Unanswered, &b.Changed)
	if err != nil {
		return Backfill{}, fmt.Errorf("get backfill: %w", one(err))
	}
	return b, nil
}

const listBackfills = `
WITH b AS MATERIALIZED (
    SELECT * FROM backfills WHERE ($1::uuid IS NULL OR merchant_id = $1) AND (NOT $2 OR state = 'running')
    ORDER BY (state = 'running') DESC, created_at DESC, id LIMIT 100
)
SELECT b.merchant_id, b.id, b.from_at, b.to_at, b.provider, b.account_id, b.state, b.created_at, b.finished_at, b.total,
       count(s.asked_at), count(s.done_at), count(*) FILTER (WHERE s.done_at IS NOT NULL AND s.outcome NOT IN ('status', 'not_found')),
       count(*) FILTER (WHERE s.done_at IS NOT NULL AND p.state <> s.was)
FROM b
LEFT JOIN backfill_sales s ON s.merchant_id = b.merchant_id AND s.backfill_id = b.id
LEFT JOIN payments p ON p.merchant_id = s.merchant_id AND p.id = s.payment_id
GROUP BY b.merchant_id, b.id, b.from_at, b.to_at, b.provider, b.account_id, b.state, b.created_at, b.finished_at, b.total
ORDER BY (b.state = 'running') DESC, b.created_at DESC, b.id`

// Backfills lists backfills, the running ones first and then the newest, at most 100; with a merchant, that merchant's only.
func (s *Store) Backfills(ctx context.Context, m *payment.MerchantID, running bool) ([]Backfill, error) {
	rows, err := s.pool.Query(ctx, listBackfills, m, running)
	if err != nil {
		return nil, fmt.Errorf("list backfills: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Backfill])
	if err != nil {
		return nil, fmt.Errorf("list backfills: %w", err)
	}
	return out, nil
}

const cancelBackfill = `
UPDATE backfills SET state = 'cancelled', finished_at = $3 WHERE id = $1 AND state = 'running' AND ($2::uuid IS NULL OR merchant_id = $2)`

// CancelBackfill ends a running backfill; what was made due stays due. One that has ended stays as it is.
func (s *Store) CancelBackfill(ctx context.Context, id uuid.UUID, m *payment.MerchantID, now time.Time) error {
	if _, err := s.pool.Exec(ctx, cancelBackfill, id, m, now); err != nil {
		return fmt.Errorf("cancel backfill: %w", err)
	}
	return nil
}

const claimBackfills = `
UPDATE backfills b SET leased_until = $2
FROM (SELECT merchant_id, id FROM backfills
      WHERE state = 'running' AND (leased_until IS NULL OR leased_until <= $1 OR leased_until > $2::timestamptz + interval '1 minute')
      ORDER BY created_at LIMIT 20 FOR UPDATE SKIP LOCKED) AS w
WHERE b.merchant_id = w.merchant_id AND b.id = w.id
RETURNING b.merchant_id, b.id`

// BackfillKey names a backfill.
type BackfillKey struct {
	MerchantID payment.MerchantID
	ID         uuid.UUID
}

// ClaimBackfills leases running backfills until a moment. A lease that ends long after it was made before the clock went back, and holds nobody up.
func (s *Store) ClaimBackfills(ctx context.Context, now, lease time.Time) ([]BackfillKey, error) {
	rows, err := s.pool.Query(ctx, claimBackfills, now, lease)
	if err != nil {
		return nil, fmt.Errorf("claim backfills: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[BackfillKey])
	if err != nil {
		return nil, fmt.Errorf("claim backfills: %w", err)
	}
	return out, nil
}

// What was asked ahead of now was asked before the clock went back: no look could ever count as its answer.
const askAgain = `
UPDATE backfill_sales SET asked_at = NULL
WHERE merchant_id = $1 AND backfill_id = $2 AND asked_at > $3::timestamptz + interval '1 minute' AND done_at IS NULL`

const settleBackfill = `
UPDATE backfill_sales s SET done_at = $3, outcome = CASE WHEN p.last_poll_at >= s.asked_at THEN p.last_outcome ELSE 'not_looked_at' END
FROM payments p
WHERE s.merchant_id = $1 AND s.backfill_id = $2 AND s.asked_at IS NOT NULL AND s.done_at IS NULL
  AND p.merchant_id = s.merchant_id AND p.id = s.payment_id
  AND (p.last_poll_at >= s.asked_at
       OR NOT EXISTS (SELECT FROM looks l WHERE l.merchant_id = s.merchant_id AND l.payment_id = s.payment_id))`

const nextBackfillSales = `
WITH RECURSIVE account AS (
    (SELECT account_id FROM backfill_sales WHERE merchant_id = $1 AND backfill_id = $2 AND asked_at IS NULL ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT n.account_id FROM account a CROSS JOIN LATERAL (
        SELECT s.account_id FROM backfill_sales s
        WHERE s.merchant_id = $1 AND s.backfill_id = $2 AND s.asked_at IS NULL AND s.account_id > a.account_id ORDER BY s.account_id LIMIT 1
    ) n
)
SELECT n.merchant_id, n.payment_id FROM account a CROSS JOIN LATERAL (
    SELECT s.merchant_id, s.payment_id FROM backfill_sales s
    WHERE s.merchant_id = $1 AND s.backfill_id = $2 AND s.account_id = a.account_id AND s.asked_at IS NULL
    ORDER BY s.payment_id DESC
    LIMIT GREATEST(0, $3 - (SELECT count(*) FROM backfill_sales o WHERE o.merchant_id = $1 AND o.backfill_id = $2
                            AND o.account_id = a.account_id AND o.asked_at IS NOT NULL AND o.done_at IS NULL))
) n`

// NextBackfillSales notes what was looked at by now, and lists what is to be asked next, newest first: as many of each account that no more
// than width of it are under way.
func (s *Store) NextBackfillSales(ctx context.Context, k BackfillKey, now time.Time, width int) ([]Key, error) {
	for _, statement := range []string{askAgain, settleBackfill} {
		if _, err := s.pool.Exec(ctx, statement, k.MerchantID, k.ID, now); err != nil {
			return nil, fmt.Errorf("settle backfill: %w", err)
		}
	}
	rows, err := s.pool.Query(ctx, nextBackfillSales, k.MerchantID, k.ID, width)
	if err != nil {
		return nil, fmt.Errorf("list next sales of backfill: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Key])
	if err != nil {
		return nil, fmt.Errorf("list next sales of backfill: %w", err)
	}
	return out, nil
}

const askBackfillSales = `
UPDATE backfill_sales SET asked_at = $4 WHERE merchant_id = $1 AND backfill_id = $2 AND payment_id = ANY ($3::uuid[]) AND asked_at IS NULL`

// AskBackfillSales notes, in the transaction that makes them due, that sales were asked about.
func AskBackfillSales(ctx context.Context, tx pgx.Tx, k BackfillKey, keys []Key, now time.Time) error {
	ids := make([]payment.ID, len(keys))
	for i := range keys {
		ids[i] = keys[i].PaymentID
	}
	if _, err := tx.Exec(ctx, askBackfillSales, k.MerchantID, k.ID, ids, now); err != nil {
		return fmt.Errorf("note sales of backfill: %w", err)
	}
	return nil
}

const endBackfill = `
UPDATE backfills b SET leased_until = NULL,
    state = CASE WHEN b.state = 'running' AND NOT EXISTS (SELECT FROM backfill_sales s WHERE s.merchant_id = $1 AND s.backfill_id = $2 AND s.done_at IS NULL)
                 THEN 'done' ELSE b.state END,
    finished_at = COALESCE(b.finished_at, CASE WHEN NOT EXISTS (SELECT FROM backfill_sales s WHERE s.merchant_id = $1 AND s.backfill_id = $2
                 AND s.done_at IS NULL) THEN $3::timestamptz END)
WHERE b.merchant_id = $1 AND b.id = $2`

// EndStep gives a claimed backfill back, done when all of its sales are.
func (s *Store) EndStep(ctx context.Context, k BackfillKey, now time.Time) error {
	if _, err := s.pool.Exec(ctx, endBackfill, k.MerchantID, k.ID, now); err != nil {
		return fmt.Errorf("end step of backfill: %w", err)
	}
	return nil
}
