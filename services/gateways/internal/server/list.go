package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/crash"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

const maxToken = 1024

// ListTransactions implements GatewaysService.
func (s gateways) ListTransactions(ctx context.Context, r *gatewaysv1.ListTransactionsRequest) (*gatewaysv1.ListTransactionsResponse, error) {
	a, err := s.owned(ctx, r.GetMerchantId(), r.GetAccountId())
	if err != nil {
		return nil, err
	}
	adapter, err := s.c.Registry.Lookup(string(a.Provider))
	if err != nil {
		return nil, rpcerr.Precondition("account_id: the account's provider is not known to this version")
	}
	lister, ok := adapter.(provider.Lister)
	if !ok || !adapter.Capabilities().List {
		return nil, rpcerr.Precondition("account_id: " + string(a.Provider) + " has no listing of transactions; ask about each charge (can_list in ListProviders)")
	}
	at, err := placeOf(a.Key, r)
	if err != nil {
		return nil, err
	}
	p, err := s.onePermit(ctx, a, adapter)
	if err != nil {
		return nil, err
	}
	if p.Granted == 0 {
		return unlisted(denied(p)), nil
	}
	return s.page(ctx, a, lister, at, p.Probe)
}

// onePermit asks the gate for one call.
func (s *Server) onePermit(ctx context.Context, a *account.Account, adapter provider.Adapter) (gate.Permit, error) {
	permits, err := s.c.Gate.Ask(ctx, []gate.Need{{Account: a, Rule: adapter.Capabilities().Poll, Calls: 1}})
	return permits[a.Key], err
}

// page asks the provider for one page.
func (s *Server) page(ctx context.Context, a *account.Account, lister provider.Lister, at place, probe bool) (*gatewaysv1.ListTransactionsResponse, error) {
	leave, p, err := s.c.Gate.Enter(ctx, a.Key)
	if err != nil || leave == nil {
		s.c.Gate.Report(ctx, a, gate.Result{Op: provider.OpList, Granted: 1, Probe: probe, Impatient: true})
		return unlisted(denied(p)), err
	}
	defer leave()
	var calls counter
	call, cancel := context.WithTimeout(calls.count(ctx), s.c.CallTimeout)
	defer cancel()
	start := time.Now()
	page, err := s.list(call, a, lister, at)
	elapsed := time.Since(start)
	impatient := err != nil && call.Err() != nil && elapsed < min(fairTime, s.c.CallTimeout)
	s.c.Gate.Report(call, a, gate.Result{Op: provider.OpList, Calls: calls.made(), Granted: 1, Err: err, Probe: probe, Impatient: impatient})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		out := unlisted(pollResult(provider.Reading{}, err, calls.made(), elapsed))
		out.Reason, out.RetryAfter = reason(err), s.waitAfter(err, calls.made())
		return out, nil
	}
	out := &gatewaysv1.ListTransactionsResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, ProviderCalls: int32(calls.made()), Elapsed: durationpb.New(elapsed),
		HttpStatus: int32(page.HTTPStatus), Endpoint: page.Endpoint, Transactions: make([]*gatewaysv1.Reading, len(page.Readings))}
	for i, r := range page.Readings {
		out.Transactions[i] = readingMessage(r, lister.Capabilities())
		if r.Status == provider.StatusUnknown {
			s.unknownWord(call, a, r.ProviderStatus)
		}
	}
	if page.Next != "" {
		at.Cursor = page.Next
		out.NextPageToken = at.token()
	}
	return out, nil
}

// list keeps an adapter's panic to the one page.
func (s *Server) list(ctx context.Context, a *account.Account, lister provider.Lister, at place) (p provider.Page, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(ctx, a.Provider, v)
			err = &provider.Error{Kind: provider.KindContract, Provider: a.Provider, Op: provider.OpList, Reason: "the adapter failed on this answer"}
		}
	}()
	return lister.ListTransactions(ctx, a.Open, time.Unix(0, at.From).UTC(), time.Unix(0, at.To).UTC(), at.Cursor)
}

// panicked logs an adapter's panic.
func (s *Server) panicked(ctx context.Context, name provider.Name, v any) {
	s.c.Log.ErrorContext(ctx, "adapter panicked", slog.String("provider", string(name)), slog.Any("error", crash.Of(v)))
}

func unlisted(p *gatewaysv1.PollResult) *gatewaysv1.ListTransactionsResponse {
	return &gatewaysv1.ListTransactionsResponse{Outcome: p.GetOutcome(), RetryAfter: p.GetRetryAfter(), Reason: p.GetExcerpt(), HttpStatus: p.GetHttpStatus(),
		Endpoint: p.GetEndpoint(), ProviderCalls: p.GetProviderCalls(), Elapsed: p.GetElapsed()}
}

// place is where in which list a page begins. As a token it is not secret and proves nothing: it only keeps lists apart.
type place struct {
	List   string `json:"l"` // of which account
	From   int64  `json:"f"` // Unix nanoseconds
	To     int64  `json:"t"`
	Cursor string `json:"c"`
}

// placeOf checks a request's times and token.
func placeOf(k account.Key, r *gatewaysv1.ListTransactionsRequest) (place, error) {
	sum := sha256.Sum256(append(k.Merchant[:], k.Account[:]...))
	out := place{List: base64.RawURLEncoding.EncodeToString(sum[:9])}
	var bad rpcerr.Fields
	bad.Require(r.GetCreatedFrom() != nil && r.GetCreatedFrom().CheckValid() == nil, "created_from", "the moment from which charges are listed")
	bad.Require(r.GetCreatedTo() == nil || r.GetCreatedTo().CheckValid() == nil, "created_to", "a moment, or nothing for now")
	if err := bad.Err(); err != nil {
		return place{}, err
	}
	out.From, out.To = r.GetCreatedFrom().AsTime().UnixNano(), time.Now().UnixNano()
	if r.GetCreatedTo() != nil {
		out.To = r.GetCreatedTo().AsTime().UnixNano()
	}
	if r.GetPageToken() != "" {
		before, ok := readToken(r.GetPageToken())
		same := ok && before.List == out.List && before.From == out.From && (r.GetCreatedTo() == nil || before.To == out.To)
		bad.Require(same, "page_token", "the next_page_token of this very list: the same account, created_from and created_to")
		out = before
	} else {
		bad.Require(out.From < out.To, "created_to", "later than created_from")
	}
	return out, bad.Err()
}

func (p place) token() string {
	text, err := json.Marshal(p)
	if err != nil { // text and numbers always marshal
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func readToken(token string) (p place, ok bool) {
	if len(token) > maxToken {
		return place{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(text, &p) != nil {
		return place{}, false
	}
	return p, p.Cursor != ""
}
