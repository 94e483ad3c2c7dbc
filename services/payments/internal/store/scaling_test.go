package store

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

var pending = flag.String("pending", "2000,20000", "how many pending sales TestScaling measures with")

const fillPending = `
INSERT INTO payments.payments (merchant_id, id, bot_id, account_id, provider, state, amount_centavos, sale_key, charge_id, charge_hash,
    charge_reference, external_id, request_hash, product_name, created_at, last_outcome, facts)
SELECT $1, overlay(md5('sale' || n) PLACING lpad(to_hex((extract(epoch FROM $4::timestamptz - n * interval '1 second') * 1000)::bigint), 12, '0') FROM 1)::uuid, $2, CASE WHEN n % 2 = 0 THEN $3::uuid ELSE md5('account' || n % 100)::uuid END, 'atomopay', 'pending', 1990,
    'key' || n, 'id' || n, 'hash' || n, 'ref' || n, 'ext' || n, '', 'x', $4::timestamptz - n * interval '1 second', 'status', '{}'
FROM generate_series($5::int, $6::int) n`

const fillDue = `
INSERT INTO payments.looks (merchant_id, payment_id, account_id, provider, created_at, due_at, lane, reason)
SELECT merchant_id, id, account_id, provider, created_at, created_at, 3, 'rare' FROM payments.payments
WHERE created_at BETWEEN $1::timestamptz - $3::int * interval '1 second' AND $1::timestamptz - $2::int * interval '1 second'`

// TestScaling measures what docs/scaling.md says: how the cost of each statement grows with the pending sales, all of them due. With more:
//
//	go test -run TestScaling -v ./services/payments/internal/store -args -pending 10000,100000,1000000
func TestScaling(t *testing.T) {
	type cost struct {
		blocks int
		ms     float64
	}
	hot := []string{"claim 100 looks", "accounts that have one due", "lock 100 sales", "write 100 looks", "find the sale of a webhook"}
	cold := []string{"doctor: count the looks", "sales that an outage of an hour touched"}
	costs, answers := map[string][]cost{}, map[string][]string{}
	var head []string
	for _, text := range strings.Split(*pending, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("-pending: %q is no number", text)
		}
		b := newBench(t)
		b.fill(n)
		var keys []Key
		set := newColumns(100, 13)
		lock := newColumns(100, 2)
		rows, err := b.pool.Query(t.Context(), `SELECT merchant_id, payment_id FROM looks WHERE account_id = $1 LIMIT 100`, b.one.account)
		if err == nil {
			keys, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Key])
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			lock.add(k.MerchantID, k.PaymentID)
			set.add(k.MerchantID, k.PaymentID, b.one.account, "atomopay", b.now, b.now.Add(time.Hour), 0, nil, nil, nil, 0, "rare", 3)
		}
		x := []string{"hash7"}
		for name, s := range map[string]struct {
			sql  string
			args []any
		}{
			hot[0]:  {claimLooks, []any{[]payment.AccountID{b.one.account}, []int{75}, []int{25}, []time.Time{b.now.Add(time.Minute)}, b.now}},
			hot[1]:  {dueAccounts, []any{b.now, []payment.AccountID{}}},
			hot[2]:  {lockSales, lock.args},
			hot[3]:  {setLooks, set.args},
			hot[4]:  {matchHints, []any{[]int{1}, []string{"atomopay"}, []string{""}, []payment.AccountID{b.one.account}, []payment.MerchantID{b.one.merchant}, x, []string{""}, []string{""}}},
			cold[0]: {lookQueues, []any{nil, b.now, []string{}, []time.Time{}, []payment.ID{}, b.now, payment.ID{}, []payment.AccountID(nil)}},
			cold[1]: {countTouched, []any{b.one.merchant, b.now.Add(-2 * time.Hour), b.now.Add(-time.Hour), "", nil}},
		} {
			best := cost{}
			for range 3 {
				got := cost{}
				got.blocks, got.ms = b.cost(s.sql, s.args...)
				if best.blocks == 0 || got.ms < best.ms {
					best = got
				}
			}
			costs[name] = append(costs[name], best)
			if name == hot[0] {
				t.Logf("%d pending: %s:\n%s", n, name, b.plan(s.sql, s.args...))
			}
			t.Logf("%d pending: %s: %d blocks, %.2f ms", n, name, best.blocks, best.ms)
		}
		for name, scope := range map[string]Scope{"doctor": {Now: b.now}, "doctor, of one merchant": {Merchant: &b.one.merchant, Now: b.now}} {
			took, total := diagnose(b, scope), time.Duration(0)
			for _, d := range took {
				total += d
			}
			t.Logf("%d pending: %s, all statements: %v, %v", n, name, total.Round(time.Millisecond), took)
			answers[name+", all statements"] = append(answers[name+", all statements"], fmt.Sprintf("%d ms", total.Milliseconds()))
			answers[name+", the looks"] = append(answers[name+", the looks"], fmt.Sprintf("%d ms", took["looks"].Milliseconds()))
			if total > time.Second && *pending != flag.Lookup("pending").DefValue { // asked for by hand, on a machine that is quiet
				t.Errorf("%d pending: %s takes %v: %v", n, name, total, took)
			}
		}
		var payments, looks string
		if err := b.pool.QueryRow(t.Context(), `SELECT pg_size_pretty(pg_total_relation_size('payments')), pg_size_pretty(pg_total_relation_size('looks'))`).Scan(&payments, &looks); err != nil {
			t.Fatal(err)
		}
		head = append(head, fmt.Sprintf("%d (payments %s, looks %s)", n, payments, looks))
	}
	t.Logf("| pending | %s |", strings.Join(head, " | "))
	for _, name := range append(hot, cold...) {
		var cells []string
		for _, c := range costs[name] {
			cells = append(cells, fmt.Sprintf("%d blocks, %.2f ms", c.blocks, c.ms))
		}
		t.Logf("| %s | %s |", name, strings.Join(cells, " | "))
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		t.Logf("| %s | %s |", name, strings.Join(answers[name], " | "))
	}
	for _, name := range hot {
		first, last := costs[name][0].blocks, costs[name][len(costs[name])-1].blocks
		if last > first*2 { // a level or two more of each tree; time is not compared, machines are noisy
			t.Errorf("%s: %d blocks with the fewest sales, %d with the most", name, first, last)
		}
	}
}

// fill makes n pending sales. The indexes are built afterwards, as a restore does: that is several times faster, and they are as a restore
// leaves them. Whatever is measured lies in logged tables with all of them.
func (b *bench) fill(n int) {
	b.t.Helper()
	ctx := b.t.Context()
	rows, err := b.pool.Query(ctx, `SELECT 'payments.' || relname, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid IN ('payments.payments'::regclass, 'payments.looks'::regclass) AND NOT indisunique`)
	if err != nil {
		b.t.Fatal(err)
	}
	type index struct{ Name, Definition string }
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	if err != nil {
		b.t.Fatal(err)
	}
	for _, i := range list {
		b.exec(`DROP INDEX ` + i.Name)
	}
	for from := 1; from <= n; from += 100_000 {
		to := min(n, from+99_999)
		b.exec(fillPending, b.one.merchant, b.one.bot, b.one.account, b.now, from, to)
		b.exec(fillDue, b.now, from, to)
	}
	for _, i := range list {
		b.exec(i.Definition)
	}
	b.exec(`VACUUM (ANALYZE) payments.payments, payments.looks`)
}

// plan is how a statement runs, as PostgreSQL explains it; what it did is undone.
func (b *bench) plan(sql string, args ...any) string {
	b.t.Helper()
	tx, err := b.pool.Begin(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(b.t.Context()) }()
	rows, err := tx.Query(b.t.Context(), `EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) `+sql, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// cost runs a statement as a prepared one is, undoes it, and returns the blocks it touched and how long it took.
func (b *bench) cost(sql string, args ...any) (blocks int, ms float64) {
	b.t.Helper()
	tx, err := b.pool.Begin(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(b.t.Context()); err != nil {
			b.t.Error(err)
		}
	}()
	var raw []byte
	if err := tx.QueryRow(b.t.Context(), `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) `+sql, args...).Scan(&raw); err != nil {
		b.t.Fatal(err)
	}
	var out []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
		Execution float64 `json:"Execution Time"`
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		b.t.Fatal(err)
	}
	return cmp.Or(out[0].Plan.Hit+out[0].Plan.Read, 1), out[0].Execution
}
