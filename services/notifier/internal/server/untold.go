package server

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
)

const kindDelivery = "delivery"

// FindUntold says of which sales the buyer's message was never recorded.
func (s *Server) FindUntold(ctx context.Context, r *notifierv1.FindUntoldRequest) (*notifierv1.FindUntoldResponse, error) {
	m, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require(len(r.GetPaymentIds()) > 0 && len(r.GetPaymentIds()) <= 500, "payment_ids", "1 to 500 ids")
	sales := make([]uuid.UUID, len(r.GetPaymentIds()))
	for i, text := range r.GetPaymentIds() {
		sales[i] = id(&f, fmt.Sprintf("payment_ids[%d]", i), text)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	missing, err := s.Store.Untold(ctx, m, kindDelivery, sales)
	if err != nil {
		return nil, err
	}
	out := &notifierv1.FindUntoldResponse{}
	for _, id := range missing {
		out.PaymentIds = append(out.PaymentIds, id.String())
	}
	return out, nil
}
