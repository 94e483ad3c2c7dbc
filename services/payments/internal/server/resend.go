package server

import (
	"context"
	"log/slog"
	"slices"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// ResendDelivery records the order first, so that it is carried out whatever becomes of this call, and then asks for the link that
// the order leads to.
func (s *Server) ResendDelivery(ctx context.Context, r *paymentsv1.ResendDeliveryRequest) (*paymentsv1.ResendDeliveryResponse, error) {
	var f rpcerr.Fields
	checkText(&f, "idempotency_key", r.GetIdempotencyKey(), 60)
	if err := f.Err(); err != nil {
		return nil, err
	}
	sale, err := s.sale(ctx, r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	switch {
	case sale.DeliveredElsewhere:
		return nil, rpcerr.Precondition("the payment was delivered by the system that it was imported from; there is no link of ours")
	case sale.State != payment.Paid:
		return nil, rpcerr.Precondition("the payment is " + sale.State.String() + "; only a paid one has a link to send")
	case sale.TokenIssuedAt == nil:
		return nil, rpcerr.Precondition("the payment's delivery is on its way; there is no link yet")
	}
	order := ledger.ResendOrder{Key: r.GetIdempotencyKey(), Regenerate: r.GetRegenerate(), LinkOnly: r.GetLinkOnly()}
	known := false
	if order.Key == "" {
		order.Key = newID().String()
	} else if order, known, err = s.ordered(ctx, sale, order); err != nil {
		return nil, err
	}
	key := store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID}
	if !known {
		applied, err := s.Ledger.Apply(ctx, []ledger.Entry{{Key: key, TraceID: traceID(sale.Traceparent), Resend: &order,
			Details: map[string]string{"by": caller(ctx), "order": order.Word(), "key": order.Key},
			Event:   payment.Event{Kind: payment.ResendOrdered, At: s.Now(), Source: payment.SourceAPI}}})
		if err != nil {
			return nil, err
		}
		sale = applied[key]
	}
	return &paymentsv1.ResendDeliveryResponse{Payment: s.message(sale, nil), Url: s.link(ctx, sale, order)}, nil
}

// ordered finds the order that was given under the same key before. It is what it was then.
func (s *Server) ordered(ctx context.Context, sale store.Sale, order ledger.ResendOrder) (ledger.ResendOrder, bool, error) {
	events, err := s.Store.Events(ctx, sale.MerchantID, sale.ID)
	if err != nil {
		return order, false, err
	}
	i := slices.IndexFunc(events, func(e store.Event) bool { return e.Kind == payment.ResendOrdered && e.Details["key"] == order.Key })
	if i < 0 {
		return order, false, nil
	}
	if events[i].Details["order"] != order.Word() {
		return order, false, rpcerr.Exists("idempotency_key: another order was given under it")
	}
	return order, true, nil
}

// link is the link that an order leads to; empty when delivery does not answer. Idempotency key: the payment and the order.
func (s *Server) link(ctx context.Context, sale store.Sale, o ledger.ResendOrder) (url string) {
	ctx = auth.With(ctx, auth.Principal{Operator: true})
	var err error
	if o.Regenerate {
		var made *deliveryv1.RegenerateTokenResponse
		made, err = s.Delivery.RegenerateToken(ctx, &deliveryv1.RegenerateTokenRequest{MerchantId: sale.MerchantID.String(), PaymentId: sale.ID.String(), Key: o.Key})
		url = made.GetUrl()
	} else {
		var found *deliveryv1.GetLinkResponse
		found, err = s.Delivery.GetLink(ctx, &deliveryv1.GetLinkRequest{MerchantId: sale.MerchantID.String(), PaymentId: sale.ID.String()})
		url = found.GetUrl()
	}
	if err != nil {
		slog.WarnContext(ctx, "link not shown", slog.String("payment_id", sale.ID.String()), slog.Any("error", err))
		return ""
	}
	return url
}
