package server

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

// PutAccount implements AccountsService.
func (s accounts) PutAccount(ctx context.Context, r *gatewaysv1.PutAccountRequest) (*gatewaysv1.PutAccountResponse, error) {
	m, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	adapter, err := s.c.Registry.Lookup(r.GetProvider())
	if err != nil {
		return nil, rpcerr.Invalid("provider", text(err.Error(), 400))
	}
	record, secrets, err := s.newRecord(ctx, m, adapter, r)
	if err != nil {
		return nil, err
	}
	created, err := s.put(ctx, record, secrets)
	if errors.Is(err, store.ErrTaken) { // another call created it between our look and our write
		created, err = s.put(ctx, record, secrets)
	}
	if err != nil {
		return nil, err
	}
	s.c.Book.Forget(record.Key)
	a, err := s.listed(ctx, record.Key)
	if err != nil {
		return nil, err
	}
	return &gatewaysv1.PutAccountResponse{Account: a, Created: created}, nil
}

// put seals the secrets for the account that has the label, or for a new one.
func (s *Server) put(ctx context.Context, r *account.Record, secrets map[string]string) (created bool, err error) {
	id, err := s.c.Store.FindAccount(ctx, r.Merchant, r.Provider, r.Label)
	if errors.Is(err, account.ErrNotFound) {
		id, err = account.NewID(), nil
	}
	if err != nil {
		return false, err
	}
	r.Account, r.WebhookKey = id, account.NewWebhookKey()
	if r.Sealed, err = account.SealSecrets(s.c.Sealer, id, secrets); err != nil {
		return false, err
	}
	return s.c.Store.PutAccount(ctx, r)
}

// VerifyAccount implements AccountsService. It spends no granted budget: people wait for it.
func (s accounts) VerifyAccount(ctx context.Context, r *gatewaysv1.VerifyAccountRequest) (*gatewaysv1.VerifyAccountResponse, error) {
	a, err := s.owned(ctx, r.GetMerchantId(), r.GetAccountId())
	if err != nil {
		return nil, err
	}
	out := &gatewaysv1.VerifyAccountResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS}
	adapter, err := s.c.Registry.Lookup(string(a.Provider))
	if err != nil {
		return nil, rpcerr.Precondition("the account's provider is not known to this version")
	}
	p, err := s.open(ctx, a, adapter)
	if err != nil {
		return nil, err
	}
	if p.Why == gate.Quiet {
		out.Outcome, out.Reason = gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, "the provider asked for silence; not asked"
	} else if err := s.verify(ctx, a, adapter, p.Why == gate.Breaker, out); err != nil {
		return nil, err
	}
	out.Account, err = s.listed(ctx, a.Key)
	return out, err
}

func (s *Server) verify(ctx context.Context, a *account.Account, adapter provider.Adapter, probe bool, out *gatewaysv1.VerifyAccountResponse) error {
	var calls counter
	call, cancel := context.WithTimeout(calls.count(ctx), s.c.CallTimeout)
	defer cancel()
	info, err := s.verified(call, adapter, a)
	s.c.Gate.Report(call, a, gate.Result{Op: provider.OpVerify, Calls: calls.made(), Err: err, Probe: probe, Impatient: err != nil && ctx.Err() != nil})
	if err != nil {
		out.Outcome, out.Reason, out.HttpStatus = outcome(err), reason(err), httpStatus(err)
		return ctx.Err()
	}
	out.HttpStatus = int32(info.HTTPStatus)
	s.learn(ctx, a, info.Routing)
	return s.c.Gate.Accepted(ctx, a)
}

// verified keeps an adapter's panic to the one question.
func (s *Server) verified(ctx context.Context, adapter provider.Adapter, a *account.Account) (info provider.AccountInfo, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(ctx, a.Provider, v)
			err = &provider.Error{Kind: provider.KindContract, Provider: a.Provider, Op: provider.OpVerify, Reason: "the adapter failed on this answer"}
		}
	}()
	return adapter.VerifyAccount(ctx, a.Open)
}

// open asks the gate about a call that somebody waits for: it is counted when it is made, and neither the budget nor a pause
// stands in its way, nor the breaker, which the call tests instead. The silence that the provider wants does.
func (s *Server) open(ctx context.Context, a *account.Account, adapter provider.Adapter) (gate.Permit, error) {
	active := *a
	active.State = account.Active
	permits, err := s.c.Gate.Ask(ctx, []gate.Need{{Account: &active, Rule: adapter.Capabilities().Poll}})
	return permits[a.Key], err
}

// ListAccounts implements AccountsService.
func (s accounts) ListAccounts(ctx context.Context, r *gatewaysv1.ListAccountsRequest) (*gatewaysv1.ListAccountsResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	name := provider.Name("")
	if r.GetProvider() != "" {
		adapter, err := s.c.Registry.Lookup(r.GetProvider())
		if err != nil {
			return nil, rpcerr.Invalid("provider", text(err.Error(), 400))
		}
		name = adapter.Name()
	}
	list, err := s.c.Store.ListAccounts(ctx, m, name, account.ID{})
	if err != nil {
		return nil, err
	}
	out := &gatewaysv1.ListAccountsResponse{Accounts: make([]*gatewaysv1.Account, len(list))}
	for i := range list {
		out.Accounts[i] = message(&list[i])
	}
	return out, nil
}

// listed is one account as its merchant sees it, with this replica's counters up to date.
func (s *Server) listed(ctx context.Context, k account.Key) (*gatewaysv1.Account, error) {
	if err := s.c.Gate.Flush(ctx); err != nil {
		return nil, err
	}
	list, err := s.c.Store.ListAccounts(ctx, k.Merchant, "", k.Account)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, account.ErrNotFound
	}
	return message(&list[0]), nil
}

var states = map[account.State]gatewaysv1.AccountState{
	account.Active:            gatewaysv1.AccountState_ACCOUNT_STATE_ACTIVE,
	account.CredentialRefused: gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED,
}

func message(a *store.Listed) *gatewaysv1.Account {
	return &gatewaysv1.Account{
		Id: a.Account.String(), MerchantId: a.Merchant.String(), Provider: string(a.Provider), Label: a.Label, AccountKey: a.WebhookKey,
		BaseUrl: a.BaseURL, CallsPerMinute: int32(a.CallsPerMinute), State: states[a.State], StateReason: a.StateReason, Breaker: a.Breaker,
		CallsLastMinute: int32(a.CallsLastMinute), CreatedAt: timestamppb.New(a.CreatedAt), UpdatedAt: timestamppb.New(a.UpdatedAt),
		CredentialNames: a.CredentialNames, LastSuccessAt: moment(&a.LastSuccessAt), LastFailureAt: moment(&a.LastFailureAt),
		Shadow: a.Shadow, ShadowLooks: a.ShadowLooks, ShadowDifferences: a.ShadowDiffering,
	}
}
