package server

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
	"github.com/baixapay/baixa/services/payments/internal/trust"
)

// trustedFor is how long an account is listed after its last paid sale, and a false webhook counted.
const trustedFor = 30 * 24 * time.Hour

// ListTrust judges every account now, from the same rows as the schedule.
func (s *Server) ListTrust(ctx context.Context, r *paymentsv1.ListTrustRequest) (*paymentsv1.ListTrustResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	checkText(&f, "provider", r.GetProvider(), 100)
	if r.GetAccountId() != "" {
		_, err := payment.ParseAccountID(r.GetAccountId())
		f.Require(err == nil, "account_id", "a UUID as PutAccount returns it, or nothing")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	all, err := s.trust(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListTrustResponse{}
	for _, t := range all {
		if (r.GetProvider() == "" || strings.EqualFold(r.GetProvider(), t.GetProvider())) && (r.GetAccountId() == "" || strings.EqualFold(r.GetAccountId(), t.GetAccountId())) {
			out.Accounts = append(out.Accounts, t)
		}
	}
	return out, nil
}

// trust judges the accounts of a merchant, or of all.
func (s *Server) trust(ctx context.Context, m *payment.MerchantID) ([]*paymentsv1.Trust, error) {
	now := s.Now()
	accounts, err := s.Store.AccountsWithArrivals(ctx, m, now.Add(-trustedFor))
	if err != nil {
		return nil, err
	}
	habits, err := s.Store.Habits(ctx, m)
	if err != nil {
		return nil, err
	}
	providers, err := s.Store.SilentProviders(ctx)
	if err != nil {
		return nil, err
	}
	silent := map[payment.AccountID]*time.Time{}
	for _, h := range habits {
		silent[h.AccountID] = h.SilentSince
	}
	var out []*paymentsv1.Trust
	for _, a := range accounts {
		t, err := s.trustOf(ctx, a, silent[a.AccountID], now)
		if err != nil {
			return nil, err
		}
		if at, is := providers[a.Provider]; is && t.GetSilentSince() == nil && t.GetHinted() > 0 {
			t.SilentSince = stamp(&at) // with the whole provider
		}
		out = append(out, t)
	}
	return out, nil
}

func (s *Server) trustOf(ctx context.Context, a store.Account, since *time.Time, now time.Time) (*paymentsv1.Trust, error) {
	arrivals, err := s.Store.Arrivals(ctx, a, trust.Window)
	if err != nil {
		return nil, err
	}
	lies, err := s.Store.FalsePaid(ctx, a, now.Add(-trustedFor), now.Add(-trust.FalseAfter), trust.FalseAfter)
	if err != nil {
		return nil, err
	}
	h := trust.Judge(arrivals, lies, since != nil, now)
	t := &paymentsv1.Trust{MerchantId: a.MerchantID.String(), AccountId: a.AccountID.String(), Provider: a.Provider, Score: int32(h.Score),
		Sales: int32(h.Sales), Hinted: int32(h.Hinted), Duplicates: int32(h.Duplicates), FalsePaid: int32(h.FalsePaid), LatePaid: int32(h.Late),
		SilentSince: stamp(since), RunWithoutWebhook: int32(h.Run), Doubted: h.Doubted}
	if h.Hinted > 0 {
		t.DelayP50, t.DelayP95 = durationpb.New(h.P50), durationpb.New(h.P95)
	}
	return t, nil
}
