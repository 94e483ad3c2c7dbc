package store

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// flood fills a bench with rows sales of sixty days, nine tenths of them another merchant's, with their schedule, work and webhooks.
func flood(b *bench, rows int) {
	b.t.Helper()
	const step = 100_000 // in one statement
	for first := 1; first <= rows; first += step {
		b.exec(`
INSERT INTO payments.payments (merchant_id, id, bot_id, account_id, provider, state, amount_centavos, paid_at, sale_key, request_hash,
    product_name, token_issued_at, message, polls, last_outcome, created_at, facts)
SELECT CASE WHEN n % 10 = 0 THEN $1::uuid ELSE $2::uuid END,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
    CASE WHEN n % 10 = 0 THEN $3::uuid ELSE $4::uuid END, CASE WHEN n % 10 = 0 THEN $5::uuid ELSE $6::uuid END,
    (ARRAY['atomopay', 'paradise', 'pushinpay'])[1 + n % 3], CASE WHEN n % 4 < 2 THEN 'paid' WHEN n % 4 = 2 THEN 'pending' ELSE 'expired' END,
    1990, CASE WHEN n % 4 < 2 THEN at END, 'k' || n, '', 'Curso', CASE WHEN n % 4 < 2 THEN at END, CASE WHEN n % 4 < 2 THEN 'sent' ELSE '' END,
    3, 'status', at, jsonb_build_object('state_since', at)
FROM (SELECT n, $7::timestamptz - n * (interval '60 days' / $8::int) AS at FROM generate_series($9::int, $10::int) n) s`,
			b.one.merchant, b.other.merchant, b.one.bot, b.other.bot, b.one.account, b.other.account, b.now, rows, first, min(first+step-1, rows))
	}
	b.exec(`
INSERT INTO payments.looks (merchant_id, payment_id, account_id, provider, created_at, due_at)
SELECT merchant_id, id, account_id, provider, created_at, $1::timestamptz + (polls || ' min')::interval FROM payments.payments WHERE state = 'pending'`, b.now)
	b.exec(`
INSERT INTO payments.webhooks (id, provider, digest, body, received_at, state, merchant_id)
SELECT gen_random_uuid(), provider, decode(md5(id::text), 'hex'), '', created_at, 'matched', merchant_id FROM payments.payments WHERE state = 'paid'`)
	b.exec(`
INSERT INTO payments.effects (merchant_id, payment_id, key, kind, due_at, created_at)
SELECT merchant_id, id, 'owner:1', 'owner', created_at, created_at FROM payments.payments WHERE right(sale_key, 2) = '07'`)
	b.exec(`ANALYZE payments.payments, payments.looks, payments.webhooks, payments.effects`)
}

// explained is how PostgreSQL runs a statement with these arguments.
func explained(b *bench, sql string, args ...any) string {
	b.t.Helper()
	rows, err := b.pool.Query(b.t.Context(), "EXPLAIN "+sql, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestDiagnosis_usesIndexes(t *testing.T) {
	b := newBench(t)
	flood(b, 30_000)
	from := since(b.now.Add(-day)).String()
	for scope, m := range map[string]any{"all": nil, "one merchant": b.one.merchant.String()} {
		for name, c := range map[string]struct {
			sql  string
			args []any
			// table is the one that must not be read as a whole.
			table string
		}{
			"last sales":    {lastSales, []any{m}, "payments"},
			"provider days": {providerDays, []any{m, from}, "payments"},
			"stuck sales":   {stuckSales, []any{m, from, b.now}, "payments"},
			"webhook days":  {webhookDays, []any{m, b.now.Add(-day), b.now.Add(-30 * day)}, "webhooks"},
			"inbox":         {inbox, []any{m, b.now, b.now}, "webhooks"},
		} {
			if p := explained(b, c.sql, c.args...); strings.Contains(p, "Seq Scan on "+c.table) {
				t.Errorf("%s of %s reads the whole table:\n%s", name, scope, p)
			}
		}
	}
	p := explained(b, openEffects, b.one.merchant.String(), uuid.NewString())
	if !strings.Contains(p, "effects_pkey") {
		t.Errorf("open effects: %s", p)
	}
}

// diagnose runs the whole diagnosis and says how long each part took.
func diagnose(b *bench, c Scope) map[string]time.Duration {
	b.t.Helper()
	ctx, took := b.t.Context(), map[string]time.Duration{}
	for name, step := range map[string]func() error{
		"last":    func() error { _, err := b.LastSales(ctx, c); return err },
		"days":    func() error { _, err := b.ProviderDays(ctx, c); return err },
		"stuck":   func() error { _, err := b.StuckSales(ctx, c, 2*time.Minute); return err },
		"reviews": func() error { _, _, err := b.OpenReviews(ctx, c); return err },
		"looks": func() error {
			_, err := b.LookQueues(ctx, c, map[string]time.Duration{"paradise": time.Minute}, time.Hour)
			return err
		},
		"effects":  func() error { _, err := b.EffectQueues(ctx, c); return err },
		"webhooks": func() error { _, err := b.WebhookDays(ctx, c); return err },
		"inbox":    func() error { _, err := b.Inbox(ctx, c, time.Minute); return err },
		"runs":     func() error { _, err := b.Runs(ctx); return err },
	} {
		start := time.Now()
		if err := step(); err != nil {
			b.t.Fatalf("%s: %v", name, err)
		}
		took[name] = time.Since(start)
	}
	return took
}

func TestDiagnosis_counts(t *testing.T) {
	b := newBench(t)
	rows := 12_000
	if n, err := strconv.Atoi(os.Getenv("BAIXA_FLOOD")); err == nil {
		rows = n // for measuring by hand
	}
	flood(b, rows)
	all, one := Scope{Now: b.now}, Scope{Merchant: &b.one.merchant, Now: b.now}
	t.Logf("all of %d sales: %v", rows, diagnose(b, all))
	t.Logf("one merchant of %d sales: %v", rows, diagnose(b, one))
	sum := func(c Scope) (total, paid, polls int64) {
		days, err := b.ProviderDays(t.Context(), c)
		if err != nil || len(days) != 3 {
			t.Fatal(days, err)
		}
		for _, d := range days {
			total, paid, polls = total+d.Total, paid+d.Paid, polls+d.Polls
		}
		return total, paid, polls
	}
	day := int64(rows / 60)
	if total, paid, polls := sum(all); total != day || paid < day/2-1 || paid > day/2+1 || polls != 3*day {
		t.Errorf("all: %d sales of %d, %d paid, %d polls", total, day, paid, polls)
	}
	if total, _, _ := sum(one); total != day/10 {
		t.Errorf("one merchant: %d sales of %d", total, day/10)
	}
	hooks, err := b.WebhookDays(t.Context(), all)
	if err != nil || len(hooks) != 3 {
		t.Fatal(hooks, err)
	}
	looks, err := b.LookQueues(t.Context(), Scope{Now: b.now.Add(10 * time.Minute)}, map[string]time.Duration{"paradise": 5 * time.Minute}, 8*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range looks {
		if q.Due == 0 || q.Waiting != 0 || (q.Overdue == q.Due) != (q.Provider == "paradise") || q.Provider != "paradise" && q.Overdue != 0 {
			t.Errorf("three minutes in, seven late: %+v", q)
		}
	}
}

func TestSince_orderOfIDs(t *testing.T) {
	at := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	u, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	if id, now := payment.ID(u).String(), time.Now(); id < since(now.Add(-time.Minute)).String() || id > since(now.Add(time.Minute)).String() {
		t.Errorf("an id made now, %s, does not lie about now", id)
	}
	if got := since(at).String(); got != fmt.Sprintf("%08x-%04x-0000-0000-000000000000", at.UnixMilli()>>16, at.UnixMilli()&0xffff) {
		t.Error(got)
	}
}

func TestStuckSales_cases(t *testing.T) {
	b := newBench(t)
	old, fresh := b.now.Add(-time.Hour), b.now.Add(-time.Minute)
	v7 := func(n byte) payment.ID { id := since(old); id[6], id[15] = 0x70, n; return id }
	names := []string{"fine", "no link", "no message", "just paid", "elsewhere", "opened", "other merchant", "unreachable"}
	for i, name := range names {
		n := b.one
		if name == "other merchant" {
			n = b.other
		}
		s := b.sale(n, name)
		s.ID, s.DeliveredElsewhere = v7(byte(i)), name == "elsewhere"
		b.insert(s)
		since, token, message, opened := old, &old, "", (*time.Time)(nil)
		switch name {
		case "fine":
			message = "sent"
		case "unreachable":
			message = "undeliverable"
		case "just paid":
			since, token = fresh, nil
		case "no link", "other merchant", "elsewhere":
			token = nil
		case "opened":
			opened = &fresh
		}
		b.exec(`UPDATE payments.payments SET state = 'paid', paid_at = $2, token_issued_at = $3, message = $4, opened_at = $5,
    facts = jsonb_build_object('state_since', $6::timestamptz) WHERE id = $1`, s.ID, old, token, message, opened, since)
	}
	// An old sale whose delivery is still tried, and one that was refunded meanwhile.
	for i, state := range []string{"paid", "refunded"} {
		s := b.sale(b.one, state)
		s.ID = payment.ID{0, 0, byte(i)}
		b.insert(s)
		b.exec(`UPDATE payments.payments SET state = $2, paid_at = '2026-01-01Z' WHERE id = $1`, s.ID, state)
		b.exec(`INSERT INTO payments.effects (merchant_id, payment_id, key, kind, created_at) VALUES ($1, $2, 'deliver', 'deliver', $3)`, b.one.merchant, s.ID, old)
	}
	for name, c := range map[string]struct {
		scope Scope
		want  Stuck
	}{
		"one": {Scope{Merchant: &b.one.merchant, Now: b.now}, Stuck{NoToken: 2, NoMessage: 1, NoTokenAmount: 3980, NoMessageAmount: 1990,
			NoTokenSample: payment.ID{}.String(), NoMessageSample: v7(2).String()}},
		"other": {Scope{Merchant: &b.other.merchant, Now: b.now}, Stuck{NoToken: 1, NoTokenAmount: 1990, NoTokenSample: v7(6).String()}},
		"all": {Scope{Now: b.now}, Stuck{NoToken: 3, NoMessage: 1, NoTokenAmount: 5970, NoMessageAmount: 1990,
			NoTokenSample: payment.ID{}.String(), NoMessageSample: v7(2).String()}},
	} {
		got, err := b.StuckSales(t.Context(), c.scope, 2*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestOpenEffects_oneSaleOldestFirst(t *testing.T) {
	b := newBench(t)
	sales := b.insert(b.bare(b.one), b.bare(b.one))
	for i, s := range []Sale{sales[0], sales[0], sales[1]} {
		b.exec(`INSERT INTO payments.effects (merchant_id, payment_id, key, kind, payload, due_at, attempts, last_error, created_at)
VALUES ($1, $2, $3, 'owner', '{"type":"alert"}', $4, 2, 'Unavailable', $5)`, s.MerchantID, s.ID, fmt.Sprintf("owner:%d", i), b.now, b.now.Add(-time.Duration(i)*time.Second))
	}
	got, err := b.OpenEffects(t.Context(), key(sales[0]))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "owner:1" || got[1].Attempts != 2 || got[1].LastError != "Unavailable" || string(got[1].Payload) == "" || !got[1].DueAt.Equal(b.now) {
		t.Errorf("%+v", got)
	}
}
