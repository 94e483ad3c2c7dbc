package gatewaystest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
)

// ScriptTransactions sets what ListTransactions tells of an account, page by page, whatever is asked for but for charges
// whose CreatedAt is outside of it. The account's provider must be one with can_list.
func (f *Fake) ScriptTransactions(accountID string, pages ...[]*gatewaysv1.Reading) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists[accountID] = pages
	delete(f.unlisted, accountID)
}

// FailTransactions makes pages of an account come to an outcome such as Transient() until ScriptTransactions.
func (f *Fake) FailTransactions(accountID string, outcome *gatewaysv1.PollResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unlisted[accountID] = outcome
}

func (s *gatewaysServer) ListTransactions(ctx context.Context, r *gatewaysv1.ListTransactionsRequest) (*gatewaysv1.ListTransactionsResponse, error) {
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
	if a.GetProvider() != "bolt" {
		return nil, rpcerr.Precondition("account_id: " + a.GetProvider() + " has no listing of transactions; ask about each charge (can_list in ListProviders)")
	}
	from, to := r.GetCreatedFrom(), r.GetCreatedTo()
	switch {
	case from == nil:
		return nil, rpcerr.Invalid("created_from", "the moment from which charges are listed")
	case to != nil && !from.AsTime().Before(to.AsTime()):
		return nil, rpcerr.Invalid("created_to", "later than created_from")
	}
	pages, n := s.f.lists[a.Id], 0
	if r.GetPageToken() != "" {
		number, mine := strings.CutPrefix(r.GetPageToken(), a.Id+"/")
		if n, err = strconv.Atoi(number); err != nil || !mine || n <= 0 || n >= len(pages) {
			return nil, rpcerr.Invalid("page_token", "the next_page_token of this very list")
		}
	}
	out := &gatewaysv1.ListTransactionsResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, HttpStatus: 200, ProviderCalls: 1, Endpoint: "GET /transactions"}
	if p := s.f.unlisted[a.Id]; p != nil {
		return &gatewaysv1.ListTransactionsResponse{Outcome: p.GetOutcome(), HttpStatus: p.GetHttpStatus(), ProviderCalls: p.GetProviderCalls(),
			RetryAfter: p.GetRetryAfter(), Endpoint: p.GetEndpoint(), Reason: "scripted"}, nil
	}
	if n < len(pages) {
		for _, reading := range pages[n] {
			at := reading.GetCreatedAt()
			if at == nil || !at.AsTime().Before(from.AsTime()) && (to == nil || at.AsTime().Before(to.AsTime())) {
				out.Transactions = append(out.Transactions, proto.CloneOf(reading))
			}
		}
	}
	if n+1 < len(pages) {
		out.NextPageToken = fmt.Sprint(a.Id, "/", n+1)
	}
	return out, nil
}
