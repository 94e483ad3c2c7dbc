package ledger

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// TestApply_anyOrderOfEvents sends random events to a few sales of a merchant through the database, several a transaction, and
// checks after each transaction what must hold at any time.
func TestApply_anyOrderOfEvents(t *testing.T) {
	b := newBench(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		b.now = time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
		b.merchant, b.bot, b.account = payment.MerchantID(uuid.New()), payment.BotID(uuid.New()), payment.AccountID(uuid.New())
		if _, _, err := b.store.CreateMerchant(t.Context(), store.Merchant{ID: b.merchant, Name: "Loja"}); err != nil {
			rt.Fatal(err)
		}
		if _, err := b.store.PutBot(t.Context(), store.Bot{MerchantID: b.merchant, ID: b.bot, ExternalID: "35"}); err != nil {
			rt.Fatal(err)
		}
		var sales []store.Sale
		for range rapid.IntRange(1, 3).Draw(rt, "sales") {
			n++
			s := b.sale(n)
			s.DeliveredElsewhere = rapid.Float64().Draw(rt, "elsewhere") < 0.1
			s.DeliveredEver = s.DeliveredElsewhere
			sales = append(sales, b.record(s)[0].Sale)
		}
		for range rapid.IntRange(1, 12).Draw(rt, "transactions") {
			var entries []Entry
			for range rapid.IntRange(1, 3).Draw(rt, "entries") {
				b.now = b.now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, time.Hour, 26 * time.Hour, -time.Minute}).Draw(rt, "later"))
				entries = append(entries, b.draw(rt, sales[rapid.IntRange(0, len(sales)-1).Draw(rt, "sale")]))
			}
			if _, err := b.ledger.Apply(t.Context(), entries); err != nil {
				rt.Fatal(err)
			}
			b.holds(rt, sales)
		}
	})
}

// draw is any event at all.
func (b *bench) draw(rt *rapid.T, s store.Sale) Entry {
	kind := rapid.SampledFrom([]payment.Kind{payment.Reported, payment.Reported, payment.Reported, payment.Reported, payment.PollFailed, payment.HintReceived,
		payment.ReviewAccepted, payment.ReviewRefused, payment.ChargeFailed, payment.DeliveryOrdered, payment.SecondPayment, payment.ExpiryReached,
		payment.TokenIssued, payment.MessageQueued, payment.MessageSent, payment.TokenRevoked, payment.RecheckRequested, payment.Opened}).Draw(rt, "kind")
	switch kind {
	case payment.PollFailed:
		return b.failed(s, payment.OutcomeTransient, 0)
	case payment.HintReceived:
		return b.hint(s)
	case payment.Reported, payment.SecondPayment:
		e := b.reported(s, rapid.SampledFrom(append(payment.Statuses(), payment.StatusPaid, payment.StatusPaid)).Draw(rt, "status"),
			rapid.SampledFrom([]money.Amount{0, 1990, 1990, 1000, 5000}).Draw(rt, "amount"))
		e.Event.Kind = kind
		r := e.Event.Reading
		r.EndToEndID = rapid.SampledFrom([]string{"", "E1", "E2", "E3"}).Draw(rt, "e2e")
		r.ChargeID = rapid.SampledFrom([]string{"", "", "c1", "c2"}).Draw(rt, "charge")
		r.Currency = rapid.SampledFrom([]string{"", "BRL", "USD"}).Draw(rt, "currency")
		r.Unsafe = rapid.Bool().Draw(rt, "unsafe")
		if kind == payment.SecondPayment {
			e.Look = nil
		}
		return e
	}
	e := b.event(s, kind, nil)
	if kind == payment.MessageSent && rapid.Bool().Draw(rt, "followed") {
		e.Event.Source = payment.SourceNotifier // which proves the steps before it
	}
	return e
}

const sumsOf = `
SELECT metric, sum(count)::bigint, sum(centavos)::bigint FROM statistics WHERE merchant_id = $1 GROUP BY metric
HAVING sum(count) <> 0 OR sum(centavos) <> 0`

// holds checks the invariants.
func (b *bench) holds(rt *rapid.T, sales []store.Sale) {
	ctx := context.Background()
	var total payment.Totals
	for _, s := range sales {
		got, err := b.store.Get(ctx, s.ID, &b.merchant)
		if err != nil {
			rt.Fatal(err)
		}
		for m, t := range payment.Contribution(got.Payment) {
			total[m].Count += t.Count
			total[m].Amount += t.Amount
		}
		b.story(rt, got)
		b.orders(rt, got)
		if _, err := b.store.GetLook(ctx, key(s)); err != nil && got.State == payment.Pending && b.now.Before(got.CreatedAt.Add(29*24*time.Hour)) {
			rt.Fatalf("a pending sale is not scheduled: %v", err)
		}
	}
	want, have := map[string]payment.Tally{}, map[string]payment.Tally{}
	for _, m := range payment.Metrics() {
		if total[m] != (payment.Tally{}) {
			want[m.String()] = total[m]
		}
	}
	rows, err := b.store.Pool().Query(ctx, sumsOf, b.merchant)
	if err != nil {
		rt.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var metric string
		var t payment.Tally
		if err := rows.Scan(&metric, &t.Count, (*int64)(&t.Amount)); err != nil {
			rt.Fatal(err)
		}
		have[metric] = t
	}
	if d := cmp.Diff(want, have); d != "" {
		rt.Fatalf("statistics against the sum of the sales (-sales +statistics):\n%s", d)
	}
}

// story checks that a history has no gaps and ends where the sale is.
func (b *bench) story(rt *rapid.T, s store.Sale) {
	events, err := b.store.Events(context.Background(), s.MerchantID, s.ID)
	if err != nil {
		rt.Fatal(err)
	}
	state, issued := "", 0
	for i, e := range events {
		if e.Number != i+1 || e.From != state {
			rt.Fatalf("event %d has number %d and comes from %q, want %q", i+1, e.Number, e.From, state)
		}
		if e.From != e.To && i > 0 && !e.Kind.Decides() {
			rt.Fatalf("%q moved the sale from %s to %s", e.Kind, e.From, e.To)
		}
		if e.Kind == payment.TokenIssued {
			issued++
		}
		state = e.To
	}
	if state != s.State.String() || len(events) != s.EventCount || issued > 1 {
		rt.Fatalf("the sale is %s with %d events, its history ends in %s with %d; %d links issued", s.State, s.EventCount, state, len(events), issued)
	}
}

const ordersOf = `SELECT key, kind FROM effects WHERE merchant_id = $1 AND payment_id = $2`

// orders checks what was ordered over the whole life of a sale; nothing is ever finished here.
func (b *bench) orders(rt *rapid.T, s store.Sale) {
	rows, err := b.store.Pool().Query(context.Background(), ordersOf, s.MerchantID, s.ID)
	if err != nil {
		rt.Fatal(err)
	}
	defer rows.Close()
	first, again, restored, owner := 0, []string{}, []string{}, 0
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			rt.Fatal(err)
		}
		switch {
		case kind == KindDeliver && name == "deliver":
			first++
		case kind == KindDeliver:
			again = append(again, strings.TrimPrefix(name, "deliver:"))
		case kind == KindRestore:
			restored = append(restored, strings.TrimPrefix(name, "restore:"))
		case kind == KindOwner:
			owner++
		}
	}
	switch {
	case s.DeliveredElsewhere && first+len(again)+len(restored) > 0:
		rt.Fatalf("delivered elsewhere, and ordered here: %d %v %v", first, again, restored)
	case !s.DeliveredElsewhere && (first == 1) != s.DeliveredEver:
		rt.Fatalf("delivered ever %t, and ordered %d times", s.DeliveredEver, first)
	case !strings.Contains(fmt.Sprint(restored), strings.Trim(fmt.Sprint(again), "[]")) && len(again) == len(restored):
		rt.Fatalf("further deliveries %v without the money having come back, which it did at %v", again, restored)
	case len(again) > len(restored):
		rt.Fatalf("%d further deliveries, and the money came back %d times", len(again), len(restored))
	case s.State == payment.Paid && !s.DeliveredElsewhere && first == 0:
		rt.Fatal("paid, and no delivery was ever ordered")
	case s.State != payment.Pending && owner == 0:
		rt.Fatalf("%s, and the owner was told nothing", s.State)
	}
}
