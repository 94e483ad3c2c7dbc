package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Reschedule is a set of sales that are to be scheduled again, and how far that has come. A zero Place is all sales.
type Reschedule struct {
	ID [16]byte
	Place
	Reason string
	// Gone says that sales without a look may get one again; Paid that paid ones may.
	Gone, Paid bool
	Phase      string
	At         Key // the last sale that was done
	DueAt      time.Time
	Lease      time.Time
}

const insertReschedule = `
INSERT INTO reschedules (merchant_id, id, account_id, provider, reason, gone, paid, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// InsertReschedule orders it in the transaction that makes it necessary.
func InsertReschedule(ctx context.Context, tx pgx.Tx, r Reschedule) error {
	if _, err := tx.Exec(ctx, insertReschedule, r.MerchantID, r.ID, r.AccountID, r.Provider, r.Reason, r.Gone, r.Paid, r.DueAt); err != nil {
		return fmt.Errorf("order reschedule: %w", err)
	}
	return nil
}

const claimReschedule = `
UPDATE reschedules r SET leased_until = $2
FROM (
    SELECT merchant_id, id FROM reschedules
    WHERE due_at <= $1 AND (leased_until IS NULL OR leased_until <= $1 OR leased_until > $3)
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
) AS w
WHERE r.merchant_id = w.merchant_id AND r.id = w.id
RETURNING r.merchant_id, r.id, r.account_id, r.provider, r.reason, r.gone, r.paid, r.phase, r.at_merchant, r.at_payment, r.due_at, r.leased_until`

// ClaimReschedule leases one that is due, or returns ErrNotFound. A lease that lies further ahead than one can be was given before the
// clock went back and does not count.
func (s *Store) ClaimReschedule(ctx context.Context, now, lease time.Time) (r Reschedule, err error) {
	err = s.pool.QueryRow(ctx, claimReschedule, now, lease, lease.Add(time.Minute)).Scan(&r.MerchantID, &r.ID, &r.AccountID, &r.Provider, &r.Reason,
		&r.Gone, &r.Paid, &r.Phase, &r.At.MerchantID, &r.At.PaymentID, &r.DueAt, &r.Lease)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("claim reschedule: %w", err)
	}
	return r, nil
}

const advanceReschedule = `
UPDATE reschedules SET phase = $3, at_merchant = $4, at_payment = $5, scheduled = scheduled + $6, leased_until = $8
WHERE merchant_id = $1 AND id = $2 AND leased_until = $7`

const endReschedule = `DELETE FROM reschedules WHERE merchant_id = $1 AND id = $2`

// AdvanceReschedule writes how far it came and takes the lease anew; ErrNotFound when somebody else has it.
func (s *Store) AdvanceReschedule(ctx context.Context, r Reschedule, done int, lease time.Time) error {
	tag, err := s.pool.Exec(ctx, advanceReschedule, r.MerchantID, r.ID, r.Phase, r.At.MerchantID, r.At.PaymentID, done, r.Lease, lease)
	if err != nil {
		return fmt.Errorf("advance reschedule: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	return nil
}

// EndReschedule removes it.
func (s *Store) EndReschedule(ctx context.Context, r Reschedule) error {
	if _, err := s.pool.Exec(ctx, endReschedule, r.MerchantID, r.ID); err != nil {
		return fmt.Errorf("end reschedule: %w", err)
	}
	return nil
}

// Both statements filter by merchant through a range of the key, so that one merchant's sales are found without reading the others'.
const scheduledSales = `
SELECT merchant_id, payment_id FROM looks
WHERE (merchant_id, payment_id) > ($1, $2) AND merchant_id >= $3 AND merchant_id <= $4 AND ($5::uuid IS NULL OR account_id = $5)
  AND ($6 = '' OR provider = $6)
ORDER BY merchant_id, payment_id LIMIT $7`

const unscheduledSales = `
SELECT p.merchant_id, p.id FROM payments p
WHERE (p.merchant_id, p.id) > ($1, $2) AND p.merchant_id >= $3 AND p.merchant_id <= $4 AND ($5::uuid IS NULL OR p.account_id = $5)
  AND ($6 = '' OR p.provider = $6)
  AND (p.state IN ('pending', 'failed', 'expired', 'cancelled', 'disputed', 'needs_review') OR $8 AND p.state = 'paid')
  AND p.created_at > $9
  AND NOT EXISTS (SELECT 1 FROM looks l WHERE l.merchant_id = p.merchant_id AND l.payment_id = p.id)
ORDER BY p.merchant_id, p.id LIMIT $7`

// Rescheduled returns the next sales of a reschedule's phase. since bounds how old a sale may be that is not looked at any more.
func (s *Store) Rescheduled(ctx context.Context, r Reschedule, since time.Time, limit int) ([]Key, error) {
	low, high := r.MerchantID, r.MerchantID
	if low == (payment.MerchantID{}) {
		for i := range high {
			high[i] = 0xff
		}
	}
	var account *payment.AccountID
	if r.AccountID != (payment.AccountID{}) {
		account = &r.AccountID
	}
	statement, args := scheduledSales, []any{r.At.MerchantID, r.At.PaymentID, low, high, account, r.Provider, limit}
	if r.Phase == "gone" {
		statement, args = unscheduledSales, append(args, r.Paid, since)
	}
	rows, err := s.pool.Query(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("list sales to reschedule: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Key])
	if err != nil {
		return nil, fmt.Errorf("list sales to reschedule: %w", err)
	}
	return out, nil
}
