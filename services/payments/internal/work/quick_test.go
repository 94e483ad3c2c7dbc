package work

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// quickReads reads webhooks as the loop does.
func (b *bench) quickReads() int {
	b.t.Helper()
	n, err := once(b, b.claimWebhooks, b.readAndLook)
	b.slow.Wait()
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bench) story(s store.Sale) (kinds []payment.Kind) {
	b.t.Helper()
	events, err := b.Store.Events(b.t.Context(), s.MerchantID, s.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// young is a sale whose own first look is some seconds away.
func (b *bench) young() store.Sale {
	b.t.Helper()
	s := b.draft(b.account, "atomopay")
	s.CreatedAt = b.clock()
	return b.record(s)
}

func TestQuick_firstWebhookIsHintAndLookAtOnce(t *testing.T) {
	b := newBench(t)
	s := b.young()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	b.post("atomopay", `{"hash":"`+s.Charge.Hash+`","status":"paid","amount":1990}`)
	b.quickReads()
	if d := cmp.Diff([]payment.Kind{payment.Registered, payment.HintReceived, payment.Reported}, b.story(s)); d != "" {
		t.Errorf("story (-want +got):\n%s", d)
	}
	got := b.get(s)
	if got.State != payment.Paid || got.Polls != 1 || got.Hints != 1 {
		t.Errorf("sale: %s, %d polls, %d hints", got.State, got.Polls, got.Hints)
	}
	if state, _, due := b.hook(); state != "matched" || due != nil {
		t.Errorf("webhook: %s, due %v", state, due)
	}
	var hints int
	var found *time.Time
	if err := b.Store.Pool().QueryRow(t.Context(), `SELECT hints, found_at FROM arrivals`).Scan(&hints, &found); err != nil || hints != 1 || found == nil {
		t.Errorf("arrival: %d hints, found %v, %v", hints, found, err)
	}
	if n, _ := b.looks(); n != 0 {
		t.Error("looked at twice for one webhook")
	}
}

func TestQuick_laterOnesAndUnclearOnesWaitForTheirTurn(t *testing.T) {
	for name, prepare := range map[string]func(*bench, store.Sale){
		"looked at before": func(b *bench, s store.Sale) {
			b.gateways.Script(s.Charge.Hash, gatewaystest.Pending())
			b.pass(time.Hour)
			if n, err := b.looks(); n != 1 || err != nil {
				b.t.Fatal(n, err)
			}
		},
		"somebody looks": func(b *bench, _ store.Sale) {
			b.pass(time.Minute)
			if got, err := newReplica(b).claimLooks(b.t.Context(), 10); len(got) != 1 || err != nil {
				b.t.Fatal(got, err)
			}
		},
		"account held": func(b *bench, _ store.Sale) { b.held.until(b.account, b.clock().Add(time.Second)) },
		"webhooks doubted": func(b *bench, _ store.Sale) {
			b.Habits.known.Store(&known{accounts: map[payment.AccountID]store.Habit{b.account: {Doubted: true}}})
		},
		"budget refused": func(b *bench, _ store.Sale) { b.fair.Asked(b.account, 3, 1) },
	} {
		b := newBench(t)
		s := b.young()
		prepare(b, s)
		polls := b.get(s).Polls
		b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
		b.post("atomopay", `{"hash":"`+s.Charge.Hash+`","status":"paid","amount":1990}`)
		b.quickReads()
		got := b.get(s)
		if got.Polls != polls || got.Hints != 1 || got.State != payment.Pending {
			t.Errorf("%s: %d polls more, %d hints, %s", name, got.Polls-polls, got.Hints, got.State)
		}
	}
}

func TestQuick_gatewaysAwayTheHintIsNotedAndTheSaleDue(t *testing.T) {
	b := newBench(t)
	s := b.young()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	b.gateways.FailNext(gatewaystest.BatchGetPaymentStatus, 1, codes.Unavailable)
	b.post("atomopay", `{"hash":"`+s.Charge.Hash+`","status":"paid","amount":1990}`)
	b.quickReads()
	if got := b.get(s); got.Hints != 1 || got.Polls != 0 || got.State != payment.Pending {
		t.Errorf("sale: %s, %d polls, %d hints", got.State, got.Polls, got.Hints)
	}
	b.pass(time.Second + time.Millisecond)
	if n, err := b.looks(); n != 1 || err != nil || b.get(s).State != payment.Paid {
		t.Errorf("%d looks, %v, the sale is %s", n, err, b.get(s).State)
	}
}

func TestQuick_crashBehindTheCallIsRepaired(t *testing.T) {
	b := newBench(t)
	s := b.young()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	b.post("atomopay", `{"hash":"`+s.Charge.Hash+`","status":"paid","amount":1990}`)
	hooks, err := b.claimWebhooks(t.Context(), 10)
	if err != nil || len(hooks) != 1 {
		t.Fatal(len(hooks), err)
	}
	k := store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}
	if got, err := b.Store.ClaimFirstLooks(t.Context(), b.clock(), []store.Key{k}, []time.Time{b.clock().Add(lease)}); len(got) != 1 || err != nil {
		t.Fatal(got, err)
	}
	other := newReplica(b) // and the first one dies
	read := func(ctx context.Context) {
		t.Helper()
		rows, err := other.claimWebhooks(ctx, 10)
		if err == nil && len(rows) > 0 {
			err = other.readAndLook(ctx, rows)
		}
		if other.slow.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	read(t.Context())
	if got := b.get(s); got.Polls != 0 || got.Hints != 0 {
		t.Errorf("taken over while it was held: %d polls, %d hints", got.Polls, got.Hints)
	}
	b.pass(lease + time.Second)
	read(t.Context())
	if got := b.get(s); got.State != payment.Paid || got.Hints != 1 || got.Polls != 1 {
		t.Errorf("sale: %s, %d polls, %d hints", got.State, got.Polls, got.Hints)
	}
}
