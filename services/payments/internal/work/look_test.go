package work

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestWork_lostWebhookSettlesAllTheSame(t *testing.T) {
	b := newBench(t)
	b.notifier.AutoSend()
	s := b.sale()
	b.gateways.Script("h1", gatewaystest.Paid(1990))
	b.settle()
	got := b.get(s)
	if got.State != payment.Paid || got.TokenIssuedAt == nil || got.Message != "queued" || got.Polls != 1 || got.LastProviderStatus != "paid" {
		t.Errorf("sale: %s %+v %+v", got.State, got.Fulfilment, got.Knowledge)
	}
	buyer, owner := b.messages(s)
	if d := cmp.Diff(map[string]int{"payment_update paid": 1}, owner); d != "" || buyer != 1 || b.links(s) != 1 {
		t.Errorf("%d messages, %d links, owner (-want +got):\n%s", buyer, b.links(s), d)
	}
	m := b.notifier.Requests()
	for _, r := range m {
		if msg := r.GetBuyerMessage(); msg != nil && (msg.GetChatId() != 7001 || !strings.Contains(msg.GetUrl(), "/delivery/") || msg.GetBuyerName() != "Bia" || r.GetKey() != "delivery") {
			t.Errorf("message: %v", r)
		}
	}
	want := map[payment.Kind]int{payment.Registered: 1, payment.Reported: 1, payment.TokenIssued: 1, payment.MessageQueued: 1}
	if d := cmp.Diff(want, b.kinds(s)); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	b.pass(24 * time.Hour)
	b.settle()
	if b.gateways.Looks("h1") != 1 {
		t.Errorf("%d looks at a settled sale", b.gateways.Looks("h1"))
	}
}

func TestLook_gatewaysAwayGivesBackAndTellsNothing(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	due := b.dueAt(s)
	b.gateways.Script("h1", gatewaystest.Paid(1990))
	b.gateways.FailNext(gatewaystest.BatchGetPaymentStatus, 1, codes.Unavailable)
	if n, err := b.looks(); n != 1 || status.Code(err) != codes.Unavailable {
		t.Fatalf("%d looks, %v; want the loop to be held back", n, err)
	}
	if got := b.get(s); got.Polls != 0 || len(b.kinds(s)) != 1 || !b.dueAt(s).Equal(due) {
		t.Errorf("%d polls, history %v, due %s", got.Polls, b.kinds(s), b.dueAt(s))
	}
	if n, _ := b.looks(); n != 0 {
		t.Error("asked again at once")
	}
	b.pass(1001 * time.Millisecond)
	if n, err := b.looks(); n != 1 || err != nil {
		t.Errorf("a second later: %d, %v", n, err)
	}
	if got := b.get(s); got.State != payment.Paid {
		t.Errorf("sale: %s", got.State)
	}
}

func (b *bench) dueAt(s store.Sale) time.Time {
	b.t.Helper()
	l, err := b.Store.GetLook(b.t.Context(), store.Key{MerchantID: s.MerchantID, PaymentID: s.ID})
	if err != nil {
		b.t.Fatal(err)
	}
	return l.DueAt
}

func TestLook_ownBudgetIsNoLookAndHoldsOnlyItsAccount(t *testing.T) {
	b := newBench(t)
	over, fine := b.sale(), b.record(b.draft(b.newAccount("paradise"), "paradise"))
	b.gateways.Script("h1", gatewaystest.Limited(30*time.Second), gatewaystest.Paid(1990))
	b.gateways.Script("h2", gatewaystest.Pending())
	if n, err := b.looks(); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if got := b.get(over); got.Polls != 0 || got.LastOutcome != "" || len(b.kinds(over)) != 1 {
		t.Errorf("over the budget: %+v, %v", got.Knowledge, b.kinds(over))
	}
	if got := b.get(fine); got.Polls != 1 || got.LastOutcome != "status" {
		t.Errorf("the other: %+v", got.Knowledge)
	}
	b.pass(29 * time.Second)
	if n, _ := b.looks(); n != 0 {
		t.Error("asked before the budget allows")
	}
	b.pass(2 * time.Second)
	if n, err := b.looks(); n != 1 || err != nil || b.get(over).State != payment.Paid {
		t.Errorf("after the wait: %d, %v, %s", n, err, b.get(over).State)
	}
}

// A sale about which its provider was asked a moment ago, by a process that died say, waits alone.
func TestLook_saleThatIsAskedTooSoonHoldsNobody(t *testing.T) {
	b := newBench(t)
	soon := b.sale()
	b.gateways.Script("h1", gatewaystest.TooSoon(30*time.Second), gatewaystest.Paid(1990))
	if n, err := b.looks(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	other := b.record(b.draft(b.account, "atomopay"))
	b.gateways.Script("h2", gatewaystest.Pending())
	if n, err := b.looks(); n != 1 || err != nil || b.get(other).Polls != 1 || b.get(soon).Polls != 0 {
		t.Errorf("another sale of the account: %d looks, %v; %d and %d polls, want one of the other's", n, err, b.get(other).Polls, b.get(soon).Polls)
	}
	b.pass(31 * time.Second)
	if _, err := b.looks(); err != nil || b.get(soon).State != payment.Paid {
		t.Errorf("after the wait: %v, %s", err, b.get(soon).State)
	}
}

func TestLook_pausedAccountIsNoLook(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	b.gateways.PauseAccount(b.account.String(), "refused")
	if n, err := b.looks(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := b.get(s); got.Polls != 0 {
		t.Errorf("%d polls", got.Polls)
	}
	b.pass(59 * time.Second)
	if n, _ := b.looks(); n != 0 {
		t.Error("asked though the account is paused")
	}
}

func TestLook_outcomesAreToldApart(t *testing.T) {
	b := newBench(t)
	var all []store.Sale
	for _, r := range []*gatewaysv1.PollResult{gatewaystest.NotFound(), gatewaystest.Transient(), gatewaystest.Contract(), gatewaystest.TooMany(5 * time.Minute),
		gatewaystest.Refused(), gatewaystest.Unknown("strange"), gatewaystest.Pending(), {Outcome: 99, ProviderCalls: 1}} {
		s := b.sale()
		b.gateways.Script(s.Charge.Hash, r)
		all = append(all, s)
	}
	nobody := b.draft(b.account, "atomopay")
	nobody.Charge = store.Charge{Reference: "  "}
	nobody.Charge.Reference = ""
	all = append(all, b.record(nobody))
	if n, err := b.looks(); n != len(all) || err != nil {
		t.Fatal(n, err)
	}
	want := []string{"not_found", "transient", "contract", "rate_limited", "credential", "status", "status", "contract", "invalid_request"}
	for i, s := range all {
		got := b.get(s)
		if got.LastOutcome != want[i] || got.State != payment.Pending || got.Polls != 1 {
			t.Errorf("%d: %s %+v, want %s", i, got.State, got.Knowledge, want[i])
		}
	}
	if l, err := b.Store.GetLook(t.Context(), store.Key{MerchantID: b.merchant, PaymentID: all[3].ID}); err != nil || l.RetryAfter != 5*time.Minute {
		t.Errorf("the provider's wish is kept as %s, %v", l.RetryAfter, err)
	}
	if got := b.get(all[5]); got.LastProviderStatus != "strange" {
		t.Errorf("their word: %q", got.LastProviderStatus)
	}
	events, err := b.Store.Events(t.Context(), b.merchant, all[1].ID)
	if err != nil || events[1].Details["http_status"] != "502" || events[1].Details["excerpt"] == "" || events[1].Details["outcome"] != "transient" || events[1].TraceID != "" {
		t.Errorf("history: %+v, %v", events, err)
	}
}

func TestLook_oddTextOfAProviderStopsNobody(t *testing.T) {
	b := newBench(t)
	odd, fine := b.sale(), b.sale()
	r := gatewaystest.Paid(1990)
	r.Reading.ProviderStatus, r.Reading.EndToEndId = "pa\x00id"+strings.Repeat("é", 100), "E\x001"
	b.gateways.Script("h1", r)
	b.gateways.Script("h2", gatewaystest.Paid(1990))
	if _, err := b.looks(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []store.Sale{odd, fine} {
		if got := b.get(s); got.State != payment.Paid {
			t.Errorf("sale: %s", got.State)
		}
	}
	if got := b.get(odd); strings.ContainsRune(got.LastProviderStatus, 0) || len(got.LastProviderStatus) > 64 || got.EndToEndID != "E1" {
		t.Errorf("kept %q and %q", got.LastProviderStatus, got.EndToEndID)
	}
}

func TestLook_slowAccountDelaysOnlyItself(t *testing.T) {
	b := newBench(t)
	slow := b.sale()
	var fine []store.Sale
	account := b.newAccount("paradise")
	for range 3 {
		s := b.record(b.draft(account, "paradise"))
		b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
		fine = append(fine, s)
	}
	b.gateways.Script("h1", gatewaystest.Paid(1990))
	gate := &gate{GatewaysServiceClient: b.Gateways, account: b.account.String(), open: make(chan struct{}), waiting: make(chan struct{}, 9)}
	b.Gateways = gate
	rows, err := b.claimLooks(t.Context(), 100)
	if err != nil || len(rows) != 4 {
		t.Fatal(len(rows), err)
	}
	if err := b.look(t.Context(), rows); err != nil { // returns although the slow one has not answered
		t.Fatal(err)
	}
	<-gate.waiting
	for _, s := range fine {
		if got := b.get(s); got.State != payment.Paid {
			t.Errorf("an account that answers waits for one that does not: %s", got.State)
		}
	}
	second := b.sale() // the slow account has more to ask
	b.pass(time.Second)
	if rows, err := b.claimLooks(t.Context(), 100); err != nil || len(rows) != 0 {
		t.Errorf("%d more looks at an account that does not answer, %v", len(rows), err)
	}
	close(gate.open)
	b.slow.Wait()
	if got := b.get(slow); got.State != payment.Paid || got.Polls != 1 {
		t.Errorf("the slow answer is lost: %s, %d polls", got.State, got.Polls)
	}
	if rows, err := b.claimLooks(t.Context(), 100); err != nil || len(rows) != 1 || rows[0].PaymentID != second.ID {
		t.Errorf("after the answer %d looks are claimed, %v", len(rows), err)
	}
}

// gate holds the calls about one account until it is opened.
type gate struct {
	gatewaysv1.GatewaysServiceClient
	account string
	open    chan struct{}
	waiting chan struct{}
}

func (g *gate) BatchGetPaymentStatus(ctx context.Context, r *gatewaysv1.BatchGetPaymentStatusRequest, opts ...grpc.CallOption) (*gatewaysv1.BatchGetPaymentStatusResponse, error) {
	if r.GetRequests()[0].GetAccountId() == g.account {
		g.waiting <- struct{}{}
		select {
		case <-g.open:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return g.GatewaysServiceClient.BatchGetPaymentStatus(ctx, r, opts...)
}

func TestLook_oneFailingAccountHoldsNobodyBack(t *testing.T) {
	b := newBench(t)
	bad, fine := b.sale(), b.record(b.draft(b.newAccount("paradise"), "paradise"))
	b.gateways.Script("h2", gatewaystest.Paid(1990))
	b.Gateways = &refusing{b.Gateways, b.account.String()}
	if n, err := b.looks(); n != 2 || err != nil {
		t.Errorf("%d looks, %v; one account's failure must not hold back the loop", n, err)
	}
	if b.get(fine).State != payment.Paid || b.get(bad).Polls != 0 {
		t.Errorf("%s, %d polls", b.get(fine).State, b.get(bad).Polls)
	}
}

// refusing fails the calls about one account.
type refusing struct {
	gatewaysv1.GatewaysServiceClient
	account string
}

func (g *refusing) BatchGetPaymentStatus(ctx context.Context, r *gatewaysv1.BatchGetPaymentStatusRequest, opts ...grpc.CallOption) (*gatewaysv1.BatchGetPaymentStatusResponse, error) {
	if r.GetRequests()[0].GetAccountId() == g.account {
		return nil, status.Error(codes.DeadlineExceeded, "too slow")
	}
	return g.GatewaysServiceClient.BatchGetPaymentStatus(ctx, r, opts...)
}

func TestClaimLooks_accountsShareAndSmallSharesReachTheOldest(t *testing.T) {
	b := newBench(t)
	accounts := []payment.AccountID{b.account, b.newAccount("paradise")}
	oldest := map[payment.ID]bool{}
	for _, a := range accounts {
		for i := range 8 {
			s := b.draft(a, "atomopay")
			s.CreatedAt = b.clock().Add(-time.Duration(i+1) * time.Hour)
			if s = b.record(s); i == 7 {
				oldest[s.ID] = true
			}
		}
	}
	seen := map[payment.AccountID]int{}
	reached := 0
	for range 4 {
		rows, err := b.claimLooks(t.Context(), 2)
		if err != nil || len(rows) != 2 {
			t.Fatal(len(rows), err)
		}
		for _, r := range rows {
			seen[r.AccountID]++
			if oldest[r.PaymentID] {
				reached++
			}
		}
	}
	if d := cmp.Diff(map[payment.AccountID]int{accounts[0]: 4, accounts[1]: 4}, seen); d != "" || reached != 2 {
		t.Errorf("the oldest of both were reached %d times within four shares of one; shares (-want +got):\n%s", reached, d)
	}
}

func TestReading_keepsAmountCurrencyAndMoment(t *testing.T) {
	r := gatewaystest.Sum(gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, "paid", 1990)
	r.Reading.Amount = &typev1.Money{Centavos: 5, Currency: "USD"}
	got := reading(r.GetReading())
	if *got.Amount != money.Amount(5) || got.Currency != "USD" || got.PaidAt != nil {
		t.Errorf("read %+v", got)
	}
	bare := reading(&gatewaysv1.Reading{Status: gatewaysv1.ChargeStatus(77)})
	if bare.Status != payment.StatusUnknown || bare.Amount != nil || bare.Currency != "" {
		t.Errorf("a word of another version is read as %+v", bare)
	}
}

// A claim passes over accounts whose calls go on; it is made again when one of them ends and not at the next idle moment.
func TestHeld_callThatEndsWakesClaimsThatPassedItsAccount(t *testing.T) {
	woken := 0
	h := held{wake: func() { woken++ }}
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	account := payment.AccountID{1}
	h.calling(account, now)()
	if woken != 0 {
		t.Error("woken although no claim passed it")
	}
	ended := h.calling(account, now)
	if got := h.list(now.Add(patience + time.Millisecond)); len(got) != 1 {
		t.Fatalf("held: %v", got)
	}
	ended()
	h.calling(account, now)()
	if woken != 1 {
		t.Errorf("woken %d times, want once", woken)
	}
}

// A look that becomes due between two claims wakes the next one, without asking for it at every claim before.
func TestLook_isClaimedWhenItIsDue(t *testing.T) {
	b := newBench(t)
	s := b.young()
	due := func(in time.Duration) {
		t.Helper()
		if _, err := b.Store.Pool().Exec(t.Context(), `UPDATE looks SET due_at = $1, leased_until = NULL WHERE payment_id = $2`, b.clock().Add(in), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	due(300 * time.Millisecond)
	began := time.Now()
	for range 2 {
		if rows, err := b.claimLooks(t.Context(), 100); err != nil || len(rows) != 0 {
			t.Fatalf("claimed %v, %v before it is due", rows, err)
		}
	}
	select {
	case <-b.Wakers.Looks.C():
	case <-time.After(time.Minute):
		t.Fatal("nobody woke the claims")
	}
	if d := time.Since(began); d < 300*time.Millisecond {
		t.Errorf("woken after %s, before it was due", d)
	}
	b.pass(300*time.Millisecond + gatherDue)
	if rows, err := b.claimLooks(t.Context(), 100); err != nil || len(rows) != 1 {
		t.Errorf("claimed %v, %v, want the one that is due", rows, err)
	}
	b.pass(-time.Hour) // and what is due soon after the clock went back
	due(100 * time.Millisecond)
	if _, err := b.claimLooks(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.Wakers.Looks.C():
	case <-time.After(time.Minute):
		t.Error("nobody woke the claims after the clock went back")
	}
}
