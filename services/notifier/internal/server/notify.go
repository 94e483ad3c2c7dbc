package server

import (
	"context"
	"errors"
	"fmt"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const maxBatch = 500

// Notify records one thing to tell.
func (s *Server) Notify(ctx context.Context, r *notifierv1.NotifyRequest) (*notifierv1.NotifyResponse, error) {
	all, err := s.record(ctx, []*notifierv1.NotifyRequest{r}, func(int) string { return "" })
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// BatchNotify records up to 500 in one transaction.
func (s *Server) BatchNotify(ctx context.Context, r *notifierv1.BatchNotifyRequest) (*notifierv1.BatchNotifyResponse, error) {
	if n := len(r.GetRequests()); n < 1 || n > maxBatch {
		return nil, rpcerr.Invalid("requests", fmt.Sprintf("1 to %d requests", maxBatch))
	}
	all, err := s.record(ctx, r.GetRequests(), func(i int) string { return fmt.Sprintf("requests[%d].", i) })
	if err != nil {
		return nil, err
	}
	return &notifierv1.BatchNotifyResponse{Responses: all}, nil
}

// record checks everything before it writes anything; the fields of all wrong requests are named at once.
func (s *Server) record(ctx context.Context, requests []*notifierv1.NotifyRequest, path func(int) string) ([]*notifierv1.NotifyResponse, error) {
	caller := auth.From(ctx)
	intents := make([]store.Intent, len(requests))
	var f rpcerr.Fields
	for i, r := range requests {
		if _, err := caller.Merchant(r.GetMerchantId()); err != nil {
			return nil, err
		}
		c := check{fields: &f, path: path(i)}
		intents[i] = c.intent(r)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	for i, r := range requests {
		if err := s.fill(&intents[i], r); err != nil {
			return nil, err
		}
	}
	recorded, err := s.Record(ctx, intents)
	if err != nil {
		return nil, err
	}
	out := make([]*notifierv1.NotifyResponse, len(recorded))
	for i, x := range recorded {
		out[i] = &notifierv1.NotifyResponse{Notification: notification(x.Notification), Created: x.Created}
	}
	return out, nil
}

// GetNotifications lists what was told about one sale.
func (s *Server) GetNotifications(ctx context.Context, r *notifierv1.GetNotificationsRequest) (*notifierv1.GetNotificationsResponse, error) {
	whose, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	payment := id(&f, "payment_id", r.GetPaymentId())
	if err := f.Err(); err != nil {
		return nil, err
	}
	if whose == nil {
		m, err := s.Store.MerchantOf(ctx, payment)
		if errors.Is(err, store.ErrNotFound) {
			return &notifierv1.GetNotificationsResponse{}, nil
		}
		if err != nil {
			return nil, err
		}
		whose = &m
	}
	list, err := s.Store.List(ctx, *whose, payment)
	if err != nil {
		return nil, err
	}
	out := &notifierv1.GetNotificationsResponse{Notifications: make([]*notifierv1.Notification, len(list))}
	for i, n := range list {
		out.Notifications[i] = notification(n)
	}
	return out, nil
}
