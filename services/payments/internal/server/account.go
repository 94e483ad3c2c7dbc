package server

import (
	"context"
	"sync"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// accounts remembers for a short while which accounts a merchant has: a sale needs its account's provider, and asking the
// gateways for every sale would double the calls.
type accounts struct {
	client gatewaysv1.AccountsServiceClient
	now    func() time.Time
	mu     sync.Mutex
	of     map[payment.MerchantID]accountList
}

type accountList struct {
	provider map[payment.AccountID]string
	at       time.Time
}

const (
	accountsFor = 30 * time.Second
	// How long gateways may take to list accounts: it bridges a restart, and leaves time to say that gateways is away.
	accountsWithin = 5 * time.Second
)

// provider is the provider of a merchant's account. An account that is not known is looked up again before it is refused.
func (a *accounts) provider(ctx context.Context, m payment.MerchantID, id payment.AccountID) (string, error) {
	a.mu.Lock()
	list := a.of[m]
	a.mu.Unlock()
	if p, ok := list.provider[id]; ok && a.now().Sub(list.at) < accountsFor {
		return p, nil
	}
	found, err := a.list(ctx, m)
	if err != nil {
		return "", err
	}
	if p, ok := found[id]; ok {
		return p, nil
	}
	return "", rpcerr.NotFound("account_id: account")
}

// list asks which accounts a merchant has, and of which providers they are.
func (a *accounts) list(ctx context.Context, m payment.MerchantID) (map[payment.AccountID]string, error) {
	// The service asks for itself: a merchant's own key reached this merchant already.
	ctx, cancel := context.WithTimeout(auth.With(ctx, auth.Principal{Operator: true}), accountsWithin)
	defer cancel()
	resp, err := a.client.ListAccounts(ctx, &gatewaysv1.ListAccountsRequest{MerchantId: m.String()})
	if err != nil {
		return nil, unreachable("gateways", err)
	}
	list := accountList{provider: map[payment.AccountID]string{}, at: a.now()}
	for _, account := range resp.GetAccounts() {
		if aid, err := payment.ParseAccountID(account.GetId()); err == nil {
			list.provider[aid] = account.GetProvider()
		}
	}
	a.mu.Lock()
	if a.of == nil || len(a.of) > 10_000 {
		a.of = map[payment.MerchantID]accountList{}
	}
	a.of[m] = list
	a.mu.Unlock()
	return list.provider, nil
}
