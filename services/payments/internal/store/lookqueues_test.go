package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// A long schedule is estimated: its bulk roughly, what is rare in it exactly, and it says so.
func TestLookQueues_estimatesALongSchedule(t *testing.T) {
	b := newBench(t)
	b.fill(20_000) // all due, the oldest for five hours
	b.exec(`UPDATE payments.looks SET due_at = $1::timestamptz + interval '1 hour' WHERE created_at > $1::timestamptz - interval '2 hours'`, b.now)
	b.exec(`UPDATE payments.looks SET unanswered = 3 WHERE payment_id IN (SELECT id FROM payments.payments WHERE sale_key IN ('key4000', 'key9000'))`)
	b.exec(`UPDATE payments.looks SET provider = 'paradise' WHERE account_id = md5('account' || 7)::uuid AND created_at > $1::timestamptz - interval '1 hour'`, b.now)
	b.exec(`DELETE FROM payments.looks WHERE account_id = md5('account' || 7)::uuid AND provider <> 'paradise'`)
	b.exec(`VACUUM (ANALYZE) payments.looks`)
	late := map[string]time.Duration{"atomopay": 24 * time.Hour}
	sum := func(now time.Time, m *payment.MerchantID, counted, sampled int64) map[string]LookQueue {
		t.Helper()
		list, err := b.lookQueues(t.Context(), Scope{Now: now, Merchant: m}, late, time.Hour, counted, sampled)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]LookQueue{}
		for _, q := range list {
			out[q.Provider] = q
		}
		return out
	}
	exact, guess := sum(b.now, nil, 1e6, 0), sum(b.now, nil, 1000, 8000)
	want, got := exact["atomopay"], guess["atomopay"]
	near := func(a, b int64) bool { return a > b*7/10 && a < b*13/10 }
	if !got.About || want.About || !near(got.Due, want.Due) || !near(got.Waiting, want.Waiting) || got.NextAt == nil || !got.NextAt.Equal(*want.NextAt) {
		t.Errorf("estimated %+v, counted %+v", got, want)
	}
	if got.Failing != 2 || got.Unanswered != 2 || got.Overdue != 0 {
		t.Errorf("two of 20,000 have no answer, none is overdue: %+v", got)
	}
	if few := guess["paradise"]; few.About || fmt.Sprint(few.Due, few.Waiting) != fmt.Sprint(exact["paradise"].Due, exact["paradise"].Waiting) || few.Waiting == 0 {
		t.Errorf("a short queue beside a long one is counted: %+v, want %+v", few, exact["paradise"])
	}
	late["atomopay"] = time.Hour
	exact, guess = sum(b.now.Add(24*time.Hour), nil, 1e6, 0), sum(b.now.Add(24*time.Hour), nil, 1000, 8000)
	if got, want := guess["atomopay"].Overdue, exact["atomopay"].Overdue; want == 0 || got == 0 {
		t.Errorf("a day later %d are overdue, counted %d", got, want)
	}
	if q := sum(b.now, &b.other.merchant, 1000, 8000); len(q) != 0 {
		t.Errorf("another merchant has no looks: %+v", q)
	}
	if q := sum(b.now, &b.one.merchant, 1000, 8000)["atomopay"]; !q.About || !near(q.Due, want.Due) {
		t.Errorf("the merchant of all: %+v, counted %+v", q, want)
	}
}

func TestAbout_twoDigits(t *testing.T) {
	for hits, want := range map[int64]int64{0: 0, 1: 25, 39: 980, 39_873: 1_000_000, 12_345: 310_000} {
		if got := about(hits, 4); got != want {
			t.Errorf("%d of a share of 4: %d, want %d", hits, got, want)
		}
	}
}
