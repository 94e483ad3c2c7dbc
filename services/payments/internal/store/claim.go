package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// DueAccount is an account that has a look due.
type DueAccount struct {
	AccountID  payment.AccountID
	MerchantID payment.MerchantID
	Provider   string
	Weight     int // the merchant's part, 1 to 100
}

// lookAccounts is account, the accounts that have looks, as a part of recursive statements: one step of an index each, however many looks there are.
const lookAccounts = `account AS (
    (SELECT account_id, merchant_id, provider FROM looks ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT n.account_id, n.merchant_id, n.provider
    FROM account a CROSS JOIN LATERAL (
        SELECT l.account_id, l.merchant_id, l.provider FROM looks l WHERE l.account_id > a.account_id ORDER BY l.account_id LIMIT 1
    ) n
)`

const dueAccounts = `WITH RECURSIVE ` + lookAccounts + `
SELECT a.account_id, a.merchant_id, a.provider, (SELECT m.look_weight FROM merchants m WHERE m.id = a.merchant_id)
FROM account a
WHERE a.account_id <> ALL ($2::uuid[])
  AND EXISTS (SELECT FROM (VALUES (0), (1), (2), (3)) AS v (lane) CROSS JOIN LATERAL (
        SELECT FROM looks l WHERE l.account_id = a.account_id AND l.lane = v.lane AND l.due_at <= $1
          AND (l.leased_until IS NULL OR l.leased_until <= $1)
        LIMIT 1) AS free)`

// DueAccounts lists the accounts that have a look due at now, except those held back. It reads a few index entries an account, however
// many looks there are.
func (s *Store) DueAccounts(ctx context.Context, now time.Time, held []payment.AccountID) ([]DueAccount, error) {
	if held == nil {
		held = []payment.AccountID{}
	}
	rows, err := s.pool.Query(ctx, dueAccounts, now, held)
	if err != nil {
		return nil, fmt.Errorf("list due accounts: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DueAccount])
	if err != nil {
		return nil, fmt.Errorf("list due accounts: %w", err)
	}
	return out, nil
}

const nextDue = `WITH RECURSIVE ` + lookAccounts + `
SELECT min(n.due_at)
FROM account a CROSS JOIN (VALUES (0), (1), (2), (3)) AS v (lane) CROSS JOIN LATERAL (
    SELECT l.due_at FROM looks l WHERE l.account_id = a.account_id AND l.lane = v.lane AND l.due_at > $1 ORDER BY l.due_at LIMIT 1
) n
WHERE a.account_id <> ALL ($2::uuid[])`

// NextDue is when the first look after now becomes due, except those of accounts held back; the zero time when there is none. It reads a few
// index entries an account.
func (s *Store) NextDue(ctx context.Context, now time.Time, held []payment.AccountID) (time.Time, error) {
	if held == nil {
		held = []payment.AccountID{}
	}
	var at *time.Time
	if err := s.pool.QueryRow(ctx, nextDue, now, held).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("find the next look: %w", err)
	}
	if at == nil {
		return time.Time{}, nil
	}
	return *at, nil
}

// Rows are locked one by one in the index's order, until there are enough: the inner LIMIT stops a lane, the outer one the account. What
// was found without a lock is tested again with it: another replica may have claimed it in between. The LIMIT of picked is a literal, for the planner believes no other.
const claimLooks = `
WITH want AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[], $4::timestamptz[]) AS w (account_id, newest, oldest, lease)
), newest AS MATERIALIZED (
    SELECT n.merchant_id, n.payment_id, w.lease
    FROM want w CROSS JOIN LATERAL (
        SELECT l.merchant_id, l.payment_id FROM (VALUES (0), (1), (2), (3)) AS v (lane) CROSS JOIN LATERAL (
            SELECT k.merchant_id, k.payment_id FROM looks k
            WHERE k.account_id = w.account_id AND k.lane = v.lane AND k.due_at <= $5 AND (k.leased_until IS NULL OR k.leased_until <= $5)
            ORDER BY k.due_at DESC LIMIT w.newest FOR UPDATE SKIP LOCKED
        ) l LIMIT w.newest
    ) n
), oldest AS MATERIALIZED (
    SELECT o.merchant_id, o.payment_id, w.lease
    FROM want w CROSS JOIN LATERAL (
        SELECT c.merchant_id, c.payment_id FROM (VALUES (0), (1), (2), (3)) AS v (lane) CROSS JOIN LATERAL (
            SELECT k.merchant_id, k.payment_id, k.due_at FROM looks k
            WHERE k.account_id = w.account_id AND k.lane = v.lane AND k.due_at <= $5 AND (k.leased_until IS NULL OR k.leased_until <= $5)
            ORDER BY k.due_at LIMIT w.oldest
        ) c ORDER BY c.due_at LIMIT w.oldest
    ) o CROSS JOIN LATERAL (
        SELECT FROM looks k WHERE k.merchant_id = o.merchant_id AND k.payment_id = o.payment_id
          AND k.due_at <= $5 AND (k.leased_until IS NULL OR k.leased_until <= $5) LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS locked
), picked AS MATERIALIZED (
    SELECT merchant_id, payment_id, min(lease) AS lease, bool_and(oldest) AS oldest
    FROM (SELECT *, false AS oldest FROM newest UNION ALL SELECT *, true FROM oldest) both_ends
    GROUP BY merchant_id, payment_id LIMIT 500
)
UPDATE looks l SET leased_until = w.lease
FROM picked w
WHERE l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id
RETURNING ` + lookColumns + `, l.leased_until, w.oldest,
    (SELECT jsonb_build_object('id', p.charge_id, 'hash', p.charge_hash, 'reference', p.charge_reference, 'trace', p.traceparent)
     FROM payments p WHERE p.merchant_id = l.merchant_id AND p.id = l.payment_id)`

// Share is what one account gets of a claim: up to Newest looks in the order of the lanes, and up to Oldest of those that wait the
// longest, for nobody else until Lease.
type Share struct {
	AccountID      payment.AccountID
	Newest, Oldest int
	Lease          time.Time
}

// Claimed is a look that this replica holds until the lease ends, and what the provider is asked with.
type Claimed struct {
	Look
	Lease  time.Time // until when it is held; tells this claim from a later one
	Oldest bool      // it was taken from among those that wait the longest
	Ref    struct {
		ID, Hash, Reference, Trace string
	}
}

// ClaimLooks leases what is due at now, up to 500 looks in all, in no order. A look that belongs to both ends counts as one of the newest.
func (s *Store) ClaimLooks(ctx context.Context, now time.Time, shares []Share) ([]Claimed, error) {
	rows, err := pg.ByKey.Query(ctx, s.pool, claimLooks, claimArgs(now, shares)...)
	if err != nil {
		return nil, fmt.Errorf("claim looks: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Claimed, err error) {
		err = row.Scan(append(c.targets(), &c.Lease, &c.Oldest, &c.Ref)...)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim looks: %w", err)
	}
	return out, nil
}

const claimFirstLooks = `
UPDATE looks l SET leased_until = w.lease
FROM (
    SELECT k.merchant_id, k.payment_id, r.lease, p.charge_id, p.charge_hash, p.charge_reference, p.traceparent
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS r (merchant_id, payment_id, lease)
    JOIN payments p ON p.merchant_id = r.merchant_id AND p.id = r.payment_id AND p.state = 'pending' AND p.polls = 0 AND p.hints = 0
    JOIN looks k ON k.merchant_id = r.merchant_id AND k.payment_id = r.payment_id AND (k.leased_until IS NULL OR k.leased_until <= $4)
    ORDER BY k.merchant_id, k.payment_id FOR UPDATE OF k SKIP LOCKED
) AS w
WHERE l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id
RETURNING ` + lookColumns + `, l.leased_until, w.charge_id, w.charge_hash, w.charge_reference, w.traceparent`

// ClaimFirstLooks leases, whether they are due or not, the looks of those sales that are pending and were neither looked at nor hinted at before.
// keys[i] is held until lease[i]. Those that somebody holds are left out. Should the server crash at once, the looks are free again: what a
// provider forbids for longer than a moment, gateways keeps by rows of its own, which are on disk before the call.
func (s *Store) ClaimFirstLooks(ctx context.Context, now time.Time, keys []Key, lease []time.Time) ([]Claimed, error) {
	c := newColumns(len(keys), 3)
	for i, k := range keys {
		c.add(k.MerchantID, k.PaymentID, lease[i])
	}
	rows, err := pg.Lease.Query(ctx, s.pool, claimFirstLooks, append(c.args, now)...)
	if err != nil {
		return nil, fmt.Errorf("claim first looks: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Claimed, err error) {
		err = row.Scan(append(c.targets(), &c.Lease, &c.Ref.ID, &c.Ref.Hash, &c.Ref.Reference, &c.Ref.Trace)...)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim first looks: %w", err)
	}
	return out, nil
}

func claimArgs(now time.Time, shares []Share) []any {
	c := newColumns(len(shares), 4)
	for _, share := range shares {
		c.add(share.AccountID, share.Newest, share.Oldest, share.Lease)
	}
	return append(c.args, now)
}

// ExplainClaim is ClaimLooks under EXPLAIN (ANALYZE, BUFFERS), planned for any arguments as a prepared statement is; the plan is JSON.
// What it leases is tx's to roll back.
func ExplainClaim(ctx context.Context, tx pgx.Tx, now time.Time, shares []Share) (plan []byte, err error) {
	if _, err := tx.Exec(ctx, `SET LOCAL plan_cache_mode = force_generic_plan`); err != nil {
		return nil, fmt.Errorf("explain a claim: %w", err)
	}
	if err := tx.QueryRow(ctx, `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) `+claimLooks, claimArgs(now, shares)...).Scan(&plan); err != nil {
		return nil, fmt.Errorf("explain a claim: %w", err)
	}
	return plan, nil
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

const renewLooks = `
UPDATE looks l SET leased_until = $4
FROM (
    SELECT k.merchant_id, k.payment_id
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS r (merchant_id, payment_id, lease)
    JOIN looks k ON k.merchant_id = r.merchant_id AND k.payment_id = r.payment_id AND k.leased_until = r.lease
    ORDER BY k.merchant_id, k.payment_id FOR UPDATE OF k SKIP LOCKED
) AS w
WHERE l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id
RETURNING l.merchant_id, l.payment_id`

// RenewLooks holds claimed looks until a later moment and writes it into them. What is held by somebody else by now, or has ended, or is
// just being written, keeps its Lease as it was.
func (s *Store) RenewLooks(ctx context.Context, looks []Claimed, until time.Time) error {
	c := newColumns(len(looks), 3)
	for _, l := range looks {
		c.add(l.MerchantID, l.PaymentID, l.Lease)
	}
	until = until.Truncate(time.Microsecond) // as PostgreSQL keeps it: a lease is told by its end
	rows, err := s.pool.Query(ctx, renewLooks, append(c.args, until)...)
	if err != nil {
		return fmt.Errorf("renew looks: %w", err)
	}
	renewed, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Key])
	if err != nil {
		return fmt.Errorf("renew looks: %w", err)
	}
	held := make(map[Key]bool, len(renewed))
	for _, k := range renewed {
		held[k] = true
	}
	for i := range looks {
		if held[Key{looks[i].MerchantID, looks[i].PaymentID}] {
			looks[i].Lease = until
		}
	}
	return nil
}
