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

// spare is how long after the claim a call may be made without a word to the database: its interval is claimed to begin so much later.
const spare = 250 * time.Millisecond

// claim is the right to ask about a sale, taken between two moments; both are zero where there is none.
type claim struct{ after, before time.Time }

func (c claim) taken() bool { return !c.after.IsZero() }

// claimAll takes the sales' intervals where the provider forbids asking again soon. One whose call is made later than spare is settled
// when that is known; until then nobody else can claim it, since an interval is longer than a call.
func (s *Server) claimAll(ctx context.Context, g group) error {
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
		byRef[item.sale] = item
		refs = append(refs, item.sale)
	}
	c := claim{after: time.Now()}
	waits, err := s.c.Store.ClaimLooks(ctx, g.account.Key, refs, g.rule.MinInterval, spare)
	if err != nil {
		return err
	}
	c.before = time.Now()
	for _, item := range byRef {
		item.claimed = c
	}
	for sale, wait := range waits {
		byRef[sale].claimed = claim{}
		s.tooSoon(ctx, byRef[sale], min(wait, g.rule.MinInterval))
	}
	return nil
}

func (s *Server) tooSoon(ctx context.Context, item *look, wait time.Duration) {
	item.result = refusal(gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, max(wait, time.Millisecond), "the provider forbids asking about this sale so soon again")
	item.result.SaleAlone = true
	s.unused(ctx, item)
}

// unused returns what was granted for a call that is not made.
func (s *Server) unused(ctx context.Context, item *look) {
	s.c.Gate.Report(ctx, item.account, gate.Result{Op: provider.OpStatus, Granted: 1, Probe: item.probe, Impatient: true})
}

// settle lets the intervals of claimed sales whose calls had to wait begin when they had been made, tells the caller, who counts from began, and
// releases those whose call was not made.
func (s *Server) settle(ctx context.Context, g group, began time.Time) {
	var late []store.Made
	var unmade []string
	for _, item := range g.items {
		from := item.claimed.before.Add(spare)
		switch {
		case !item.claimed.taken():
			continue
		case item.result.GetProviderCalls() == 0:
			unmade = append(unmade, item.sale)
			continue
		case item.ended.After(item.claimed.after.Add(spare)):
			late = append(late, store.Made{Ref: item.sale, Ago: time.Since(item.ended)})
			from = item.ended
		}
		item.result.RetryAfter = durationpb.New(max(item.result.GetRetryAfter().AsDuration(), from.Sub(began)+g.rule.MinInterval+tellLater))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if len(late) > 0 {
		if err := s.c.Store.SettleLooks(ctx, g.account.Key, late, g.rule.MinInterval); err != nil {
			s.c.Log.WarnContext(ctx, "looks that had to wait not settled; their sales may be asked about sooner than the provider wants, by as long as they waited", slog.Any("error", err))
		}
	}
	if len(unmade) > 0 {
		if err := s.c.Store.ReleaseLooks(ctx, g.account.Key, unmade); err != nil {
			s.c.Log.WarnContext(ctx, "looks not released; their interval ends by itself", slog.Any("error", err))
		}
	}
}
