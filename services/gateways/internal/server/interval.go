package server

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

// Intervals between looks at one sale that are at least this long are the provider's prohibition, kept here for all replicas;
// shorter ones are our own politeness, which the polling schedule keeps.
const prohibited = 30 * time.Second

// tellLater is added to an interval that is told: the caller counts from before its question reached us.
const tellLater = 100 * time.Millisecond

// claim takes the sales' intervals where the provider forbids asking again soon. They begin when the calls are made at the latest, and are
// settled when that is known.
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
	ahead := s.c.CallTimeout
	if deadline, ok := ctx.Deadline(); ok {
		ahead = max(time.Until(deadline), 0)
	}
	waits, err := s.c.Store.ClaimLooks(ctx, g.account.Key, refs, g.rule.MinInterval, ahead)
	if err != nil {
		return err
	}
	for sale, wait := range waits {
		byRef[sale].claimed = false
		s.tooSoon(ctx, byRef[sale], min(wait, g.rule.MinInterval))
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

// settle lets the intervals of claimed sales begin when their calls had been made, tells the caller, who counts from began, and releases
// those whose call was not made.
func (s *Server) settle(ctx context.Context, g group, began time.Time) {
	var made []store.Made
	var unmade []string
	for _, item := range g.items {
		switch {
		case !item.claimed:
		case item.result.GetProviderCalls() == 0:
			unmade = append(unmade, item.sale)
		default:
			made = append(made, store.Made{Ref: item.sale, Ago: time.Since(item.ended)})
			wait := item.ended.Sub(began) + g.rule.MinInterval + tellLater
			item.result.RetryAfter = durationpb.New(max(item.result.GetRetryAfter().AsDuration(), wait))
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if len(made) > 0 {
		if err := s.c.Store.SettleLooks(ctx, g.account.Key, made, g.rule.MinInterval); err != nil {
			s.c.Log.WarnContext(ctx, "looks not settled; their sales may be asked about a little later than needed", slog.Any("error", err))
		}
	}
	if len(unmade) > 0 {
		if err := s.c.Store.ReleaseLooks(ctx, g.account.Key, unmade); err != nil {
			s.c.Log.WarnContext(ctx, "looks not released; their interval ends by itself", slog.Any("error", err))
		}
	}
}
