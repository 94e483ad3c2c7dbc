package gatewaystest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
)

// Account is one merchant's account at a provider.
type Account struct {
	// ID and Key are made up when empty; Key is the word in webhook URLs.
	ID, Key string
	// MerchantID must be set.
	MerchantID string
	// Provider is "atomopay" when empty.
	Provider string
	// Label is "default" when empty.
	Label string
	// RoutingHashes are those that ParseWebhook finds the account by, in a body's "producer" field.
	RoutingHashes []string
}

type account struct {
	*gatewaysv1.Account
	routing []string
}

// AddAccount makes an account and returns it with what was made up.
func (f *Fake) AddAccount(a Account) Account {
	if a.ID == "" {
		a.ID = uuid.Must(uuid.NewV7()).String()
	}
	if a.Key == "" {
		a.Key = "key-" + a.ID
	}
	if a.Provider == "" {
		a.Provider = "atomopay"
	}
	if a.Label == "" {
		a.Label = "default"
	}
	now := timestamppb.New(time.Now().UTC())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accounts[a.ID] = &account{routing: a.RoutingHashes, Account: &gatewaysv1.Account{Id: a.ID, MerchantId: a.MerchantID, Provider: a.Provider,
		Label: a.Label, AccountKey: a.Key, State: gatewaysv1.AccountState_ACCOUNT_STATE_ACTIVE, Breaker: "closed", CreatedAt: now, UpdatedAt: now}}
	return a
}

// PauseAccount makes an account's credentials refused: looks are Paused until PutAccount or VerifyAccount.
func (f *Fake) PauseAccount(id, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.accounts[id]; a != nil {
		a.State, a.StateReason = gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED, reason
	}
}

func resume(a *account) {
	a.State, a.StateReason = gatewaysv1.AccountState_ACCOUNT_STATE_ACTIVE, ""
	a.UpdatedAt = timestamppb.New(time.Now().UTC())
}

// owned is called with mu held.
func (f *Fake) owned(merchant, id string) (*account, error) {
	a := f.accounts[id]
	if a == nil || a.MerchantId != merchant {
		return nil, rpcerr.NotFound("account_id: account")
	}
	return a, nil
}

type accountsServer struct {
	gatewaysv1.UnimplementedAccountsServiceServer
	f *Fake
}

func (s *accountsServer) PutAccount(ctx context.Context, r *gatewaysv1.PutAccountRequest) (*gatewaysv1.PutAccountResponse, error) {
	merchant, err := auth.From(ctx).Merchant(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(strings.TrimSpace(r.GetProvider()))
	if name == "pushynpay" {
		name = "pushinpay"
	}
	if !slices.ContainsFunc(providers(), func(p *gatewaysv1.Provider) bool { return p.GetName() == name }) {
		return nil, rpcerr.Invalid("provider", "one of those that ListProviders lists")
	}
	label := r.GetLabel()
	if label == "" {
		label = "default"
	}
	names := make([]string, 0, len(r.GetCredentials()))
	for n := range r.GetCredentials() {
		names = append(names, n)
	}
	slices.Sort(names)
	s.f.mu.Lock()
	var old *account
	for _, a := range s.f.accounts {
		if a.MerchantId == merchant && a.Provider == name && a.Label == label {
			old = a
		}
	}
	created := old == nil
	s.f.mu.Unlock()
	if created {
		id := s.f.AddAccount(Account{MerchantID: merchant, Provider: name, Label: label}).ID
		s.f.mu.Lock()
		old = s.f.accounts[id]
		s.f.mu.Unlock()
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	resume(old)
	old.BaseUrl, old.CallsPerMinute, old.CredentialNames, old.routing = r.GetBaseUrl(), r.GetCallsPerMinute(), names, r.GetRoutingHashes()
	return &gatewaysv1.PutAccountResponse{Account: proto.CloneOf(old.Account), Created: created}, nil
}

func (s *accountsServer) VerifyAccount(ctx context.Context, r *gatewaysv1.VerifyAccountRequest) (*gatewaysv1.VerifyAccountResponse, error) {
	merchant, err := auth.From(ctx).Merchant(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	a, err := s.f.owned(merchant, r.GetAccountId())
	if err != nil {
		return nil, err
	}
	resume(a)
	return &gatewaysv1.VerifyAccountResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, HttpStatus: 200, Account: proto.CloneOf(a.Account)}, nil
}

func (s *accountsServer) ListAccounts(ctx context.Context, r *gatewaysv1.ListAccountsRequest) (*gatewaysv1.ListAccountsResponse, error) {
	merchant, err := auth.From(ctx).Scope(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	out := &gatewaysv1.ListAccountsResponse{}
	for _, a := range s.f.accounts {
		if (merchant == "" || a.MerchantId == merchant) && (r.GetProvider() == "" || a.Provider == r.GetProvider()) {
			out.Accounts = append(out.Accounts, proto.CloneOf(a.Account))
		}
	}
	slices.SortFunc(out.Accounts, func(a, b *gatewaysv1.Account) int {
		if c := a.GetCreatedAt().AsTime().Compare(b.GetCreatedAt().AsTime()); c != 0 {
			return c
		}
		return strings.Compare(a.GetId(), b.GetId())
	})
	return out, nil
}
