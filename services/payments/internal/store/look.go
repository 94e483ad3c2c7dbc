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
	// RetryAfter is what the provider asked for after the last look; stored in milliseconds, rounded up.
	RetryAfter time.Duration
	Reason     string // why it is due then: payment.LookReason
}

// lookColumns is what Look.targets take, from looks AS l.
const lookColumns = `l.merchant_id, l.payment_id, l.account_id, l.provider, l.created_at, l.due_at, l.unanswered,
l.hint_at, l.buyer_until, l.want_at, l.retry_after_ms, l.reason`

func (l *Look) targets() []any {
	return []any{&l.MerchantID, &l.PaymentID, &l.AccountID, &l.Provider, &l.CreatedAt, &l.DueAt, &l.Unanswered,
		&l.HintAt, &l.BuyerUntil, &l.WantAt, (*milliseconds)(&l.RetryAfter), &l.Reason}
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
	merchants, ids := make([]payment.MerchantID, len(keys)), make([]payment.ID, len(keys))
	for i, k := range keys {
		merchants[i], ids[i] = k.MerchantID, k.PaymentID
	}
	rows, err := tx.Query(ctx, getLooks, merchants, ids)
	if err != nil {
		return nil, fmt.Errorf("get looks: %w", err)
	}
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
    retry_after_ms, reason)
SELECT merchant_id, payment_id, account_id, provider, created_at, due_at, unanswered, hint_at, buyer_until, want_at, retry_after_ms, reason
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::int[], $8::timestamptz[],
    $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::text[])
  AS w (merchant_id, payment_id, account_id, provider, created_at, due_at, unanswered, hint_at, buyer_until, want_at, retry_after_ms, reason)
ORDER BY merchant_id, payment_id
ON CONFLICT (merchant_id, payment_id) DO UPDATE SET due_at = EXCLUDED.due_at, unanswered = EXCLUDED.unanswered,
    hint_at = EXCLUDED.hint_at, buyer_until = EXCLUDED.buyer_until, want_at = EXCLUDED.want_at,
    retry_after_ms = EXCLUDED.retry_after_ms, reason = EXCLUDED.reason`

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
	batch := &pgx.Batch{}
	if len(set) > 0 {
		c := newColumns(len(set), 12)
		for _, l := range set {
			c.add(l.MerchantID, l.PaymentID, l.AccountID, l.Provider, l.CreatedAt, l.DueAt, l.Unanswered, l.HintAt, l.BuyerUntil,
				l.WantAt, (l.RetryAfter + time.Millisecond - 1).Milliseconds(), l.Reason)
		}
		batch.Queue(setLooks, c.args...)
	}
	for statement, keys := range map[string][]Key{dropLooks: drop, releaseLooks: release} {
		if len(keys) > 0 {
			c := newColumns(len(keys), 2)
			for _, k := range keys {
				c.add(k.MerchantID, k.PaymentID)
			}
			batch.Queue(statement, c.args...)
		}
	}
	if batch.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("set looks: %w", err)
	}
	return nil
}

const dueAccounts = `
WITH RECURSIVE account AS (
    (SELECT account_id FROM looks ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT l.account_id FROM looks l WHERE l.account_id > a.account_id ORDER BY l.account_id LIMIT 1)
    FROM account a WHERE a.account_id IS NOT NULL
)
SELECT a.account_id FROM account a
WHERE a.account_id IS NOT NULL AND a.account_id <> ALL ($2::uuid[])
  AND EXISTS (SELECT 1 FROM looks l WHERE l.account_id = a.account_id AND l.due_at <= $1
              AND (l.leased_until IS NULL OR l.leased_until <= $1))`

// DueAccounts lists the accounts that have a look due at now, except those held back.
func (s *Store) DueAccounts(ctx context.Context, now time.Time, held []payment.AccountID) ([]payment.AccountID, error) {
	if held == nil {
		held = []payment.AccountID{}
	}
	rows, err := s.pool.Query(ctx, dueAccounts, now, held)
	if err != nil {
		return nil, fmt.Errorf("list due accounts: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[payment.AccountID])
	if err != nil {
		return nil, fmt.Errorf("list due accounts: %w", err)
	}
	return out, nil
}

const claimLooks = `
WITH newest AS (
    SELECT merchant_id, payment_id FROM looks
    WHERE account_id = $1 AND due_at <= $2 AND (leased_until IS NULL OR leased_until <= $2)
    ORDER BY (reason IN ('hint', 'hinted', 'buyer_present', 'again')) DESC, created_at DESC LIMIT $4 FOR UPDATE SKIP LOCKED
), oldest AS (
    SELECT merchant_id, payment_id FROM looks
    WHERE account_id = $1 AND due_at <= $2 AND (leased_until IS NULL OR leased_until <= $2)
    ORDER BY due_at LIMIT $5 FOR UPDATE SKIP LOCKED
), picked AS (
    SELECT * FROM newest UNION SELECT * FROM oldest
)
UPDATE looks l SET leased_until = $3
FROM picked w
WHERE l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id
RETURNING ` + lookColumns + `, l.leased_until,
    (SELECT jsonb_build_object('id', p.charge_id, 'hash', p.charge_hash, 'reference', p.charge_reference, 'trace', p.traceparent)
     FROM payments p WHERE p.merchant_id = l.merchant_id AND p.id = l.payment_id)`

// Claimed is a look that this replica holds until the lease ends, and what the provider is asked with.
type Claimed struct {
	Look
	Lease time.Time // until when it is held; tells this claim from a later one
	Ref   struct {
		ID, Hash, Reference, Trace string
	}
}

// ClaimLooks leases up to newest of the account's due sales, those first that somebody waits for, then the newest, and up to oldest of those that wait the
// longest; nobody else gets them until lease.
func (s *Store) ClaimLooks(ctx context.Context, account payment.AccountID, now, lease time.Time, newest, oldest int) ([]Claimed, error) {
	rows, err := s.pool.Query(ctx, claimLooks, account, now, lease, newest, oldest)
	if err != nil {
		return nil, fmt.Errorf("claim looks: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Claimed, err error) {
		err = row.Scan(append(c.targets(), &c.Lease, &c.Ref)...)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim looks: %w", err)
	}
	return out, nil
}

const returnLooks = `
UPDATE looks l SET leased_until = NULL, due_at = GREATEST(l.due_at, w.due_at)
FROM (
    SELECT k.merchant_id, k.payment_id, r.due_at
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS r (merchant_id, payment_id, due_at, lease)
    JOIN looks k ON k.merchant_id = r.merchant_id AND k.payment_id = r.payment_id AND k.leased_until = r.lease
    ORDER BY k.merchant_id, k.payment_id FOR UPDATE OF k
) AS w
WHERE l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id`

// ReturnLooks gives back looks that were claimed and not made (over the budget, or the gateways were away), due again at their
// DueAt and never earlier than they are due by now. What has ended or was claimed again since is left alone.
func (s *Store) ReturnLooks(ctx context.Context, looks []Claimed) error {
	if len(looks) == 0 {
		return nil
	}
	c := newColumns(len(looks), 4)
	for _, l := range looks {
		c.add(l.MerchantID, l.PaymentID, l.DueAt, l.Lease)
	}
	if _, err := s.pool.Exec(ctx, returnLooks, c.args...); err != nil {
		return fmt.Errorf("return looks: %w", err)
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
