package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func key(s store.Sale) store.Key { return store.Key{MerchantID: s.MerchantID, PaymentID: s.ID} }

// event is an entry without a look.
func (b *bench) event(s store.Sale, kind payment.Kind, details map[string]string) Entry {
	return Entry{Key: key(s), Details: details, Event: payment.Event{Kind: kind, At: b.now, Source: payment.SourceSystem}}
}

// money is a reading of "paid" by an end-to-end id.
func (b *bench) money(s store.Sale, e2e string, amount money.Amount) Entry {
	e := b.reported(s, payment.StatusPaid, amount)
	e.Event.Reading.EndToEndID = e2e
	return e
}

func (b *bench) sale1() store.Sale {
	b.t.Helper()
	return b.record(b.sale(1))[0].Sale
}

func (b *bench) get(s store.Sale) store.Sale {
	b.t.Helper()
	got, err := b.store.Get(b.t.Context(), s.ID, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// whys lists the reasons in a sale's history, in order.
func (b *bench) whys(s store.Sale) (out []string) {
	b.t.Helper()
	for _, e := range b.history(s) {
		if e.Details["why"] != "" {
			out = append(out, e.Details["why"])
		}
	}
	return out
}

// history reads a sale's events and checks what holds of every history.
func (b *bench) history(s store.Sale) []store.Event {
	b.t.Helper()
	events, err := b.store.Events(b.t.Context(), s.MerchantID, s.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	state := ""
	for i, e := range events {
		if e.Number != i+1 || e.From != state {
			b.t.Errorf("event %d has number %d and comes from %q, want %q", i+1, e.Number, e.From, state)
		}
		state = e.To
	}
	if got := b.get(s); got.State.String() != state || got.EventCount != len(events) {
		b.t.Errorf("the sale is %s with %d events, its history ends in %s with %d", got.State, got.EventCount, state, len(events))
	}
	return events
}

func TestApply_lateMoneyCounts(t *testing.T) {
	b := newBench(t)
	s := b.sale(1)
	end := b.now.Add(10 * time.Minute)
	s.QRExpiresAt = &end
	s = b.record(s)[0].Sale
	b.now = end.Add(9 * time.Minute)
	b.apply(b.reported(s, payment.StatusPending, 0))
	if got := b.get(s); got.State != payment.Pending {
		t.Fatalf("within the grace it is %s", got.State)
	}
	b.now = end.Add(10 * time.Minute)
	b.apply(b.reported(s, payment.StatusPending, 0))
	if got := b.get(s); got.State != payment.Expired {
		t.Fatalf("after the grace, and looked at, it is %s", got.State)
	}
	if look, err := b.store.GetLook(t.Context(), key(s)); err != nil || !look.DueAt.After(b.now) {
		t.Errorf("an expired sale is not watched for late money: %+v, %v", look, err)
	}
	b.now = b.now.Add(3 * time.Hour)
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	if d := cmp.Diff([]string{"not_yet", "not_yet", "expired_by_clock", "paid_late"}, b.whys(s)); d != "" {
		t.Errorf("reasons (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"deliver"}, b.effects(KindDeliver)); d != "" {
		t.Errorf("deliveries (-want +got):\n%s", d)
	}
	if got := b.totals(); got != [4]int64{1, 1990, 0, 0} {
		t.Errorf("statistics: %v", got)
	}
	b.history(s)
}

func TestApply_clockAloneExpiresNothingThatWasNotLookedAt(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	b.now = b.now.Add(25 * time.Hour) // past the assumed life of the code
	e := b.reported(s, payment.StatusUnknown, 0)
	e.Event.Kind, e.Event.Reading = payment.PollFailed, nil
	e.Look.Outcome = payment.OutcomeTransient
	b.apply(e)
	if got := b.get(s); got.State != payment.Pending || got.Polls != 1 || got.LookedAt != nil {
		t.Errorf("after a look without an answer: %s, %d polls, looked at %v", got.State, got.Polls, got.LookedAt)
	}
	b.now = b.now.Add(48 * time.Hour)
	b.apply(e)
	if got := b.get(s); got.State != payment.Expired {
		t.Errorf("when the provider could not be asked for two days: %s", got.State)
	}
	b.history(s)
}

func TestApply_disputeAndBack(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	b.apply(b.event(s, payment.TokenIssued, nil), b.event(s, payment.MessageQueued, nil))
	b.effects(KindDeliver)
	b.now = b.now.Add(time.Hour)
	b.apply(b.reported(s, payment.StatusDisputed, 0))
	if got := b.totals(); got != [4]int64{1, 1990, 1, 1990} {
		t.Errorf("blocked money: %v", got)
	}
	if d := cmp.Diff([]string{"revoke:5"}, b.effects(KindRevoke)); d != "" {
		t.Errorf("closed (-want +got):\n%s", d)
	}
	b.now = b.now.Add(time.Hour)
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	if got := b.totals(); got != [4]int64{1, 1990, 0, 0} {
		t.Errorf("money that is free again: %v", got)
	}
	if d := cmp.Diff([]string{"restore:6"}, b.effects(KindRestore)); d != "" {
		t.Errorf("opened (-want +got):\n%s", d)
	}
	b.now = b.now.Add(time.Hour)
	if got := b.effects(KindDeliver); !cmp.Equal(got, []string{"deliver"}) {
		t.Errorf("deliveries: %v, want the first alone: the buyer was told before", got)
	}
	b.history(s)
}

func TestApply_disputeBeforeTheBuyerWasToldIsDeliveredWhenWon(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	b.apply(b.reported(s, payment.StatusDisputed, 0))
	b.now = b.now.Add(time.Minute)
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	if d := cmp.Diff([]string{"deliver", "deliver:4"}, b.effects(KindDeliver)); d != "" {
		t.Errorf("deliveries (-want +got):\n%s\nthe first may have been found moot while the money was blocked", d)
	}
}

func TestApply_linkMadeWhileTheMoneyWentBackIsClosed(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	b.apply(b.reported(s, payment.StatusRefunded, 1990))
	b.effects(KindRevoke) // found no link
	b.apply(b.event(s, payment.TokenIssued, nil))
	b.now = b.now.Add(time.Minute)
	if d := cmp.Diff([]string{"revoke:3", "revoke:4"}, b.effects(KindRevoke)); d != "" {
		t.Errorf("orders to close (-want +got):\n%s", d)
	}
}

func TestApply_reviewsAreAnsweredByAPerson(t *testing.T) {
	for name, c := range map[string]struct {
		answer payment.Kind
		state  payment.State
		totals [4]int64
		sent   []string
	}{
		"accepted": {payment.ReviewAccepted, payment.Paid, [4]int64{1, 1000, 0, 0}, []string{"deliver"}},
		"refused":  {payment.ReviewRefused, payment.Cancelled, [4]int64{}, nil},
	} {
		b := newBench(t)
		s := b.sale1()
		b.apply(b.money(s, "E1", 1000))
		for range 2 {
			b.apply(b.event(s, c.answer, map[string]string{"note": "why not"}))
			b.apply(b.money(s, "E1", 1000))
		}
		if got := b.get(s); got.State != c.state || got.ReviewOpen() {
			t.Errorf("%s: %s, open %t", name, got.State, got.ReviewOpen())
		}
		if got := b.totals(); got != c.totals {
			t.Errorf("%s: statistics %v, want %v", name, got, c.totals)
		}
		if d := cmp.Diff(c.sent, b.effects(KindDeliver)); d != "" {
			t.Errorf("%s: deliveries (-want +got):\n%s", name, d)
		}
		b.history(s)
	}
}

func TestApply_secondPaymentIsKeptBesideTheFirst(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	for range 2 {
		b.apply(b.money(s, "E1", 1990), b.money(s, "E2", 1990))
	}
	got := b.get(s)
	if got.State != payment.Paid || got.ReviewReason != payment.ReviewSecondPayment || len(got.Extras) != 1 || got.Extras[0].EndToEndID != "E2" {
		t.Errorf("sale: %s %s %+v", got.State, got.ReviewReason, got.Extras)
	}
	if got := b.totals(); got != [4]int64{1, 1990, 0, 0} {
		t.Errorf("statistics: %v", got)
	}
	if d := cmp.Diff([]string{"owner:2", "owner:3"}, b.effects(KindOwner)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	b.apply(b.event(s, payment.ReviewAccepted, nil))
	if got := b.totals(); got != [4]int64{1, 3980, 0, 0} {
		t.Errorf("with the second payment kept: %v", got)
	}
	b.history(s)
}

func TestApply_stepsAreRecordedOnce(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	charge := &store.Charge{ID: "1001"}
	again := b.event(s, payment.ChargeCreated, nil)
	again.Charge = charge
	for range 2 {
		b.apply(b.event(s, payment.TokenIssued, nil), b.event(s, payment.MessageSent, nil), b.event(s, payment.MessageQueued, nil),
			b.event(s, payment.Opened, nil), b.event(s, payment.PurchaseQueued, nil), b.event(s, payment.PurchaseSent, nil), again)
	}
	var kinds []payment.Kind
	for _, e := range b.history(s) {
		kinds = append(kinds, e.Kind)
	}
	want := []payment.Kind{payment.Imported, payment.Reported, payment.TokenIssued, payment.MessageSent, payment.Opened, payment.PurchaseQueued, payment.PurchaseSent}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	got := b.get(s)
	if got.Message != "sent" || got.Purchase != "sent" || got.OpenedAt == nil || got.TokenIssuedAt == nil || got.MessageSentAt == nil {
		t.Errorf("fulfilment: %+v", got.Fulfilment)
	}
	if d := cmp.Diff([]string{"owner:2", "owner:4", "owner:5", "owner:7"}, b.effects(KindOwner)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

func TestApply_purchaseIsQueuedAgainAfterAFailure(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	for _, step := range []struct {
		kind payment.Kind
		want string
	}{{payment.PurchaseSkipped, "not_configured"}, {payment.PurchaseQueued, "queued"}, {payment.PurchaseFailed, "failed"},
		{payment.PurchaseQueued, "queued"}, {payment.PurchaseSent, "sent"}} {
		b.apply(b.event(s, step.kind, nil))
		if got := b.get(s); got.Purchase != step.want {
			t.Errorf("after %s it is %q", step.kind, got.Purchase)
		}
	}
	b.history(s)
}

func TestApply_messagesAndTheirReasons(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	b.apply(b.event(s, payment.MessageUnsure, map[string]string{"reason": "timeout"}))
	if got := b.get(s); got.Message != "maybe_sent" || got.MessageReason != "timeout" {
		t.Errorf("unsure: %+v", got.Fulfilment)
	}
	b.apply(b.event(s, payment.MessageFailed, map[string]string{"reason": "blocked"}))
	if got := b.get(s); got.Message != "undeliverable" || got.MessageReason != "blocked" {
		t.Errorf("failed: %+v", got.Fulfilment)
	}
	b.apply(b.event(s, payment.MessageSent, nil))
	if got := b.get(s); got.Message != "sent" || got.MessageReason != "" || got.MessageSentAt == nil {
		t.Errorf("sent: %+v", got.Fulfilment)
	}
}

func TestApply_nothingToApply(t *testing.T) {
	b := newBench(t)
	if out, err := b.ledger.Apply(t.Context(), nil); err != nil || len(out) != 0 {
		t.Errorf("no entries: %v, %v", out, err)
	}
	if out, err := b.ledger.Record(t.Context(), nil); err != nil || len(out) != 0 {
		t.Errorf("no openings: %v, %v", out, err)
	}
	s := b.sale1()
	theirs := b.event(s, payment.NoteAdded, nil)
	theirs.MerchantID = payment.MerchantID(uuid.New())
	if _, err := b.ledger.Apply(t.Context(), []Entry{theirs}); !errors.Is(err, ErrUnknownSale) {
		t.Errorf("under another merchant: %v", err)
	}
}

func TestParseTokenOrder_alwaysAReasonThatTheDeliveryKnows(t *testing.T) {
	for _, c := range []struct {
		raw   string
		state payment.State
		want  string
	}{{`{"reason":"disputed"}`, payment.Paid, "disputed"}, {`{}`, payment.Refunded, "refunded"}, {``, payment.ChargedBack, "charged_back"},
		{`[]`, payment.NeedsReview, "manual"}, {`{"reason":""}`, payment.Disputed, "disputed"}} {
		if got := ParseTokenOrder([]byte(c.raw), c.state).Reason; got != c.want {
			t.Errorf("%q while %s: %q, want %q", c.raw, c.state, got, c.want)
		}
	}
}
