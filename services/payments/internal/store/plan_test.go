package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// plan is the part of EXPLAIN's answer that matters here.
type plan struct {
	NodeType string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Plans    []plan
}

// scans lists how the tables are read: "table: Seq Scan" or "index name".
func (p plan) scans() (out []string) {
	switch {
	case p.NodeType == "Seq Scan":
		out = append(out, p.Relation+": Seq Scan")
	case p.Index != "":
		out = append(out, p.Index)
	}
	for _, child := range p.Plans {
		out = append(out, child.scans()...)
	}
	return out
}

// explain plans a statement as the pool's connections do once it is prepared: for any arguments.
func (b *bench) explain(sql string, args ...any) []string {
	b.t.Helper()
	var raw []byte
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL plan_cache_mode = force_generic_plan`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `EXPLAIN (FORMAT JSON) `+sql, args...).Scan(&raw)
	})
	var out []struct{ Plan plan }
	if err := json.Unmarshal(raw, &out); err != nil {
		b.t.Fatal(err)
	}
	return out[0].Plan.scans()
}

const fillSales = `
INSERT INTO payments.payments (merchant_id, id, bot_id, account_id, provider, state, amount_centavos, sale_key, charge_id, charge_hash,
    charge_reference, external_id, request_hash, product_name, created_at)
SELECT $1, gen_random_uuid(), $2, md5('account' || n % 100)::uuid, 'atomopay', 'pending', 1990, 'key' || n, 'id' || n, 'hash' || n, 'ref' || n,
    'ext' || n, '', 'x', $3::timestamptz - n * interval '1 second'
FROM generate_series(1, 20000) n`

// One look, effect and webhook in a hundred is due.
const fillLooks = `
INSERT INTO payments.looks (merchant_id, payment_id, account_id, provider, created_at, due_at)
SELECT merchant_id, id, account_id, provider, created_at,
    $1::timestamptz + CASE WHEN substr(sale_key, 4)::int % 100 = 0 THEN -1 ELSE 1 END * interval '1 minute'
FROM payments.payments`

const fillEffects = `
INSERT INTO payments.effects (merchant_id, payment_id, key, kind, due_at)
SELECT merchant_id, payment_id, 'deliver', 'deliver', due_at FROM payments.looks`

const fillWebhooks = `
INSERT INTO payments.webhooks (id, provider, digest, body, state, due_at, ref_hash, sale_key, received_at)
SELECT gen_random_uuid(), 'atomopay', sha256(n::text::bytea), '', CASE WHEN n % 2 = 0 THEN 'parked' ELSE 'matched' END,
    CASE WHEN n % 100 = 0 THEN $1::timestamptz END, 'hash' || n, '', $1
FROM generate_series(1, 20000) n`

func TestPlans_hotStatementsReadIndexes(t *testing.T) {
	b := newBench(t)
	b.exec(fillSales, b.one.merchant, b.one.bot, b.now)
	b.exec(fillLooks, b.now)
	b.exec(fillEffects)
	b.exec(fillWebhooks, b.now)
	b.exec(`ANALYZE payments.payments, payments.looks, payments.effects, payments.webhooks`)
	accounts := []payment.AccountID{b.one.account}
	m, lease := []payment.MerchantID{b.one.merchant}, b.now.Add(time.Minute)
	id, texts, moments := []payment.ID{{1}}, []string{"x"}, []time.Time{b.now}
	for name, c := range map[string]struct {
		sql  string
		args []any
		want []string // indexes that must be read
	}{
		"claimLooks":    {claimLooks, []any{accounts, []int{75}, []int{25}, []time.Time{lease}, b.now}, []string{"looks_due", "looks_pkey"}},
		"dueAccounts":   {dueAccounts, []any{b.now, []payment.AccountID{}}, []string{"looks_due"}},
		"renewLooks":    {renewLooks, []any{m, id, moments, lease}, []string{"looks_pkey"}},
		"renewEffects":  {renewEffects, []any{m, id, texts, lease}, []string{"effects_pkey"}},
		"claimEffects":  {claimEffects, []any{"deliver", b.now, lease, 200}, []string{"effects_due", "effects_pkey"}},
		"claimWebhooks": {claimWebhooks, []any{b.now, lease, 200}, []string{"webhooks_due", "webhooks_pkey"}},
		"judgeWebhooks": {judgeWebhooks, []any{id, texts, texts, moments, []*payment.AccountID{nil}, []*payment.MerchantID{nil}, []*payment.ID{nil}, texts, texts, texts, texts, moments},
			[]string{"webhooks_pkey"}},
		"lockSales":     {lockSales, []any{m, id}, nil},
		"getLooks":      {getLooks, []any{m, id}, []string{"looks_pkey"}},
		"returnLooks":   {returnLooks, []any{m, id, moments, moments}, []string{"looks_pkey"}},
		"finishEffects": {finishEffects, []any{m, id, texts}, []string{"effects_pkey"}},
		"matchHints": {matchHints, []any{[]int{1}, texts, texts, []payment.AccountID{{1}}, m, texts, texts, texts},
			[]string{"payments_by_charge_hash", "payments_by_charge_id", "payments_by_charge_reference", "payments_by_sale_key"}},
		"findTaken": {findTaken, []any{[]int{1}, m, []payment.AccountID{{1}}, texts, texts, texts, texts, texts},
			[]string{"payments_idempotency_key"}},
		"unparkWebhooks": {unparkWebhooks, []any{texts, texts, texts, texts, texts, b.now},
			[]string{"webhooks_parked_hash", "webhooks_parked_id", "webhooks_parked_reference", "webhooks_parked_sale_key"}},
		"wakeParked": {wakeParked, []any{b.now.Add(-time.Second), b.now, b.now}, []string{"webhooks_parked_at", "payments_by_charge_hash", "payments_by_charge_id", "payments_by_charge_reference", "payments_by_sale_key"}},
		"sweepFrom":  {sweepFrom, []any{60}, []string{"webhooks_parked_at"}},
		"getSale":    {getSale, []any{payment.ID{1}, nil}, []string{"payments_by_id"}},
	} {
		got := b.explain(c.sql, c.args...)
		for _, scan := range got {
			if strings.HasSuffix(scan, ": Seq Scan") && scan != "bots: Seq Scan" && scan != "merchants: Seq Scan" {
				t.Errorf("%s reads a whole table: %v", name, got)
				break
			}
		}
		for _, index := range c.want {
			if !slices.Contains(got, index) {
				t.Errorf("%s reads %v, want %s among them", name, got, index)
			}
		}
	}
}

// A fresh database has no statistics, and an import that is run twice asks for many keys at once.
func TestTaken_readsLittleWithoutStatistics(t *testing.T) {
	b := newBench(t)
	var sales []Sale
	for range 200 {
		sales = append(sales, b.sale(b.one, uuid.NewString()))
	}
	b.insert(sales...)
	c := newColumns(len(sales), 8)
	for i, s := range sales {
		c.add(i, s.MerchantID, s.AccountID, s.ExternalID, s.IdempotencyKey, s.Charge.ID, s.Charge.Hash, s.Charge.Reference)
	}
	var raw []byte
	if err := b.pool.QueryRow(t.Context(), `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) `+findTaken, c.args...).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	var out []struct {
		Plan struct {
			Blocks int `json:"Shared Hit Blocks"`
		}
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if n := out[0].Plan.Blocks; n == 0 || n > 200_000 { // it was two million
		t.Errorf("%d blocks read for 200 keys of 200 sales", n)
	}
}
