package server

import (
	"context"
	"fmt"
	"strings"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// GetPaymentStatus implements GatewaysService.
func (s gateways) GetPaymentStatus(ctx context.Context, r *gatewaysv1.GetPaymentStatusRequest) (*gatewaysv1.GetPaymentStatusResponse, error) {
	a, err := s.owned(ctx, r.GetMerchantId(), r.GetAccountId())
	if err != nil {
		return nil, err
	}
	if ref(r.GetRef()).IsZero() {
		return nil, rpcerr.Invalid("ref", "at least one identifier: hash, id or reference")
	}
	item := &look{key: a.Key, ref: ref(r.GetRef()), traceparent: r.GetTraceparent()}
	if err := s.looks(ctx, []*look{item}, map[account.Key]*account.Account{a.Key: a}); err != nil {
		return nil, err
	}
	return &gatewaysv1.GetPaymentStatusResponse{Result: item.result}, nil
}

// BatchGetPaymentStatus implements GatewaysService.
func (s gateways) BatchGetPaymentStatus(ctx context.Context, r *gatewaysv1.BatchGetPaymentStatusRequest) (*gatewaysv1.BatchGetPaymentStatusResponse, error) {
	if n := len(r.GetRequests()); n == 0 || n > maxBatch {
		return nil, rpcerr.Invalid("requests", fmt.Sprintf("1 to %d questions", maxBatch))
	}
	items := make([]*look, len(r.GetRequests()))
	wanted := map[account.Key]bool{}
	var ks []account.Key
	var said string // the merchant of the item before, checked
	var m account.MerchantID
	for i, q := range r.GetRequests() {
		if i == 0 || q.GetMerchantId() != said {
			var err error
			if m, err = merchant(ctx, q.GetMerchantId()); err != nil {
				return nil, err
			}
			said = q.GetMerchantId()
		}
		items[i] = &look{ref: ref(q.GetRef()), traceparent: q.GetTraceparent()}
		id, err := account.ParseID(q.GetAccountId())
		if err != nil {
			continue // the zero account is nobody's
		}
		items[i].key = account.Key{Merchant: m, Account: id}
		if !wanted[items[i].key] {
			wanted[items[i].key] = true
			ks = append(ks, items[i].key)
		}
	}
	found, err := s.c.Book.Get(ctx, ks)
	if err != nil {
		return nil, err
	}
	if err := s.looks(ctx, items, found); err != nil {
		return nil, err
	}
	out := &gatewaysv1.BatchGetPaymentStatusResponse{Results: make([]*gatewaysv1.PollResult, len(items))}
	for i, item := range items {
		out.Results[i] = item.result
	}
	return out, nil
}

// usable is the first identifier in the provider's order, as its sale is known there; "" when it accepts none of them.
func usable(c provider.Capabilities, r provider.Ref) string {
	r = c.Canonical(r)
	for _, id := range c.Identifiers {
		if v := r.Get(id.Kind); v != "" {
			return string(id.Kind) + ":" + strings.ToLower(v)
		}
	}
	return ""
}
