package work

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestLink_isTheDeliverysWhoeverComesFirst(t *testing.T) {
	b := newBench(t)
	for _, pageFirst := range []bool{true, false} {
		s := b.paid()
		var link string
		var err error
		if pageFirst {
			if link, err = b.Link(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		b.settle()
		again, err := b.Link(t.Context(), b.get(s))
		if err != nil || again == "" || pageFirst && again != link {
			t.Errorf("page first %t: the page says %q and then %q, %v", pageFirst, link, again, err)
		}
		buyer, _ := b.messages(s)
		if k := b.kinds(s); k[payment.TokenIssued] != 1 || k[payment.MessageQueued] != 1 || b.links(s) != 1 || buyer != 1 {
			t.Errorf("page first %t: history %v, %d links, %d messages", pageFirst, k, b.links(s), buyer)
		}
	}
}

func TestLink_onlyOfAPaidSale(t *testing.T) {
	b := newBench(t)
	pending := b.sale()
	imported := b.paid()
	imported.DeliveredElsewhere = true
	for _, s := range []store.Sale{pending, imported} {
		if link, err := b.Link(t.Context(), s); !errors.Is(err, ErrNotPaid) || link != "" {
			t.Errorf("%s: %q, %v", s.State, link, err)
		}
	}
	if b.delivery.Calls("BatchIssueTokens") != 0 {
		t.Error("delivery was asked")
	}
}

// The money goes back between the page's reading of the sale and the delivery's answer: the link is not given out, and it is closed.
func TestLink_refundedMeanwhile(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	real := b.Delivery
	b.Delivery = &meanwhile{real, func() { b.reports(s, gatewaystest.Refunded(1990)) }}
	link, err := b.Link(t.Context(), s)
	b.Delivery = real
	if !errors.Is(err, ErrNotPaid) || link != "" {
		t.Errorf("the page shows %q, %v", link, err)
	}
	b.settle()
	d, err := b.Delivery.GetDelivery(t.Context(), &deliveryv1.GetDeliveryRequest{MerchantId: s.MerchantID.String(), PaymentId: s.ID.String()})
	if err != nil || d.GetDelivery().GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED {
		t.Errorf("the link is %v, %v", d.GetDelivery().GetState(), err)
	}
}

// meanwhile does something before the first answer.
type meanwhile struct {
	deliveryv1.DeliveryServiceClient
	do func()
}

func (m *meanwhile) BatchIssueTokens(ctx context.Context, r *deliveryv1.BatchIssueTokensRequest, opts ...grpc.CallOption) (*deliveryv1.BatchIssueTokensResponse, error) {
	m.do()
	return m.DeliveryServiceClient.BatchIssueTokens(ctx, r, opts...)
}
