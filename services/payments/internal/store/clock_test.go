package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestAheadLooks_findsWhatTheClockHasNotReached(t *testing.T) {
	b := newBench(t)
	looked, born, fine := b.look(b.one, "looked", time.Hour), b.look(b.other, "born", time.Hour), b.look(b.one, "fine", time.Hour)
	born.CreatedAt = b.now.Add(30 * time.Minute)
	b.set(looked, born, fine)
	b.exec(`UPDATE payments.payments SET last_poll_at = $2 WHERE id = $1`, looked.PaymentID, b.now.Add(50*time.Minute))
	b.exec(`UPDATE payments.payments SET last_poll_at = $2 WHERE id = $1`, fine.PaymentID, b.now)
	got := map[payment.ID]bool{}
	beyond := Key{}
	for {
		keys, err := b.AheadLooks(t.Context(), b.now.Add(time.Second), 1, beyond)
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		got[keys[0].PaymentID], beyond = true, keys[0]
	}
	if d := cmp.Diff(map[payment.ID]bool{looked.PaymentID: true, born.PaymentID: true}, got); d != "" {
		t.Errorf("ahead of the clock (-want +got):\n%s", d)
	}
}

func TestPullBack_freesAndHastens(t *testing.T) {
	b := newBench(t)
	l := b.look(b.one, "a", -time.Minute)
	b.set(l)
	b.exec(`UPDATE payments.looks SET leased_until = $1`, b.now.Add(time.Hour))
	b.exec(`INSERT INTO payments.effects (merchant_id, payment_id, key, kind, due_at, leased_until) VALUES ($1, $2, 'deliver', 'deliver', $3, $3)`,
		l.MerchantID, l.PaymentID, b.now.Add(time.Hour))
	b.exec(`INSERT INTO payments.webhooks (id, provider, digest, body, due_at, leased_until) VALUES (gen_random_uuid(), 'atomopay', 'x', '', $1, $1)`, b.now.Add(time.Hour))
	b.exec(`INSERT INTO payments.alert_lanes (merchant_id, kind, due_at) VALUES ($1, 'sale_paid', $2)`, l.MerchantID, b.now.Add(time.Hour))
	b.exec(`INSERT INTO payments.reschedules (merchant_id, id, account_id, provider, reason, gone, paid, due_at, leased_until)
		VALUES ($1, gen_random_uuid(), $2, 'atomopay', 'policy', false, false, $3, $3)`, l.MerchantID, l.AccountID, b.now.Add(time.Hour))
	if err := b.PullBack(t.Context(), b.now); err != nil {
		t.Fatal(err)
	}
	if got := b.claim(b.one, 1, 0); len(got) != 1 {
		t.Error("the look is still somebody's")
	}
	if got, err := b.ClaimEffects(t.Context(), "deliver", b.now, b.now.Add(time.Minute), 1); err != nil || len(got) != 1 {
		t.Errorf("the delivery waits still: %v, %v", got, err)
	}
	if got, err := b.ClaimWebhooks(t.Context(), b.now, b.now.Add(time.Minute), 1); err != nil || len(got) != 1 {
		t.Errorf("the webhook waits still: %v, %v", got, err)
	}
	for _, table := range []string{"alert_lanes", "reschedules"} {
		var due time.Time
		if err := b.pool.QueryRow(t.Context(), `SELECT due_at FROM payments.`+table).Scan(&due); err != nil || due.After(b.now) {
			t.Errorf("%s: due %s from now, %v", table, due.Sub(b.now), err)
		}
	}
	if _, err := b.ClaimReschedule(t.Context(), b.now, b.now.Add(time.Minute)); err != nil {
		t.Errorf("the policy's change waits still: %v", err)
	}
}
