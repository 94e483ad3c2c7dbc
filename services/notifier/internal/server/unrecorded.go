package server

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
)

const (
	maxRecorded = 500
	maxKeys     = 1000 // of one sale
)

// FindUnrecorded says what of sales is not there, or that nothing leads on.
func (s *Server) FindUnrecorded(ctx context.Context, r *notifierv1.FindUnrecordedRequest) (*notifierv1.FindUnrecordedResponse, error) {
	m, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require(len(r.GetSales()) > 0 && len(r.GetSales()) <= maxRecorded, "sales", fmt.Sprintf("1 to %d sales", maxRecorded))
	var (
		told, granted, all []uuid.UUID
		keys               []string
	)
	for i, sale := range r.GetSales() {
		path := fmt.Sprintf("sales[%d].", i)
		p := id(&f, path+"payment_id", sale.GetPaymentId())
		f.Require(len(sale.GetKeys()) <= maxKeys, path+"keys", fmt.Sprintf("at most %d keys", maxKeys))
		all = append(all, p)
		for _, key := range sale.GetKeys() {
			told, keys = append(told, p), append(keys, key)
		}
		if sale.GetAccess() {
			granted = append(granted, p)
		}
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	found, err := s.Store.Unrecorded(ctx, m, told, keys, granted, all)
	if err != nil {
		return nil, err
	}
	out := &notifierv1.FindUnrecordedResponse{}
	for _, u := range found {
		out.Unrecorded = append(out.Unrecorded, &notifierv1.Unrecorded{PaymentId: u.PaymentID.String(), Kind: u.Kind, Key: u.Key})
	}
	return out, nil
}
