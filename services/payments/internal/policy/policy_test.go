package policy

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// shop is two replicas' books on one database, with a ledger that decides by the second.
type shop struct {
	t        *testing.T
	store    *store.Store
	other    *Book
	ledger   *ledger.Ledger
	now      time.Time
	merchant payment.MerchantID
	account  payment.AccountID
	bot      payment.BotID
	sales    int
}

func newShop(t *testing.T) *shop {
	t.Helper()
	pool := pgtest.New(t, store.Schema).Pool(t, store.Schema)
	s := &shop{t: t, store: store.New(pool), now: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC), merchant: payment.MerchantID(uuid.New()),
		account: payment.AccountID(uuid.New()), bot: payment.BotID(uuid.New())}
	s.other = New(s.store)
	var err error
	if s.ledger, err = ledger.New(ledger.Config{Pool: pool, Policy: s.other.Policy, Now: func() time.Time { return s.now }}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.store.CreateMerchant(t.Context(), store.Merchant{ID: s.merchant, Name: "Loja"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.PutBot(t.Context(), store.Bot{MerchantID: s.merchant, ID: s.bot, ExternalID: "35"}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) change(p store.Place, values map[string]*string) {
	s.t.Helper()
	if _, err := s.store.ChangePolicy(s.t.Context(), store.PolicyChange{Place: p, Values: values, By: "key 1", At: s.now, From: s.now,
		Check: func([]store.PolicyRow) error { return nil }}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.other.Refresh(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) sale() store.Key {
	s.t.Helper()
	s.sales++
	id := payment.ID(uuid.New())
	_, err := s.ledger.Record(s.t.Context(), []ledger.Opening{{Kind: payment.Registered, Source: payment.SourceAPI, Sale: store.Sale{
		Payment: payment.Payment{ID: id, MerchantID: s.merchant, State: payment.Pending, Amount: 1990, Currency: money.BRL, CreatedAt: s.now},
		BotID:   s.bot, AccountID: s.account, Provider: "atomopay", SaleKey: id.String(), Charge: store.Charge{Hash: id.String()},
		RequestHash: []byte{1}, ProductName: "Curso", Tracking: json.RawMessage(`{}`)}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return store.Key{MerchantID: s.merchant, PaymentID: id}
}

func (s *shop) report(k store.Key, status payment.Status, e2e string) payment.State {
	s.t.Helper()
	out, err := s.ledger.Apply(s.t.Context(), []ledger.Entry{{Key: k, Look: &ledger.Look{StartedAt: s.now, Outcome: payment.OutcomeStatus},
		Event: payment.Event{Kind: payment.Reported, At: s.now, Source: payment.SourcePoll, Reading: &payment.Reading{Status: status, EndToEndID: e2e}}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return out[k].State
}

func text(v string) *string { return &v }

func TestBook_decisionsFollowTheNearestPlace(t *testing.T) {
	s := newShop(t)
	late := func() payment.State {
		k := s.sale()
		s.report(k, payment.StatusExpired, "")
		return s.report(k, payment.StatusPaid, "")
	}
	if got := late(); got != payment.Paid {
		t.Errorf("by default: %s", got)
	}
	s.change(store.Place{Provider: "atomopay"}, map[string]*string{"late": text("ask")})
	if got := late(); got != payment.NeedsReview {
		t.Errorf("the provider's: %s", got)
	}
	s.change(store.Place{MerchantID: s.merchant}, map[string]*string{"late": text("deliver"), "require_end_to_end": text("true")})
	k := s.sale()
	if got := s.report(k, payment.StatusPaid, ""); got != payment.Pending {
		t.Errorf("paid without the end-to-end id that the merchant requires: %s", got)
	}
	if got := s.report(k, payment.StatusPaid, "E1"); got != payment.Paid {
		t.Errorf("with it: %s", got)
	}
	s.change(store.Place{MerchantID: s.merchant, AccountID: s.account}, map[string]*string{"late": text("hold"), "require_end_to_end": text("false")})
	if got := late(); got != payment.NeedsReview {
		t.Errorf("the account's: %s", got)
	}
	s.change(store.Place{MerchantID: s.merchant, AccountID: s.account}, map[string]*string{"late": nil, "require_end_to_end": nil})
	s.change(store.Place{MerchantID: s.merchant}, map[string]*string{"late": nil, "require_end_to_end": nil})
	s.change(store.Place{Provider: "atomopay"}, map[string]*string{"late": nil})
	if got := late(); got != payment.Paid {
		t.Errorf("after all was unset: %s", got)
	}
}

func TestReschedule_aChangedPolicyReachesOpenSales(t *testing.T) {
	s := newShop(t)
	k := s.sale()
	s.report(k, payment.StatusPending, "")
	before, err := s.store.GetLook(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	s.change(store.Place{MerchantID: s.merchant}, map[string]*string{"dense_every": text("5m"), "young_every": text("5m")})
	if err := s.ledger.ScheduleAnew(t.Context(), []store.Key{k}); err != nil {
		t.Fatal(err)
	}
	after, err := s.store.GetLook(t.Context(), k)
	if err != nil || after.DueAt.Sub(before.DueAt) < 4*time.Minute {
		t.Errorf("due at %v, before %v: %v", after.DueAt, before.DueAt, err)
	}
	s.now = s.now.Add(40 * 24 * time.Hour)
	s.report(k, payment.StatusPending, "") // the horizon has passed
	if _, err := s.store.GetLook(t.Context(), k); err == nil {
		t.Fatal("still looked at")
	}
	s.change(store.Place{MerchantID: s.merchant}, map[string]*string{"horizon": text("90d")})
	if err := s.ledger.ScheduleAnew(t.Context(), []store.Key{k}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.GetLook(t.Context(), k); err != nil {
		t.Errorf("with a longer horizon: %v", err)
	}
	events, err := s.store.Events(t.Context(), k.MerchantID, k.PaymentID)
	if err != nil || len(events) != 4 { // registered, two readings, expired by our clock
		t.Errorf("%d events, %v: scheduling again leaves no line", len(events), err)
	}
}

func TestBook_whatMakesNoSenseAnyMoreIsLeftOut(t *testing.T) {
	s := newShop(t)
	s.change(store.Place{MerchantID: s.merchant}, map[string]*string{"rare_max": text("1h"), "rare_min": text("1h")})
	s.change(store.Place{MerchantID: s.merchant, AccountID: s.account}, map[string]*string{"rare_min": text("2h")})
	r := s.other.Of(s.merchant, s.account, "atomopay")
	if len(r.Ignored) != 1 || r.Ignored[0] != payment.FromAccount || r.Poll.RareMin != time.Hour {
		t.Errorf("%+v", r)
	}
	for i := range 3 {
		other := s.other.Of(payment.MerchantID(uuid.New()), payment.AccountID(uuid.New()), "pushinpay")
		if other.Poll.MinInterval != time.Minute || len(other.Origins) != 0 {
			t.Errorf("%d: %+v", i, other)
		}
	}
}
