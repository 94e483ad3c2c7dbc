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
