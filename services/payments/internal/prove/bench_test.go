package prove

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// copySales makes n more sales of a sale and its history, each with identifiers of its own.
const copySales = `
WITH fresh AS (
    SELECT md5($1::uuid::text || n)::uuid AS id, n FROM generate_series($2::int, $3::int) n
), sales AS (
    INSERT INTO payments SELECT (jsonb_populate_record(p, jsonb_build_object('id', f.id, 'sale_key', 'copy' || n, 'charge_hash', 'copy' || n, 'page_key', 'copy' || n))).*
    FROM payments p, fresh f WHERE p.id = $1::uuid
)
INSERT INTO payment_events (merchant_id, payment_id, number, at, kind, source, from_state, to_state, details, trace_id, decision)
SELECT e.merchant_id, f.id, e.number, e.at, e.kind, e.source, e.from_state, e.to_state, e.details, e.trace_id, e.decision
FROM payment_events e, fresh f WHERE e.payment_id = $1::uuid`

// everything is a notifier that has recorded everything.
type everything struct{ notebook }

func (everything) Unrecorded(context.Context, payment.MerchantID, []Duty) ([]Unrecorded, error) {
	return nil, nil
}

// BenchmarkRun proves sales that were created, paid, delivered, told, opened and followed, and reports how many a second and the most
// memory that was in use meanwhile:
//
//	go test -run - -bench Run -benchtime 1x ./services/payments/internal/prove
func BenchmarkRun(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newBench(b)
			w.many(n)
			for name, leaves := range map[string]Leaves{"history": nil, "leaves": everything{}} {
				b.Run(name, func(b *testing.B) {
					var most uint64
					for b.Loop() {
						runtime.GC()
						counts, err := Run(b.Context(), Config{Pool: w.store.Pool(), Leaves: leaves, Policy: standard}, nil, func([]Found, Counts) error {
							var m runtime.MemStats
							runtime.ReadMemStats(&m)
							most = max(most, m.HeapAlloc)
							return nil
						})
						if err != nil || !counts.Proved() || counts.Sales != int64(n) {
							b.Fatalf("%+v %v", counts, err)
						}
					}
					b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "sales/s")
					b.ReportMetric(float64(most)/1e6, "MB-heap")
				})
			}
		})
	}
}

func standard(payment.MerchantID, payment.AccountID, string) (payment.Policy, payment.PollPolicy) {
	return payment.StandardPolicy(), payment.DefaultPolicy("atomopay")
}

// many makes n sales with the same story, the statistics included.
func (b *bench) many(n int) {
	b.t.Helper()
	k := b.sold()
	for _, kind := range []payment.Kind{payment.HintReceived, payment.Opened, payment.PurchaseQueued, payment.PurchaseSent} {
		b.apply(k, kind, 0)
	}
	b.edit(`DELETE FROM effects`)
	for from := 1; from < n; from += 500 { // a statement has its limit, and the machine may be busy
		b.edit(copySales, k.PaymentID, from, min(n-1, from+499))
	}
	b.edit(`UPDATE statistics SET count = count * $1, centavos = centavos * $1`, n)
	if _, err := b.admin.Exec(b.t.Context(), `VACUUM (ANALYZE) payments.payments, payments.payment_events`); err != nil {
		b.t.Fatal(err)
	}
}

// The proof keeps a batch and a merchant's sums, however many sales there are.
func TestRun_memoryIsBounded(t *testing.T) {
	b := newBench(t)
	b.many(5_000)
	var first, last uint64
	calls := 0
	counts, err := Run(t.Context(), Config{Pool: b.store.Pool(), Leaves: everything{}, Policy: standard}, nil, func([]Found, Counts) error {
		if calls++; calls%5 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			if last = m.HeapAlloc; first == 0 {
				first = last
			}
		}
		return nil
	})
	if err != nil || !counts.Proved() || counts.Sales != 5_000 || counts.Asked != 5_000 {
		t.Fatalf("%+v %v", counts, err)
	}
	if last > first+4<<20 {
		t.Errorf("%d KB are in use after 1,000 sales, %d KB at the end", first>>10, last>>10)
	}
}
