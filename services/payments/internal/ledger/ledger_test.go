package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bench is a ledger on a real database with one merchant, a bot and a clock that the test moves.
type bench struct {
	t        *testing.T
	store    *store.Store
	ledger   *Ledger
	now      time.Time
	merchant payment.MerchantID
	bot      payment.BotID
	account  payment.AccountID
	mu       sync.Mutex
	woken    Work // by the last transaction
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b, _ := newBenchDB(t)
	return b
}

func newBenchDB(t *testing.T) (*bench, *pgtest.DB) {
	t.Helper()
	db := pgtest.New(t, store.Schema)
	pool := db.Pool(t, store.Schema)
	b := &bench{t: t, store: store.New(pool), now: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC), merchant: payment.MerchantID(uuid.New()),
		bot: payment.BotID(uuid.New()), account: payment.AccountID(uuid.New())}
	var err error
	b.ledger, err = New(Config{Pool: pool, Now: func() time.Time { return b.now }, Wake: func(w Work) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.woken = w
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, _, err := b.store.CreateMerchant(ctx, store.Merchant{ID: b.merchant, Name: "Loja"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.PutBot(ctx, store.Bot{MerchantID: b.merchant, ID: b.bot, ExternalID: "35"}); err != nil {
		t.Fatal(err)
	}
	return b, db
}

func (b *bench) sale(n int) store.Sale {
	return store.Sale{Payment: payment.Payment{ID: payment.ID(uuid.New()), MerchantID: b.merchant, State: payment.Pending, Amount: 1990,
		Currency: money.BRL, CreatedAt: b.now.Add(-time.Hour)}, BotID: b.bot, AccountID: b.account, Provider: "atomopay", SaleKey: fmt.Sprintf("key%d", n),
		Charge: store.Charge{Hash: fmt.Sprintf("h%d", n), ID: fmt.Sprintf("%d", 1000+n)}, ExternalID: fmt.Sprintf("BOT35_%d", n),
		RequestHash: []byte{byte(n)}, ProductName: "Curso", Tracking: json.RawMessage(`{}`), Campaign: "verao"}
}

func (b *bench) record(sales ...store.Sale) []Recorded {
	b.t.Helper()
	var openings []Opening
	for _, s := range sales {
		openings = append(openings, Opening{Sale: s, Kind: payment.Imported, Source: payment.SourceImport, Details: map[string]string{"a": "b"}})
	}
	out, err := b.ledger.Record(b.t.Context(), openings)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bench) reported(s store.Sale, status payment.Status, amount money.Amount) Entry {
	e := Entry{Key: store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}, Details: map[string]string{"outcome": "status"},
		Event: payment.Event{Kind: payment.Reported, At: b.now, Source: payment.SourcePoll, Reading: &payment.Reading{Status: status}},
		Look:  &Look{StartedAt: b.now, Outcome: payment.OutcomeStatus, ProviderStatus: status.String()}}
	if amount != 0 {
		e.Event.Reading.Amount = &amount
	}
	return e
}

func (b *bench) apply(entries ...Entry) map[store.Key]store.Sale {
	b.t.Helper()
	out, err := b.ledger.Apply(b.t.Context(), entries)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bench) effects(kind string) (names []string) {
	b.t.Helper()
	list, err := b.store.ClaimEffects(b.t.Context(), kind, b.now, b.now, 100)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name)
	}
	return names
}

func (b *bench) totals() [4]int64 {
	b.t.Helper()
	sums, err := b.store.Statistics(b.t.Context(), store.StatisticsQuery{Merchant: &b.merchant})
	if err != nil {
		b.t.Fatal(err)
	}
	if len(sums) == 0 {
		return [4]int64{}
	}
	s := sums[0]
	return [4]int64{s.PaidCount, int64(s.Gross), s.ReversedCount, int64(s.Reversed)}
}

func TestApply_paidOnceHoweverOften(t *testing.T) {
	b := newBench(t)
	s := b.record(b.sale(1))[0].Sale
	if !b.woken.Looks {
		t.Error("a sale that is older than its first look must be looked at: nobody was woken")
	}
	for range 3 {
		b.apply(b.reported(s, payment.StatusPaid, 1990), b.reported(s, payment.StatusPaid, 1990))
		b.now = b.now.Add(time.Minute)
	}
	got, err := b.store.Get(t.Context(), s.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != payment.Paid || got.PaidAmount == nil || *got.PaidAmount != 1990 || got.Polls != 6 || got.EventCount != 7 || !got.DeliveredEver {
		t.Errorf("sale: %+v", got)
	}
	if names := b.effects(KindDeliver); !cmp.Equal(names, []string{"deliver"}) {
		t.Errorf("deliveries ordered: %v", names)
	}
	if names := b.effects(KindOwner); !cmp.Equal(names, []string{"owner:2"}) {
		t.Errorf("owner told: %v", names)
	}
	if got := b.totals(); got != [4]int64{1, 1990, 0, 0} {
		t.Errorf("statistics: %v", got)
	}
	events, err := b.store.Events(t.Context(), b.merchant, s.ID)
	if err != nil || len(events) != 7 || events[1].From != "pending" || events[1].To != "paid" || events[1].Details["why"] != "paid" {
		t.Errorf("history: %+v, %v", events, err)
	}
	if _, err := b.store.GetLook(t.Context(), store.Key{MerchantID: b.merchant, PaymentID: s.ID}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a paid sale is still scheduled: %v", err)
	}
}

func TestApply_refundIsCompensatedAndClosesTheLink(t *testing.T) {
	b := newBench(t)
	s := b.record(b.sale(1))[0].Sale
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	b.now = b.now.Add(time.Hour)
	b.apply(b.reported(s, payment.StatusRefunded, 1990))
	if got := b.totals(); got != [4]int64{1, 1990, 1, 1990} {
		t.Errorf("statistics: %v", got)
	}
	if names := b.effects(KindRevoke); len(names) != 1 {
		t.Errorf("links closed: %v", names)
	}
}

func TestApply_otherAmountIsNeitherDeliveredNorDropped(t *testing.T) {
	b := newBench(t)
	s := b.record(b.sale(1))[0].Sale
	out := b.apply(b.reported(s, payment.StatusPaid, 1000))
	if got := out[store.Key{MerchantID: b.merchant, PaymentID: s.ID}]; got.State != payment.NeedsReview || got.ReviewReason != payment.ReviewAmountDiffers {
		t.Errorf("sale: %v %v", got.State, got.ReviewReason)
	}
	if names := b.effects(KindDeliver); names != nil {
		t.Errorf("delivered: %v", names)
	}
}

func TestApply_concurrentReportsDecideOnce(t *testing.T) {
	b := newBench(t)
	var sales []store.Sale
	for n := range 5 {
		sales = append(sales, b.record(b.sale(n))[0].Sale)
	}
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for i := range 16 {
		wg.Go(func() {
			var entries []Entry
			for n := range sales { // in another order each
				entries = append(entries, b.reported(sales[(n+i)%len(sales)], payment.StatusPaid, 1990))
			}
			_, err := b.ledger.Apply(context.Background(), entries)
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := b.totals(); got != [4]int64{5, 5 * 1990, 0, 0} {
		t.Errorf("statistics: %v", got)
	}
	if names := b.effects(KindDeliver); len(names) != 5 {
		t.Errorf("deliveries: %v", names)
	}
}

func TestApply_alsoUndoesEverything(t *testing.T) {
	b := newBench(t)
	s := b.record(b.sale(1))[0].Sale
	boom := errors.New("boom")
	_, err := b.ledger.Apply(t.Context(), []Entry{b.reported(s, payment.StatusPaid, 1990)}, func(context.Context, pgx.Tx) error { return boom })
	if !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	got, err := b.store.Get(t.Context(), s.ID, nil)
	if err != nil || got.State != payment.Pending || got.EventCount != 1 || b.totals()[0] != 0 {
		t.Errorf("half done: %v %d %v", got.State, got.EventCount, err)
	}
}

func TestApply_unknownSale(t *testing.T) {
	b := newBench(t)
	s := b.record(b.sale(1))[0].Sale
	other := b.sale(2)
	if _, err := b.ledger.Apply(t.Context(), []Entry{b.reported(s, payment.StatusPaid, 0), b.reported(other, payment.StatusPaid, 0)}); !errors.Is(err, ErrUnknownSale) {
		t.Fatalf("got %v", err)
	}
	if b.totals()[0] != 0 {
		t.Error("the known sale was changed though the call failed")
	}
}

func TestRecord_repetitionsAndConflicts(t *testing.T) {
	b := newBench(t)
	first := b.sale(1)
	if got := b.record(first)[0]; !got.Created || got.Err != nil {
		t.Fatalf("first: %+v", got)
	}
	again := b.sale(1)
	again.SaleKey = "another"
	if got := b.record(again)[0]; got.Created || got.Err != nil || got.Sale.ID != first.ID {
		t.Errorf("repetition: %+v", got)
	}
	changed := b.sale(1)
	changed.SaleKey, changed.RequestHash = "third", []byte{99}
	if got := b.record(changed)[0]; !errors.Is(got.Err, store.ErrConflict) {
		t.Errorf("other content under the same key: %+v", got)
	}
	stolen := b.sale(2)
	stolen.Charge.Hash = first.Charge.Hash
	results := b.record(stolen, b.sale(3), b.sale(3))
	if !errors.Is(results[0].Err, store.ErrConflict) || !results[1].Created || results[2].Err != nil && !errors.Is(results[2].Err, store.ErrConflict) {
		t.Errorf("mixed batch: %+v", results)
	}
	if results[2].Created {
		t.Error("the same sale was recorded twice in one call")
	}
	if got := b.totals(); got != [4]int64{} {
		t.Errorf("nothing is paid, yet %v", got)
	}
}

func TestRecord_deliveredElsewhereIsCountedAndNotSent(t *testing.T) {
	b := newBench(t)
	s := b.sale(1)
	s.DeliveredElsewhere, s.DeliveredEver = true, true
	s = b.record(s)[0].Sale
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	if got := b.totals(); got != [4]int64{1, 1990, 0, 0} {
		t.Errorf("statistics: %v", got)
	}
	if deliver, restore := b.effects(KindDeliver), b.effects(KindRestore); deliver != nil || restore != nil {
		t.Errorf("sent again: %v %v", deliver, restore)
	}
}

func TestDay_isBrazils(t *testing.T) {
	for in, want := range map[string]string{"2026-11-24T02:59:59Z": "2026-11-23", "2026-11-24T03:00:00Z": "2026-11-24", "2026-01-01T01:00:00Z": "2025-12-31"} {
		at, _ := time.Parse(time.RFC3339, in)
		if got := Day(at).Format(time.DateOnly); got != want {
			t.Errorf("%s is booked to %s, want %s", in, got, want)
		}
	}
}
