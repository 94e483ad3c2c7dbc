package work

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// sell makes n sales that are paid, each announced by a webhook or not, and settles them.
func (b *bench) sell(n int, announced bool) {
	b.t.Helper()
	for range n {
		s := b.draft(b.account, "atomopay")
		s.CreatedAt = b.clock()
		s = b.record(s)
		b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
		b.pass(20 * time.Second)
		if announced {
			b.post("atomopay", `{"hash":"`+s.Charge.Hash+`","status":"paid"}`)
		}
		b.settle()
	}
}

func (b *bench) judged() (silent bool) {
	b.t.Helper()
	if err := b.judgeHabits(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	silent, _ = b.Habits.Of(b.account, "atomopay")
	return silent
}

// TestHabits_silenceTightensAlertsOnceAndRelaxes is the silence detector's whole life against PostgreSQL.
func TestHabits_silenceTightensAlertsOnceAndRelaxes(t *testing.T) {
	b := newBench(t)
	b.notifier.AutoSend()
	waiting := b.draft(b.account, "atomopay") // a sale of many minutes that nobody pays
	waiting.CreatedAt = b.clock().Add(-6 * time.Hour)
	waiting = b.record(waiting)
	b.gateways.Script(waiting.Charge.Hash, gatewaystest.Pending())
	b.sell(40, true)
	b.pass(time.Minute)
	b.settle()
	if b.judged() {
		t.Fatal("silent while every sale had its webhook")
	}
	usual := b.dueAt(waiting)
	b.sell(5, false)
	if b.judged() {
		t.Error("the sales of the last seconds are judged")
	}
	b.pass(time.Minute)
	if !b.judged() {
		t.Fatal("five sales without a webhook are no silence")
	}
	if hastened := b.dueAt(waiting); !hastened.Before(usual) {
		t.Errorf("due at %s, it was %s before the silence", hastened, usual)
	}
	alerts := func() (n int) {
		b.settle()
		for _, r := range b.notifier.Requests() {
			if e := r.GetOwnerEvent(); e.GetType() == "alert" && e.GetStatus() == "webhooks_silent" {
				n++
			}
		}
		return n
	}
	b.sell(3, false)
	b.pass(time.Minute)
	if !b.judged() || !newReplica(b).silent(t, b) || alerts() != 1 {
		t.Errorf("%d alerts of one silence", alerts())
	}
	b.sell(3, true)
	if b.judged() {
		t.Error("hints are back, and it is silent still")
	}
	if silent, _ := b.Habits.Of(b.account, "atomopay"); silent || alerts() != 1 {
		t.Errorf("silent %t, %d alerts", silent, alerts())
	}
}

// silent is what another replica makes of the same rows.
func (w *Worker) silent(t *testing.T, b *bench) bool {
	t.Helper()
	if err := w.judgeHabits(t.Context()); err != nil {
		t.Fatal(err)
	}
	silent, _ := w.Habits.Of(b.account, "atomopay")
	return silent
}

// TestHabits_forgedWebhooksEarnOneLook: what they claim is never true here, so that they are worth no dense looks.
func TestHabits_forgedWebhooksEarnOneLook(t *testing.T) {
	b := newBench(t)
	for range 6 {
		s := b.sale()
		b.gateways.Script(s.Charge.Hash, gatewaystest.Pending())
		b.post("atomopay", `{"hash":"`+s.Charge.Hash+`","status":"paid"}`)
	}
	b.settle()
	b.pass(20 * time.Minute)
	b.settle()
	b.sell(1, false) // an account without a paid sale is not judged
	b.judged()
	if _, doubted := b.Habits.Of(b.account, "atomopay"); !doubted {
		t.Fatal("six lies and no true word, and it is believed")
	}
	s := b.sale()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Pending())
	b.settle()
	b.pass(time.Minute)
	b.post("atomopay", `{"hash":"`+s.Charge.Hash+`","status":"paid"}`)
	b.settle()
	look, err := b.Store.GetLook(t.Context(), store.Key{MerchantID: s.MerchantID, PaymentID: s.ID})
	if err != nil || look.Reason == string(payment.LookHinted) {
		t.Errorf("dense looks after a doubted hint: %+v, %v", look, err)
	}
	if d := cmp.Diff(2, b.gateways.Looks(s.Charge.Hash)); d != "" {
		t.Errorf("looks (-want +got):\n%s", d)
	}
}
