package work

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func (b *bench) startBackfill(f store.Backfill) (uuid.UUID, bool, error) {
	f.MerchantID, f.ID, f.CreatedAt = b.merchant, uuid.New(), b.clock()
	var id uuid.UUID
	var created bool
	err := pg.InTx(b.t.Context(), b.Store.Pool(), func(tx pgx.Tx) (err error) {
		id, created, err = b.Store.StartBackfill(b.t.Context(), tx, f)
		return err
	})
	return id, created, err
}

// TestBackfill_asksExactlyWhatWasTouchedAndSurvivesItsProcess: the sales of the time and no others, never faster than the rule, by whoever is there.
func TestBackfill_asksExactlyWhatWasTouchedAndSurvivesItsProcess(t *testing.T) {
	b := newBench(t)
	from, to := b.clock().Add(-10*time.Hour), b.clock().Add(-8*time.Hour)
	at := func(d time.Duration, word string) store.Sale {
		s := b.draft(b.account, "atomopay")
		s.CreatedAt = from.Add(d)
		s = b.record(s)
		switch word {
		case "paid":
			b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
		default:
			b.gateways.Script(s.Charge.Hash, gatewaystest.Pending())
		}
		return s
	}
	old := at(-48*time.Hour, "paid") // settled before: made, paid and found before the time
	b.settle()
	if _, err := b.Store.Pool().Exec(t.Context(), `UPDATE payments SET facts = jsonb_set(facts, '{state_since}', to_jsonb($1::timestamptz))`, from.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	var in []store.Sale
	for i := range 20 {
		in = append(in, at(time.Duration(i)*time.Minute, "pending"))
	}
	in = append(in, at(-time.Hour, "pending")) // pending all through it
	after := at(3*time.Hour, "pending")        // made later
	b.settle()
	b.pass(time.Minute)
	polls := map[payment.ID]int{}
	for _, s := range append(in, old, after) {
		polls[s.ID] = b.get(s).Polls
	}
	if n, err := b.Store.CountTouched(t.Context(), store.Backfill{MerchantID: b.merchant, From: from, To: to}); err != nil || n != len(in) {
		t.Fatalf("%d touched, %v; want %d", n, err, len(in))
	}
	id, created, err := b.startBackfill(store.Backfill{From: from, To: to})
	if err != nil || !created {
		t.Fatal(created, err)
	}
	if again, created, err := b.startBackfill(store.Backfill{From: from, To: to}); err != nil || created || again != id {
		t.Errorf("the same again: %v %t %v", again, created, err)
	}
	var overlap *store.OverlapError
	if _, _, err := b.startBackfill(store.Backfill{From: from.Add(time.Hour), To: to.Add(time.Hour), Provider: "atomopay"}); !errors.As(err, &overlap) || overlap.Other.ID != id {
		t.Errorf("an overlapping one: %v", err)
	}
	if _, created, err := b.startBackfill(store.Backfill{From: to, To: to.Add(time.Minute), Provider: "paradise"}); err != nil || !created {
		t.Errorf("one beside it: %t %v", created, err)
	}
	for step := range 40 {
		w := b.Worker
		if step%2 == 1 { // another process goes on
			w = newReplica(b)
		}
		if err := w.stepBackfills(t.Context()); err != nil {
			t.Fatal(err)
		}
		var open int
		if err := b.Store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM backfill_sales WHERE asked_at IS NOT NULL AND done_at IS NULL`).Scan(&open); err != nil || open > backfillWidth {
			t.Fatalf("%d under way, %v", open, err)
		}
		b.settle()
		b.pass(time.Second)
	}
	got, err := b.Store.GetBackfill(t.Context(), id, &b.merchant)
	if err != nil || got.State != "done" || got.Total != len(in) || got.Done != len(in) || got.Unanswered != 0 || got.FinishedAt == nil {
		t.Errorf("%+v, %v", got, err)
	}
	for _, s := range in {
		if n := b.get(s).Polls - polls[s.ID]; n < 1 {
			t.Errorf("%s was not asked about", s.Charge.Hash)
		}
		if b.kinds(s)[payment.RecheckRequested] != 1 {
			t.Errorf("%s: %v", s.Charge.Hash, b.kinds(s))
		}
	}
	for _, s := range []store.Sale{old, after} {
		if b.kinds(s)[payment.RecheckRequested] != 0 {
			t.Errorf("%s is not of that time and was asked about", s.Charge.Hash)
		}
	}
	if _, err := b.Store.GetBackfill(t.Context(), id, ptr(payment.MerchantID(uuid.New()))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another merchant sees it: %v", err)
	}
}

// TestBackfill_anOrdinaryLookComesFirst: a look that was under way when the backfill asked, and settles the sale, is its answer.
func TestBackfill_anOrdinaryLookComesFirst(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	id, _, err := b.startBackfill(store.Backfill{From: b.clock().Add(-2 * time.Hour), To: b.clock()})
	if err != nil {
		t.Fatal(err)
	}
	due, err := b.claimLooks(t.Context(), 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("claimed %v, %v", due, err)
	}
	began := b.clock()
	b.pass(time.Second)
	if err := b.stepBackfills(t.Context()); err != nil {
		t.Fatal(err)
	}
	amount := s.Amount
	look := ledger.Entry{Key: store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}, Look: &ledger.Look{StartedAt: began, Outcome: payment.OutcomeStatus},
		Event: payment.Event{Kind: payment.Reported, At: b.clock(), Source: payment.SourcePoll, Reading: &payment.Reading{Status: payment.StatusPaid, Amount: &amount}}}
	if _, err := b.Ledger.Apply(t.Context(), []ledger.Entry{look}); err != nil {
		t.Fatal(err)
	}
	for range 5 { // the sale may be asked about once more; it need not
		b.pass(time.Minute)
		b.settle()
		if err := b.stepBackfills(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.Store.GetBackfill(t.Context(), id, &b.merchant); err != nil || got.State != "done" || got.Done != 1 || got.Changed != 1 || got.Unanswered != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestBackfill_theClockGoesBack: what was asked before is ahead of the clock, and so is the lease of a process that died; neither holds it up.
func TestBackfill_theClockGoesBack(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Pending())
	b.settle()
	b.pass(time.Minute)
	id, _, err := b.startBackfill(store.Backfill{From: b.clock().Add(-2 * time.Hour), To: b.clock()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.stepBackfills(t.Context()); err != nil {
		t.Fatal(err)
	}
	if claimed, err := b.Store.ClaimBackfills(t.Context(), b.clock(), b.clock().Add(lease)); err != nil || len(claimed) != 1 { // and dies
		t.Fatal(claimed, err)
	}
	b.pass(-time.Hour)
	polls := b.get(s).Polls
	for range 30 {
		if err := b.followClock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.stepBackfills(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.settle()
		b.pass(time.Second)
	}
	if got, err := b.Store.GetBackfill(t.Context(), id, &b.merchant); err != nil || got.State != "done" || got.Unanswered != 0 || b.get(s).Polls == polls {
		t.Errorf("%+v, %v; looked at %d times since", got, err, b.get(s).Polls-polls)
	}
}

func ptr[T any](v T) *T { return &v }
