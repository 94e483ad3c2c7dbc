package server

import (
	"context"
	"fmt"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

// FindUnissued implements DeliveryService.
func (s *Server) FindUnissued(ctx context.Context, req *deliveryv1.FindUnissuedRequest) (*deliveryv1.FindUnissuedResponse, error) {
	m, err := merchant(ctx, req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require(len(req.GetPaymentIds()) > 0 && len(req.GetPaymentIds()) <= maxBatch, "payment_ids", "1 to 500 ids")
	sales := make([]sale.PaymentID, len(req.GetPaymentIds()))
	for i, text := range req.GetPaymentIds() {
		id, err := sale.ParsePaymentID(text)
		f.Require(err == nil, fmt.Sprintf("payment_ids[%d]", i), "a UUID")
		sales[i] = id
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	missing, err := s.cfg.Store.Unissued(ctx, m, sales)
	if err != nil {
		return nil, err
	}
	out := &deliveryv1.FindUnissuedResponse{}
	for _, id := range missing {
		out.PaymentIds = append(out.PaymentIds, id.String())
	}
	return out, nil
}
