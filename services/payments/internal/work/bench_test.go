package work

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/delivery/deliverytest"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/notifier/notifiertest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bench is a worker on a database of its own, with the owners' fakes for the leaves and a clock that the test moves.
type bench struct {
	*Worker
	t        *testing.T
	gateways *gatewaystest.Fake
	delivery *deliverytest.Fake
	notifier *notifiertest.Fake
	merchant payment.MerchantID
	bot      payment.BotID
	account  payment.AccountID

	mu    sync.Mutex
	now   time.Time
	sales int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	pool := pgtest.New(t, store.Schema).Pool(t, store.Schema)
	b := &bench{t: t, gateways: gatewaystest.New(t, gatewaystest.Config{}), notifier: notifiertest.New(),
		now: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC), merchant: payment.MerchantID(uuid.New()), bot: payment.BotID(uuid.New())}
	delivery, conn := deliverytest.Start(t)
	b.delivery = delivery
	st, wakers, habits := store.New(pool), NewWakers(), NewHabits()
	books, err := ledger.New(ledger.Config{Pool: pool, Wake: wakers.Wake, Hand: wakers, Habit: habits.Of, Now: b.clock})
	if err != nil {
		t.Fatal(err)
	}
	b.Worker, err = New(Config{Store: st, Ledger: books, Wakers: wakers, Habits: habits, Gateways: b.gateways.Gateways(), Delivery: deliveryv1.NewDeliveryServiceClient(conn),
		Notifier: b.notifier.Client(t), Now: b.clock, OpenBody: func(h store.Webhook) ([]byte, error) { return h.Body, nil },
		Provider: func(name string) (string, bool) {
			if name == "pushynpay" {
				return "pushinpay", true
			}
			return name, true
		},
		Title: func(name string) string {
			return map[string]string{"atomopay": "Átomo Pay", "paradise": "Paradise", "pushinpay": "PushinPay"}[name]
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.slow.Wait)
	b.account = b.newAccount("atomopay")
	if _, _, err := st.CreateMerchant(t.Context(), store.Merchant{ID: b.merchant, Name: "Loja"}); err != nil {
		t.Fatal(err)
	}
	if _, err := st.PutBot(t.Context(), store.Bot{MerchantID: b.merchant, ID: b.bot, ExternalID: "35"}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) newAccount(provider string) payment.AccountID {
	b.t.Helper()
	id, err := payment.ParseAccountID(b.gateways.AddAccount(gatewaystest.Account{MerchantID: b.merchant.String(), Provider: provider, Label: uuid.NewString()}).ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// pass moves the clock on.
func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// draft is a new sale of an hour ago at an account, with hash "h<n>".
func (b *bench) draft(account payment.AccountID, provider string) store.Sale {
	b.sales++
	n := b.sales
	return store.Sale{Payment: payment.Payment{ID: payment.ID(uuid.New()), MerchantID: b.merchant, State: payment.Pending, Amount: 1990,
		Currency: money.BRL, CreatedAt: b.clock().Add(-time.Hour)}, BotID: b.bot, AccountID: account, Provider: provider, SaleKey: fmt.Sprintf("key%d", n),
		Charge: store.Charge{Hash: fmt.Sprintf("h%d", n), ID: fmt.Sprint(1000 + n)}, ExternalID: fmt.Sprintf("BOT35_%d", n), RequestHash: []byte{1},
		ProductName: "Curso", Tracking: json.RawMessage(`{}`), TelegramID: int64(7000 + n), BuyerName: "Bia"}
}

func (b *bench) record(s store.Sale) store.Sale {
	b.t.Helper()
	out, err := b.Ledger.Record(b.t.Context(), []ledger.Opening{{Sale: s, Kind: payment.Registered, Source: payment.SourceAPI}})
	if err != nil || out[0].Err != nil {
		b.t.Fatal(err, out)
	}
	return out[0].Sale
}

func (b *bench) sale() store.Sale { b.t.Helper(); return b.record(b.draft(b.account, "atomopay")) }

func (b *bench) get(s store.Sale) store.Sale {
	b.t.Helper()
	out, err := b.Store.Get(b.t.Context(), s.ID, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// kinds counts a history's lines by kind, and checks that it has no gaps.
func (b *bench) kinds(s store.Sale) map[payment.Kind]int {
	b.t.Helper()
	events, err := b.Store.Events(b.t.Context(), s.MerchantID, s.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[payment.Kind]int{}
	for i, e := range events {
		if e.Number != i+1 {
			b.t.Errorf("event %d has number %d", i+1, e.Number)
		}
		out[e.Kind]++
	}
	return out
}

func once[T any](b *bench, claim func(context.Context, int) ([]T, error), do func(context.Context, []T) error) (int, error) {
	b.t.Helper()
	rows, err := claim(b.t.Context(), 100)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(rows) == 0 {
		return 0, nil
	}
	return len(rows), do(b.t.Context(), rows)
}

// The kinds of work, one claim each.
func (b *bench) looks() (int, error) {
	n, err := once(b, b.claimLooks, b.look)
	b.slow.Wait()
	return n, err
}
func (b *bench) deliveries() (int, error) { return once(b, b.claimDeliveries, b.deliver) }
func (b *bench) news() (int, error)       { return once(b, b.claimNews, b.tell) }
func (b *bench) tokens() (int, error)     { return once(b, b.claimTokens, b.changeTokens) }
func (b *bench) reads() (int, error)      { return once(b, b.claimWebhooks, b.readWebhooks) }

// settle does everything that is due until nothing is.
func (b *bench) settle() {
	b.t.Helper()
	for range 20 {
		total := 0
		for _, step := range []func() (int, error){b.reads, b.looks, b.deliveries, b.news, b.tokens} {
			n, err := step()
			if err != nil {
				b.t.Fatal(err)
			}
			total += n
		}
		if total == 0 {
			return
		}
	}
	b.t.Fatal("there is always something due")
}

// post stores a webhook as the inbox does.
func (b *bench) post(provider, body string) {
	b.t.Helper()
	b.sales++
	_, err := b.Store.InsertWebhooks(b.t.Context(), []store.Webhook{{ID: uuid.New(), Provider: provider, Digest: []byte(provider + body + fmt.Sprint(b.sales)),
		Body: []byte(body), ReceivedAt: b.clock()}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// hook is what is known of the only webhook.
func (b *bench) hook() (state, reason string, due *time.Time) {
	b.t.Helper()
	if err := b.Store.Pool().QueryRow(b.t.Context(), `SELECT state, reason, due_at FROM webhooks`).Scan(&state, &reason, &due); err != nil {
		b.t.Fatal(err)
	}
	return state, reason, due
}

// messages counts the buyer's messages of a sale, and its events for the owner by type.
func (b *bench) messages(s store.Sale) (buyer int, owner map[string]int) {
	owner = map[string]int{}
	for _, r := range b.notifier.Requests() {
		switch {
		case r.GetPaymentId() != s.ID.String():
		case r.GetBuyerMessage() != nil:
			buyer++
		default:
			owner[r.GetOwnerEvent().GetType()+" "+r.GetOwnerEvent().GetStatus()]++
		}
	}
	return buyer, owner
}

// links counts the links made for a sale.
func (b *bench) links(s store.Sale) (n int) {
	for _, r := range b.delivery.Issued() {
		if r.GetPaymentId() == s.ID.String() {
			n++
		}
	}
	return n
}

// until waits for a condition.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	limit := time.NewTimer(90 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			b.t.Fatalf("waited in vain for %s", what)
		}
	}
}
