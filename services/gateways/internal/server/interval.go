package server

import (
	"context"
	"log/slog"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Intervals between looks at one sale that are at least this long are the provider's prohibition, kept here for all replicas;
// shorter ones are our own politeness, which the polling schedule keeps.
const prohibited = 30 * time.Second

// claim takes the sales' intervals where the provider forbids asking again soon.
func (s *Server) claim(ctx context.Context, g group) error {
	if g.rule.MinInterval < prohibited || len(g.items) == 0 {
		return nil
	}
	byRef := make(map[string]*look, len(g.items))
	refs := make([]string, 0, len(g.items))
	for _, item := range g.items {
		if byRef[item.sale] != nil { // twice in one batch
			s.tooSoon(ctx, item, g.rule.MinInterval)
			continue
		}
		byRef[item.sale], item.claimed = item, true
		refs = append(refs, item.sale)
	}
	waits, err := s.c.Store.ClaimLooks(ctx, g.account.Key, refs, g.rule.MinInterval)
	if err != nil {
		return err
	}
	for sale, wait := range waits {
		byRef[sale].claimed = false
		s.tooSoon(ctx, byRef[sale], wait)
	}
	return nil
}

func (s *Server) tooSoon(ctx context.Context, item *look, wait time.Duration) {
	item.result = refusal(gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, max(wait, time.Millisecond), "the provider forbids asking about this sale so soon again")
	s.unused(ctx, item)
}

// unused returns what was granted for a call that is not made.
func (s *Server) unused(ctx context.Context, item *look) {
	s.c.Gate.Report(ctx, item.account, gate.Result{Op: provider.OpStatus, Granted: 1, Probe: item.probe, Impatient: true})
}

// giveBack releases intervals whose call was not made.
func (s *Server) giveBack(ctx context.Context, g group) {
	var refs []string
	for _, item := range g.items {
		if item.claimed && item.result.GetProviderCalls() == 0 {
			refs = append(refs, item.sale)
		}
	}
	if len(refs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.c.Store.ReleaseLooks(ctx, g.account.Key, refs); err != nil {
		s.c.Log.WarnContext(ctx, "looks not released; their interval ends by itself", slog.Any("error", err))
	}
}
