package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

const (
	// fairTime is what a provider must have had before a timeout counts against it.
	fairTime = 3 * time.Second
	// What a batch keeps of its caller's time to bring the answers home: a twentieth, or the least if a quarter of the time is more.
	homeShare, homeLeast, homeMost = 20, 250 * time.Millisecond, 500 * time.Millisecond
)

// look is one question about one charge. Exactly one goroutine at a time owns it.
type look struct {
	key         account.Key
	ref         provider.Ref
	traceparent string
	result      *gatewaysv1.PollResult

	account *account.Account
	adapter provider.Adapter
	sale    string // see usable
	claimed claim
	probe   bool
	ended   time.Time // when its last call had been made, at the latest
}

// group is the looks of one account, in the order of the questions.
type group struct {
	account *account.Account
	items   []*look
	rule    provider.PollRule
}

// looks answers every item that has no result yet. The error is our own store's; what providers do is in the results.
func (s *Server) looks(ctx context.Context, items []*look, found map[account.Key]*account.Account) error {
	began := time.Now()
	groups, needs := s.group(items, found)
	if len(groups) == 0 {
		return nil
	}
	permits, err := s.c.Gate.Ask(ctx, needs)
	if err != nil {
		return err
	}
	for i, g := range groups {
		p := permits[g.account.Key]
		for n, item := range g.items {
			if n >= p.Granted {
				item.result = denied(p)
			} else {
				item.probe = p.Probe
			}
		}
		groups[i].items = g.items[:min(p.Granted, len(g.items))]
	}
	for _, g := range groups {
		if err := s.claimAll(ctx, g); err != nil {
			return err
		}
	}
	s.ask(ctx, groups)
	for _, g := range groups {
		s.settle(ctx, g, began)
	}
	return ctx.Err()
}

// group sorts the questions by account and answers those that need no call.
func (s *Server) group(items []*look, found map[account.Key]*account.Account) ([]group, []gate.Need) {
	at := map[account.Key]int{}
	var groups []group
	for _, item := range items {
		a := found[item.key]
		if a == nil {
			item.result = refusal(gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, 0, "no such account for this merchant")
			continue
		}
		n, ok := at[item.key]
		if !ok {
			adapter, err := s.c.Registry.Lookup(string(a.Provider))
			if err != nil {
				item.result = refusal(gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, 0, "the account's provider is not known to this version")
				continue
			}
			n = len(groups)
			at[item.key] = n
			groups = append(groups, group{account: a, rule: adapter.Capabilities().Poll})
			item.adapter = adapter
		} else {
			item.adapter = groups[n].items[0].adapter
		}
		item.account = a
		groups[n].items = append(groups[n].items, item)
	}
	kept, needs := groups[:0], make([]gate.Need, 0, len(groups))
	for _, g := range groups {
		c := g.items[0].adapter.Capabilities()
		askable := g.items[:0]
		for _, item := range g.items {
			if item.sale = usable(c, item.ref); item.sale == "" {
				item.result = refusal(gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, 0, "no identifier that the provider accepts")
				continue
			}
			askable = append(askable, item)
		}
		if g.items = askable; len(askable) > 0 {
			kept = append(kept, g)
			needs = append(needs, gate.Need{Account: g.account, Rule: g.rule, Calls: len(askable)})
		}
	}
	return kept, needs
}

// denied is the answer to a look that the gate did not let through.
func denied(p gate.Permit) *gatewaysv1.PollResult {
	switch p.Why {
	case gate.Paused:
		return refusal(gatewaysv1.Outcome_OUTCOME_CREDENTIAL, p.Wait, "the account is paused: its credentials were refused")
	case gate.Breaker:
		return refusal(gatewaysv1.Outcome_OUTCOME_TRANSIENT, p.Wait, "the provider is failing: breaker open")
	case gate.Quiet:
		return refusal(gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, p.Wait, "the provider asked for silence")
	default:
		return refusal(gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, max(p.Wait, time.Millisecond), "the account's call budget is spent")
	}
}

// ask makes the calls: those of one account side by side up to a bound, so that a slow provider delays only its own.
func (s *Server) ask(ctx context.Context, groups []group) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-wayHome(time.Until(deadline))))
		defer cancel()
	}
	var todo []func()
	for _, g := range groups {
		var next atomic.Int64
		work := func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(g.items) {
					return
				}
				if g.items[n].result == nil {
					s.look(ctx, g.items[n])
				}
			}
		}
		for range min(len(g.items), s.c.Parallel) {
			todo = append(todo, work)
		}
	}
	if len(todo) == 0 {
		return
	}
	var wg sync.WaitGroup
	for _, work := range todo[1:] {
		wg.Go(work)
	}
	todo[0]()
	wg.Wait()
}

// look asks the provider once.
func (s *Server) look(ctx context.Context, item *look) {
	leave, p, err := s.c.Gate.Enter(ctx, item.key)
	if err != nil || leave == nil {
		item.result = denied(p)
		if err != nil {
			item.result = refusal(gatewaysv1.Outcome_OUTCOME_TRANSIENT, time.Second, "no time was left to ask the provider")
		}
		s.unused(ctx, item)
		return
	}
	defer leave()
	var calls counter
	call, cancel := context.WithTimeout(calls.count(telemetry.Resume(ctx, item.traceparent)), s.c.CallTimeout)
	defer cancel()
	var answers *provider.Recording
	asking := call
	if item.account.Shadow != "" {
		answers = &provider.Recording{}
		asking = provider.WithRecording(call, answers)
	}
	start := time.Now()
	reading, err := s.hedged(asking, cancel, item)
	item.ended = time.Now()
	elapsed := item.ended.Sub(start)
	impatient := err != nil && call.Err() != nil && elapsed < min(fairTime, s.c.CallTimeout)
	s.c.Gate.Report(call, item.account, gate.Result{Op: provider.OpStatus, Calls: calls.made(), Granted: 1, Err: err, Probe: item.probe, Impatient: impatient})
	item.result = pollResult(reading, err, calls.made(), elapsed)
	if err == nil {
		item.result.Reading = readingMessage(reading, item.adapter.Capabilities())
	}
	item.result.RetryAfter = s.waitAfter(err, calls.made())
	if err == nil && reading.Status == provider.StatusUnknown {
		s.unknownWord(call, item.account, reading.ProviderStatus)
	}
	if answers != nil && calls.made() > 0 {
		s.shadow(call, item, answers, reading, err)
	}
}

// waitAfter is how long to wait after a call that failed, nil where nothing tells.
func (s *Server) waitAfter(err error, calls int) *durationpb.Duration {
	switch kind := provider.KindOf(err); {
	case kind == provider.KindRateLimited:
		return durationpb.New(s.c.Gate.QuietFor(err))
	case kind == provider.KindTransient && calls == 0: // the time was over just then
		return durationpb.New(time.Second)
	case kind == provider.KindCredential && calls == 0:
		return durationpb.New(gate.DefaultPausedFor)
	}
	return nil
}

// status keeps an adapter's panic to the one question: looks run outside of the RPC's own goroutine.
func (s *Server) status(ctx context.Context, item *look) (r provider.Reading, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(ctx, item.account.Provider, v)
			err = &provider.Error{Kind: provider.KindContract, Provider: item.account.Provider, Op: provider.OpStatus, Reason: "the adapter failed on this answer"}
		}
	}()
	return item.adapter.GetStatus(ctx, item.account.Open, item.ref)
}

// wayHome is what a batch keeps of its caller's time.
func wayHome(left time.Duration) time.Duration {
	return min(max(left/homeShare, min(homeLeast, left/4)), homeMost)
}
