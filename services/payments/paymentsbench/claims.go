// Package paymentsbench is the door for `baixa bench` to what the payments service does without being asked: the claim of looks that are
// due, on tables of any size.
//
// It refuses to be a second implementation: statements are the store's own, and filling writes rows as the service would have left them.
package paymentsbench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Claims claims looks in a database of its own.
type Claims struct {
	store    *store.Store
	admin    *pgxpool.Pool
	pool     *pgxpool.Pool
	accounts []payment.AccountID
	merchant payment.MerchantID
	bot      uuid.UUID
	now      time.Time
}

// Batch is how many looks one claim takes from all accounts; of each account two of ten are those that wait the longest.
const (
	Batch    = 100
	accounts = 10
	oldest   = 2
	newest   = Batch/accounts - oldest
)

// Open brings the database at dsn to this version and connects as the service's role; admin fills and explains. The caller closes it.
func Open(ctx context.Context, dsn string, admin *pgxpool.Pool) (*Claims, error) {
	if err := pg.Migrate(ctx, dsn, store.Schema); err != nil {
		return nil, err
	}
	pool, err := pg.Open(ctx, pg.Config{DSN: dsn, Schema: store.Schema.Name, Role: store.Schema.Role, MaxConns: 2, AppName: "baixa bench"})
	if err != nil {
		return nil, err
	}
	c := &Claims{store: store.New(pool), admin: admin, pool: pool, merchant: payment.MerchantID(uuid.New()), bot: uuid.New()}
	for range accounts {
		c.accounts = append(c.accounts, payment.AccountID(uuid.New()))
	}
	return c, nil
}

// Close gives back the connections.
func (c *Claims) Close() { c.pool.Close() }

const (
	emptyAll   = `TRUNCATE payments.merchants, payments.bots, payments.payments, payments.looks CASCADE`
	fillOwners = `
WITH m AS (INSERT INTO payments.merchants (id, name) VALUES ($1, 'Loja') RETURNING id)
INSERT INTO payments.bots (merchant_id, id, external_id, name) SELECT id, $2, '35', 'Bot' FROM m`
	fillSales = `
INSERT INTO payments.payments (merchant_id, id, bot_id, account_id, provider, state, amount_centavos, sale_key, charge_id, charge_hash,
    external_id, request_hash, product_name, polls, created_at)
SELECT $1, gen_random_uuid(), $2, ($3::uuid[])[1 + n % cardinality($3::uuid[])], 'atomopay', 'pending', 1990, 'key' || n, 'id' || n, 'hash' || n,
    'ext' || n, ''::bytea, 'Curso', 3, $4::timestamptz - make_interval(secs => n % 2592000)
FROM generate_series(1, $5::int) n`
	fillLooks = `
INSERT INTO payments.looks (merchant_id, payment_id, account_id, provider, created_at, due_at, lane, reason)
SELECT merchant_id, id, account_id, provider, created_at,
    $1::timestamptz + CASE WHEN substr(sale_key, 4)::int <= $2 THEN -1 ELSE 1 END * make_interval(secs => 1 + substr(sale_key, 4)::int % 3600),
    CASE WHEN created_at > $1::timestamptz - interval '5 minutes' THEN 1 WHEN created_at > $1::timestamptz - interval '1 hour' THEN 2 ELSE 3 END, 'rare'
FROM payments.payments`
)

const plainIndexes = `
SELECT 'DROP INDEX ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid)
FROM pg_index i
WHERE i.indrelid IN ('payments.payments'::regclass, 'payments.looks'::regclass)
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)`

// Fill replaces all sales by pending ones, due of which are due now, spread over accounts; the others are within the next hour. Indexes
// are built after the rows, which is much faster and leaves the same.
func (c *Claims) Fill(ctx context.Context, pending, due int) error {
	c.now = time.Now().UTC()
	conn, err := c.admin.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("fill %d pending sales: %w", pending, err)
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, plainIndexes)
	if err != nil {
		return fmt.Errorf("list indexes: %w", err)
	}
	var drop, build []string
	var d, b string
	if _, err := pgx.ForEachRow(rows, []any{&d, &b}, func() error { drop, build = append(drop, d), append(build, b); return nil }); err != nil {
		return fmt.Errorf("list indexes: %w", err)
	}
	type step struct {
		sql  string
		args []any
	}
	steps := []step{{emptyAll, nil}, {fillOwners, []any{c.merchant, c.bot}}, {`SET session_replication_role = replica`, nil}}
	for _, sql := range drop {
		steps = append(steps, step{sql, nil})
	}
	steps = append(steps, step{fillSales, []any{c.merchant, c.bot, c.accounts, c.now, pending}}, step{fillLooks, []any{c.now, due}})
	for _, sql := range build {
		steps = append(steps, step{sql, nil})
	}
	steps = append(steps, step{`RESET session_replication_role`, nil}, step{`VACUUM ANALYZE payments.payments`, nil},
		step{`VACUUM ANALYZE payments.looks`, nil}, step{`CHECKPOINT`, nil})
	for _, s := range steps {
		if _, err := conn.Exec(ctx, s.sql, s.args...); err != nil {
			return fmt.Errorf("fill %d pending sales: %w", pending, err)
		}
	}
	return nil
}

// Claim finds the accounts that have something due and claims a batch from them, as a replica does, and returns how many it got.
func (c *Claims) Claim(ctx context.Context) (int, error) {
	due, err := c.store.DueAccounts(ctx, c.now, nil)
	if err != nil {
		return 0, err
	}
	shares := make([]store.Share, len(due))
	for i, a := range due {
		shares[i] = store.Share{AccountID: a.AccountID, Newest: newest, Oldest: oldest, Lease: c.now.Add(time.Hour)}
	}
	claimed, err := c.store.ClaimLooks(ctx, c.now, shares)
	return len(claimed), err
}

// Reset gives back all that was claimed.
func (c *Claims) Reset(ctx context.Context) error {
	for _, sql := range []string{`UPDATE payments.looks SET leased_until = NULL WHERE leased_until IS NOT NULL`, `VACUUM ANALYZE payments.looks`} {
		if _, err := c.admin.Exec(ctx, sql); err != nil {
			return fmt.Errorf("give claims back: %w", err)
		}
	}
	return nil
}

// Reads is how a claim reads its tables.
type Reads struct {
	// Indexes are those that are read; Whole the tables that are read from end to end, of which there should be none.
	Indexes, Whole []string
	// Blocks are the pages that one claim touched.
	Blocks float64
}

type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Hit      float64 `json:"Shared Hit Blocks"`
	Read     float64 `json:"Shared Read Blocks"`
	Plans    []node
}

func (n node) walk(r *Reads) {
	switch {
	case n.Type == "Seq Scan" && n.Relation != "merchants" && n.Relation != "bots":
		r.Whole = append(r.Whole, n.Relation)
	case n.Index != "" && !slices.Contains(r.Indexes, n.Index):
		r.Indexes = append(r.Indexes, n.Index)
	}
	for _, child := range n.Plans {
		child.walk(r)
	}
}

// Explain runs one claim under EXPLAIN (ANALYZE, BUFFERS) and rolls it back.
func (c *Claims) Explain(ctx context.Context) (r Reads, err error) {
	tx, err := c.pool.Begin(ctx)
	if err != nil {
		return r, fmt.Errorf("explain a claim: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it is never committed
	shares := make([]store.Share, len(c.accounts))
	for i, a := range c.accounts {
		shares[i] = store.Share{AccountID: a, Newest: newest, Oldest: oldest, Lease: c.now.Add(time.Hour)}
	}
	raw, err := store.ExplainClaim(ctx, tx, c.now, shares)
	if err != nil {
		return r, err
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(raw, &plans); err != nil || len(plans) != 1 {
		return r, fmt.Errorf("explain a claim: a plan of another shape (%w)", err)
	}
	plans[0].Plan.walk(&r)
	r.Blocks = plans[0].Plan.Hit + plans[0].Plan.Read
	slices.Sort(r.Indexes)
	return r, nil
}
