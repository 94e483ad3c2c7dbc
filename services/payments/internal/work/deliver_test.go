package work

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// paid is a sale whose money was seen and whose delivery is ordered.
func (b *bench) paid() store.Sale {
	b.t.Helper()
	s := b.sale()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	if _, err := b.looks(); err != nil {
		b.t.Fatal(err)
	}
	return b.get(s)
}

// reports lets the provider say something else of a sale, and looks.
func (b *bench) reports(s store.Sale, r *gatewaysResult) {
	b.t.Helper()
	b.gateways.Script(s.Charge.Hash, r)
	b.pass(time.Hour)
	b.hint(s)
	if n, err := b.looks(); n == 0 || err != nil {
		b.t.Fatal(n, err)
	}
}

func TestDeliver_leafAwayThenBackOnceEach(t *testing.T) {
	for name, c := range map[string]struct {
		fail  func(*bench)
		links int
	}{
		"delivery": {func(b *bench) { b.delivery.FailNext("BatchIssueTokens", codes.Unavailable, codes.DeadlineExceeded) }, 0},
		"notifier": {func(b *bench) { b.notifier.FailNext(2, "BatchNotify", codes.Unavailable) }, 1},
	} {
		b := newBench(t)
		s := b.paid()
		c.fail(b)
		for range 2 {
			if n, err := b.deliveries(); n != 1 || err == nil {
				t.Fatalf("%s: %d, %v", name, n, err)
			}
			if n, _ := b.deliveries(); n != 0 {
				t.Errorf("%s: tried again at once", name)
			}
			b.pass(awayFor)
		}
		if got := b.get(s); got.Message != "" || (got.TokenIssuedAt != nil) != (c.links == 1) || b.links(s) != c.links {
			t.Errorf("%s away: %+v, %d links", name, got.Fulfilment, b.links(s))
		}
		b.settle()
		buyer, owner := b.messages(s)
		if buyer != 1 || b.links(s) != 1 || owner["payment_update paid"] != 1 {
			t.Errorf("%s back: %d messages, %d links, owner %v", name, buyer, b.links(s), owner)
		}
		want := map[payment.Kind]int{payment.Registered: 1, payment.Reported: 1, payment.TokenIssued: 1, payment.MessageQueued: 1}
		if d := cmp.Diff(want, b.kinds(s)); d != "" {
			t.Errorf("%s: history (-want +got):\n%s", name, d)
		}
	}
}

func TestDeliver_oneOddSaleStopsNobody(t *testing.T) {
	b := newBench(t)
	odd := b.draft(b.account, "atomopay")
	odd.ProductName = "" // the delivery refuses it
	odd = b.record(odd)
	b.gateways.Script("h1", gatewaystest.Paid(1990))
	fine := []store.Sale{b.paid(), b.paid()}
	if _, err := b.deliveries(); err != nil {
		t.Errorf("an odd sale holds the loop back: %v", err)
	}
	b.pass(time.Hour)
	b.settle()
	for _, s := range fine {
		if buyer, _ := b.messages(s); buyer != 1 || b.get(s).Message != "queued" {
			t.Errorf("%d messages, %+v", buyer, b.get(s).Fulfilment)
		}
	}
	if k := b.kinds(odd); k[payment.TokenFailed] != 1 || k[payment.TokenIssued] != 0 {
		t.Errorf("the odd one's history: %v", k)
	}
	if b.delivery.Calls("BatchIssueTokens") > 5 {
		t.Errorf("%d calls: what was refused for good is tried again", b.delivery.Calls("BatchIssueTokens"))
	}
}

func TestDeliver_oneThatFailsInsideOfTheLeafWaitsAlone(t *testing.T) {
	b := newBench(t)
	bad, fine := b.paid(), b.paid()
	real := b.Delivery
	b.Delivery = &choosy{real, bad.ID.String()}
	if n, err := b.deliveries(); n != 2 || status.Code(err) != codes.Internal {
		t.Fatal(n, err)
	}
	if b.get(fine).Message != "queued" || b.get(bad).Message != "" {
		t.Errorf("fine %+v, bad %+v", b.get(fine).Fulfilment, b.get(bad).Fulfilment)
	}
	b.Delivery = real
	b.pass(time.Minute)
	b.settle()
	if b.get(bad).Message != "queued" {
		t.Error("it was dropped")
	}
}

// choosy fails for batches that hold one sale.
type choosy struct {
	deliveryv1.DeliveryServiceClient
	bad string
}

func (d *choosy) BatchIssueTokens(ctx context.Context, r *deliveryv1.BatchIssueTokensRequest, opts ...grpc.CallOption) (*deliveryv1.BatchIssueTokensResponse, error) {
	for _, one := range r.GetRequests() {
		if one.GetPaymentId() == d.bad {
			return nil, status.Error(codes.Internal, "internal error")
		}
	}
	return d.DeliveryServiceClient.BatchIssueTokens(ctx, r, opts...)
}

func TestDeliver_refundBeforeDeliveryMeansNone(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.reports(s, gatewaystest.Refunded(1990))
	b.settle()
	buyer, owner := b.messages(s)
	if buyer != 0 || b.links(s) != 0 {
		t.Errorf("%d messages and %d links for money that went back", buyer, b.links(s))
	}
	if d := cmp.Diff(map[string]int{"payment_update paid": 1, "payment_update refunded": 1}, owner); d != "" {
		t.Errorf("owner (-want +got):\n%s", d)
	}
}

func TestDeliver_refundWhileTheLinkIsMadeClosesIt(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	real := b.Delivery
	b.Delivery = &interrupted{real, func() {
		b.reports(s, gatewaystest.Refunded(1990))
		if n, err := b.tokens(); n != 1 || err != nil { // finds nothing to close
			t.Error(n, err)
		}
	}}
	if _, err := b.deliveries(); err != nil {
		t.Fatal(err)
	}
	b.Delivery = real
	b.settle()
	if st := b.link(s); st.GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED || st.GetStateReason() != "refunded" {
		t.Errorf("the link of a refunded sale is %v", st)
	}
}

// interrupted does something between the decision to make a link and its making.
type interrupted struct {
	deliveryv1.DeliveryServiceClient
	first func()
}

func (d *interrupted) BatchIssueTokens(ctx context.Context, r *deliveryv1.BatchIssueTokensRequest, opts ...grpc.CallOption) (*deliveryv1.BatchIssueTokensResponse, error) {
	d.first()
	return d.DeliveryServiceClient.BatchIssueTokens(ctx, r, opts...)
}

func (b *bench) link(s store.Sale) *deliveryv1.Delivery {
	b.t.Helper()
	r, err := b.Delivery.GetDelivery(b.t.Context(), &deliveryv1.GetDeliveryRequest{PaymentId: s.ID.String()})
	if err != nil {
		b.t.Fatal(err)
	}
	return r.GetDelivery()
}

func TestDeliver_linkOfAnAttemptThatCrashedIsClosedAfterARefund(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	ctx, crash := context.WithCancel(t.Context())
	rows, err := b.claimDeliveries(ctx, 9)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	real := b.Notifier
	b.Notifier = &dying{real, crash}
	if err := b.deliver(ctx, rows); err == nil {
		t.Fatal("it did not crash")
	}
	b.Notifier = real
	if b.links(s) != 1 || b.get(s).TokenIssuedAt != nil {
		t.Fatalf("%d links, %+v", b.links(s), b.get(s).Fulfilment)
	}
	b.reports(s, gatewaystest.Refunded(1990))
	b.settle()
	if st := b.link(s); st.GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED {
		t.Errorf("nobody closed the link that nobody knew of: %v", st)
	}
	if buyer, _ := b.messages(s); buyer != 0 {
		t.Errorf("%d messages", buyer)
	}
}

// dying ends the process's work instead of notifying.
type dying struct {
	notifierv1.NotifierServiceClient
	crash func()
}

func (d *dying) BatchNotify(ctx context.Context, _ *notifierv1.BatchNotifyRequest, _ ...grpc.CallOption) (*notifierv1.BatchNotifyResponse, error) {
	d.crash()
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestDeliver_disputeWonDeliversWhatWasHeldBack(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.reports(s, gatewaystest.Status(disputed, "med"))
	b.settle()
	if buyer, _ := b.messages(s); buyer != 0 {
		t.Fatal("delivered while the money is blocked")
	}
	b.reports(s, gatewaystest.Paid(1990))
	b.settle()
	if buyer, _ := b.messages(s); buyer != 1 || b.links(s) != 1 || b.link(s).GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE {
		t.Errorf("%d messages, %d links after the dispute was won", buyer, b.links(s))
	}
}

func TestTokens_followTheMoney(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.settle()
	b.reports(s, gatewaystest.Status(disputed, "med"))
	b.settle()
	if st := b.link(s); st.GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED || st.GetStateReason() != "disputed" {
		t.Errorf("under dispute: %v", st)
	}
	b.reports(s, gatewaystest.Paid(1990))
	b.settle()
	if st := b.link(s); st.GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE {
		t.Errorf("after the dispute was won: %v", st)
	}
	buyer, owner := b.messages(s)
	if d := cmp.Diff(map[string]int{"payment_update paid": 2, "payment_update disputed": 1}, owner); d != "" || buyer != 1 {
		t.Errorf("%d messages, owner (-want +got):\n%s", buyer, d)
	}
	if k := b.kinds(s); k[payment.TokenRevoked] != 1 || k[payment.TokenRestored] != 1 {
		t.Errorf("history: %v", k)
	}
}

func TestTokens_lastWordStandsHoweverOvertaken(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.settle()
	b.reports(s, gatewaystest.Status(disputed, "med"))
	slow, err := b.claimTokens(t.Context(), 1)
	if err != nil || len(slow) != 1 {
		t.Fatal(slow, err)
	}
	real := b.Delivery
	b.Delivery = &overtaken{real, func() { // while we are about to close it, the dispute is won and another replica opens it
		b.Delivery = real
		b.reports(s, gatewaystest.Paid(1990))
		if n, err := b.tokens(); n == 0 || err != nil {
			t.Error(n, err)
		}
	}}
	if err := b.changeTokens(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	if st := b.link(s); st.GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE {
		t.Errorf("the link of a paid sale is %v", st)
	}
	if n, _ := b.tokens(); n != 0 {
		t.Errorf("%d orders are left", n)
	}
}

// overtaken does something before a link is closed.
type overtaken struct {
	deliveryv1.DeliveryServiceClient
	first func()
}

func (d *overtaken) RevokeToken(ctx context.Context, r *deliveryv1.RevokeTokenRequest, opts ...grpc.CallOption) (*deliveryv1.RevokeTokenResponse, error) {
	d.first()
	return d.DeliveryServiceClient.RevokeToken(ctx, r, opts...)
}

func TestTokens_deliveryAwayHoldsOnlyUntilItIsBack(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.settle()
	b.reports(s, gatewaystest.Refunded(1990))
	b.delivery.FailNext("RevokeToken", codes.Unavailable)
	if n, err := b.tokens(); n != 1 || status.Code(err) != codes.Unavailable {
		t.Fatal(n, err)
	}
	b.pass(awayFor)
	b.settle()
	if st := b.link(s); st.GetStateReason() != "refunded" {
		t.Errorf("link: %v", st)
	}
}

func TestOwner_eachEventWithAKeyOfItsOwn(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.notifier.FailNext(1, "BatchNotify", codes.Unavailable)
	if n, err := b.news(); n != 1 || status.Code(err) != codes.Unavailable {
		t.Fatal(n, err)
	}
	b.pass(awayFor)
	b.settle()
	b.reports(s, gatewaystest.Refunded(1990))
	b.settle()
	keys := map[string]int{}
	for _, r := range b.notifier.Requests() {
		if e := r.GetOwnerEvent(); e != nil {
			keys[r.GetKey()+" "+e.GetStatus()]++
			if e.GetPaymentExternalId() != "BOT35_1" || e.GetBotExternalId() != "35" || e.GetAmount().GetCentavos() != 1990 || e.GetProvider() != "atomopay" || e.GetCustomerName() != "Bia" || e.GetAt() == nil {
				t.Errorf("event: %v", e)
			}
		}
	}
	if len(keys) != 2 || keys["owner:2 paid"] != 1 {
		t.Errorf("told: %v", keys)
	}
}

func TestOwner_oneRefusedEventStopsNobodyAndEnds(t *testing.T) {
	b := newBench(t)
	bad, fine := b.paid(), b.paid()
	real := b.Notifier
	b.Notifier = &picky{real, bad.ID.String(), codes.InvalidArgument}
	if n, err := b.news(); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, owner := b.messages(fine); len(owner) != 1 {
		t.Errorf("the other's owner was told %v", owner)
	}
	b.pass(time.Hour)
	if n, _ := b.news(); n != 0 {
		t.Errorf("%d events are still tried", n)
	}
	b.Notifier = &picky{real, bad.ID.String(), codes.Internal}
	b.reports(bad, gatewaystest.Refunded(1990))
	b.reports(fine, gatewaystest.Refunded(1990))
	if n, err := b.news(); n != 2 || status.Code(err) != codes.Internal {
		t.Errorf("%d, %v", n, err)
	}
	b.Notifier = real
	b.pass(time.Minute)
	if n, err := b.news(); n != 1 || err != nil {
		t.Errorf("%d waited for the leaf's error to pass, %v", n, err)
	}
	if _, owner := b.messages(bad); owner["payment_update refunded"] != 1 {
		t.Errorf("told: %v", owner)
	}
}

// picky refuses batches that hold one sale.
type picky struct {
	notifierv1.NotifierServiceClient
	bad  string
	code codes.Code
}

func (p *picky) BatchNotify(ctx context.Context, r *notifierv1.BatchNotifyRequest, opts ...grpc.CallOption) (*notifierv1.BatchNotifyResponse, error) {
	for _, one := range r.GetRequests() {
		if one.GetPaymentId() == p.bad {
			return nil, status.Error(p.code, "refused")
		}
	}
	return p.NotifierServiceClient.BatchNotify(ctx, r, opts...)
}
