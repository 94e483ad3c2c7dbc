package work

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

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
