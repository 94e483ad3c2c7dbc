package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Look is when one sale is looked at next.
type Look struct {
	MerchantID payment.MerchantID
	PaymentID  payment.ID
	AccountID  payment.AccountID
	Provider   string
	CreatedAt  time.Time // the sale's
	DueAt      time.Time
	Unanswered int        // looks in a row that got no answer
	HintAt     *time.Time // when something last said "look now"
	BuyerUntil *time.Time // until when the buyer is believed to wait
	WantAt     *time.Time // when a decision wants one more look
	// RetryAfter is what the provider asked for after the last look, or its rule from when it was really asked; stored in milliseconds, rounded up.
	RetryAfter time.Duration
	Reason     string       // why it is due then: payment.LookReason
	Lane       payment.Lane // its turn among those that are due
}

// lookColumns is what Look.targets take, from looks AS l.
const lookColumns = `l.merchant_id, l.payment_id, l.account_id, l.provider, l.created_at, l.due_at, l.unanswered,
l.hint_at, l.buyer_until, l.want_at, l.retry_after_ms, l.reason, l.lane`

func (l *Look) targets() []any {
	return []any{&l.MerchantID, &l.PaymentID, &l.AccountID, &l.Provider, &l.CreatedAt, &l.DueAt, &l.Unanswered,
		&l.HintAt, &l.BuyerUntil, &l.WantAt, (*milliseconds)(&l.RetryAfter), &l.Reason, &l.Lane}
}

// milliseconds is a duration in a bigint column.
type milliseconds time.Duration

// ScanInt64 implements pgtype.Int64Scanner.
func (m *milliseconds) ScanInt64(v pgtype.Int8) error {
	*m = milliseconds(time.Duration(v.Int64) * time.Millisecond)
	return nil
}

func scanLook(row pgx.CollectableRow) (l Look, err error) {
	err = row.Scan(l.targets()...)
	return l, err
}

const getLooks = `
SELECT ` + lookColumns + `
FROM looks l JOIN unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, payment_id)
  ON l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id
ORDER BY l.merchant_id, l.payment_id FOR UPDATE OF l`

// Looks locks and returns the schedule rows of sales that the transaction has locked, always in the same order; those without
// one are missing.
func Looks(ctx context.Context, tx pgx.Tx, keys []Key) (map[Key]Look, error) {
	merchants, ids := split(keys)
	rows, err := tx.Query(ctx, getLooks, merchants, ids)
	if err != nil {
		return nil, fmt.Errorf("get looks: %w", err)
	}
	return readLooks(rows)
}

func readLooks(rows pgx.Rows) (map[Key]Look, error) {
	list, err := pgx.CollectRows(rows, scanLook)
	if err != nil {
		return nil, fmt.Errorf("get looks: %w", err)
	}
	out := make(map[Key]Look, len(list))
	for _, l := range list {
		out[Key{l.MerchantID, l.PaymentID}] = l
	}
	return out, nil
}

const setLooks = `
INSERT INTO looks AS l (merchant_id, payment_id, account_id, provider, created_at, due_at, unanswered, hint_at, buyer_until, want_at,
    retry_after_ms, reason, lane)
SELECT merchant_id, payment_id, account_id, provider, created_at, due_at, unanswered, hint_at, buyer_until, want_at, retry_after_ms, reason, lane
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::int[], $8::timestamptz[],
    $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::text[], $13::smallint[])
  AS w (merchant_id, payment_id, account_id, provider, created_at, due_at, unanswered, hint_at, buyer_until, want_at, retry_after_ms, reason, lane)
ORDER BY merchant_id, payment_id
ON CONFLICT (merchant_id, payment_id) DO UPDATE SET due_at = EXCLUDED.due_at, unanswered = EXCLUDED.unanswered,
    hint_at = EXCLUDED.hint_at, buyer_until = EXCLUDED.buyer_until, want_at = EXCLUDED.want_at,
    retry_after_ms = EXCLUDED.retry_after_ms, reason = EXCLUDED.reason, lane = EXCLUDED.lane`

const releaseLooks = `
UPDATE looks l SET leased_until = NULL
FROM unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, payment_id)
WHERE l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id AND l.leased_until IS NOT NULL`

const dropLooks = `
DELETE FROM looks l USING unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, payment_id)
WHERE l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id`

// SetLooks writes the schedule of locked sales: set are due again, drop never. A look that goes on keeps its lease unless it is
// in release, which names the looks that have ended.
func SetLooks(ctx context.Context, tx pgx.Tx, set []Look, drop, release []Key) error {
	if len(set) > 0 {
		c := newColumns(len(set), 13)
		for _, l := range set {
			c.add(l.MerchantID, l.PaymentID, l.AccountID, l.Provider, l.CreatedAt, l.DueAt, l.Unanswered, null(l.HintAt), null(l.BuyerUntil),
				null(l.WantAt), (l.RetryAfter + time.Millisecond - 1).Milliseconds(), l.Reason, int16(l.Lane))
		}
		if _, err := tx.Exec(ctx, setLooks, c.args...); err != nil {
			return fmt.Errorf("set looks: %w", err)
		}
	}
	for statement, keys := range map[string][]Key{dropLooks: drop, releaseLooks: release} {
		if len(keys) == 0 {
			continue
		}
		merchants, ids := split(keys)
		if _, err := tx.Exec(ctx, statement, merchants, ids); err != nil {
			return fmt.Errorf("end looks: %w", err)
		}
	}
	return nil
}

const getLook = `SELECT ` + lookColumns + ` FROM looks l WHERE l.merchant_id = $1 AND l.payment_id = $2`

// GetLook returns a sale's schedule row, or ErrNotFound when it is not looked at any more.
func (s *Store) GetLook(ctx context.Context, k Key) (Look, error) {
	rows, err := s.pool.Query(ctx, getLook, k.MerchantID, k.PaymentID)
	if err != nil {
		return Look{}, fmt.Errorf("get look: %w", err)
	}
	l, err := pgx.CollectExactlyOneRow(rows, scanLook)
	if err != nil {
		return Look{}, fmt.Errorf("get look: %w", one(err))
	}
	return l, nil
}

const overdueLooks = `
SELECT ` + lookColumns + ` FROM looks l
WHERE l.account_id = $1 AND l.lane = $2 AND l.due_at <= $3 AND (l.due_at, l.payment_id) > ($4, $5)
ORDER BY l.due_at, l.payment_id LIMIT $6`

// OverdueLooks lists the looks of one lane of an account that were due at a moment and not made yet, the longest overdue first, behind a position (of a
// look's DueAt and sale).
func (s *Store) OverdueLooks(ctx context.Context, a payment.AccountID, lane payment.Lane, due time.Time, after Position, limit int) ([]Look, error) {
	rows, err := s.pool.Query(ctx, overdueLooks, a, int16(lane), due, after.CreatedAt, after.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("list overdue looks: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanLook)
	if err != nil {
		return nil, fmt.Errorf("list overdue looks: %w", err)
	}
	return out, nil
}
