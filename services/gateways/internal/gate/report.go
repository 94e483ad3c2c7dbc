package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// writeLimit bounds a write that follows from a call's result; the caller's own deadline may be over by then.
const writeLimit = 3 * time.Second

// Result is what became of a granted call.
type Result struct {
	Op provider.Op
	// Calls is how many HTTP calls were made, Granted how many of them Ask had granted: the difference is settled with the
	// account's next question.
	Calls, Granted int
	// Err is nil, or what the adapter returned.
	Err error
	// Probe repeats the permit's.
	Probe bool
	// Impatient says that the caller gave up before the provider had a fair time: it says nothing about the provider.
	Impatient bool
}

// Enter waits for one of the account's places for calls in flight. It returns the way to leave it, or why the call must not
// be made any more, learned since it was granted; or the context's error.
func (g *Gate) Enter(ctx context.Context, k account.Key) (leave func(), p Permit, err error) {
	g.mu.Lock()
	slots := g.local(k, g.c.Now()).slots
	g.mu.Unlock()
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, Permit{}, ctx.Err()
	}
	leave = func() { <-slots }
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.c.Now()
	l := g.local(k, now)
	switch {
	case l.quietUntil.After(now):
		leave()
		return nil, Permit{Why: Quiet, Wait: l.quietUntil.Sub(now)}, nil
	case l.openUntil.After(now):
		leave()
		return nil, Permit{Why: Breaker, Wait: l.openUntil.Sub(now)}, nil
	}
	return leave, Permit{Granted: 1}, nil
}

// Report tells what a call came to and acts on it: refused credentials pause the account, a 429 silences it, failures open
// the breaker, a probe's success closes it. It never fails: what cannot be written is logged, and the next call finds out
// again.
func (g *Gate) Report(ctx context.Context, a *account.Account, r Result) {
	kind := provider.KindOf(r.Err)
	g.told.call(ctx, a.Provider, r, kind)
	trip := g.count(a.Key, r, kind)
	if !trip && !r.Probe && kind != provider.KindCredential && kind != provider.KindRateLimited {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer cancel()
	switch {
	case r.Impatient || r.Calls == 0 && kind != provider.KindCredential:
		if r.Probe {
			g.failed(ctx, a, "give probe back", g.c.Store.ReleaseProbe(ctx, a.Key))
		}
		return
	case kind == provider.KindTransient:
		g.open(ctx, a, r.Probe)
		return
	case kind == provider.KindCredential:
		g.pause(ctx, a, r.Err)
	case kind == provider.KindRateLimited:
		g.silence(ctx, a, r.Err)
	}
	if r.Probe { // whatever it said, it answered
		g.close(ctx, a)
	}
}

// count keeps the counters and says whether the breaker must open.
func (g *Gate) count(k account.Key, r Result, kind provider.Kind) (trip bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.c.Now().UTC()
	l := g.local(k, now)
	l.usage.Calls += r.Calls
	extra := r.Calls - r.Granted
	if paid := min(extra, l.tokens); paid > 0 {
		l.tokens -= paid
		extra -= paid
	}
	l.owed += extra
	if r.Calls == 0 {
		return false
	}
	switch kind {
	case "", provider.KindNotFound:
		l.usage.LastSuccess = now
		l.failures = 0
	case provider.KindTransient:
		l.usage.LastFailure = now
		if !r.Impatient {
			l.failures++
		}
	default:
		l.usage.LastFailure = now
		l.failures = 0
	}
	return l.failures >= g.c.Failures && !l.openUntil.After(now)
}

func (g *Gate) open(ctx context.Context, a *account.Account, probe bool) {
	g.mu.Lock()
	now := g.c.Now()
	l := g.local(a.Key, now)
	l.drop()
	l.failures = 0
	l.openUntil = now.Add(g.c.BreakerFirst) // until the store says better
	g.mu.Unlock()
	wait, err := g.c.Store.TripBreaker(ctx, a.Key, probe, g.c.BreakerFirst, g.c.BreakerLimit)
	if g.failed(ctx, a, "open breaker", err) || wait == 0 {
		return
	}
	g.mu.Lock()
	l.openUntil = g.c.Now().Add(wait)
	g.mu.Unlock()
	g.told.trip(ctx, a.Provider)
	g.c.Log.WarnContext(ctx, "provider is failing: breaker open", slog.String("provider", string(a.Provider)),
		slog.String("account_id", a.Account.String()), slog.Duration("for", wait), slog.Bool("after_probe", probe))
}

func (g *Gate) close(ctx context.Context, a *account.Account) {
	closed, err := g.c.Store.CloseBreaker(ctx, a.Key)
	if g.failed(ctx, a, "close breaker", err) || !closed {
		return
	}
	g.mu.Lock()
	l := g.local(a.Key, g.c.Now())
	l.openUntil, l.failures = time.Time{}, 0
	g.mu.Unlock()
	g.c.Log.InfoContext(ctx, "provider answers again: breaker closed", slog.String("provider", string(a.Provider)),
		slog.String("account_id", a.Account.String()))
}

// silence obeys a 429 for the whole account, in every replica.
func (g *Gate) silence(ctx context.Context, a *account.Account, cause error) {
	wait := g.QuietFor(cause)
	g.mu.Lock()
	now := g.c.Now()
	l := g.local(a.Key, now)
	l.drop()
	if until := now.Add(wait); until.After(l.quietUntil) {
		l.quietUntil = until
	}
	g.mu.Unlock()
	g.failed(ctx, a, "record silence", g.c.Store.SetQuiet(ctx, a.Key, wait))
}

// QuietFor is how long an account must be silent after a 429: what the provider said, else the default.
func (g *Gate) QuietFor(err error) time.Duration {
	var e *provider.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return min(e.RetryAfter, maxQuiet)
	}
	return g.c.Quiet
}

func (g *Gate) pause(ctx context.Context, a *account.Account, cause error) {
	reason := "the account lacks a credential"
	var e *provider.Error
	if errors.As(cause, &e) && e.HTTPStatus != 0 {
		reason = fmt.Sprintf("%s refused the credentials with HTTP %d at %s", a.Provider, e.HTTPStatus, e.Endpoint)
	}
	paused, err := g.c.Store.PauseAccount(ctx, a.Key, a.Revision, reason)
	g.c.Book.Forget(a.Key)
	if g.failed(ctx, a, "pause account", err) || !paused {
		return
	}
	g.told.pause(ctx, a.Provider)
	g.c.Log.WarnContext(ctx, "credentials refused: account paused", slog.String("provider", string(a.Provider)),
		slog.String("account_id", a.Account.String()), slog.String("merchant_id", a.Merchant.String()), slog.String("reason", reason))
}

// Accepted records that the provider accepts the account's credentials: a paused account goes on.
func (g *Gate) Accepted(ctx context.Context, a *account.Account) error {
	if a.State == account.Active {
		return nil
	}
	resumed, err := g.c.Store.ResumeAccount(ctx, a.Key, a.Revision)
	g.c.Book.Forget(a.Key)
	if err != nil {
		return err
	}
	if resumed {
		g.c.Log.InfoContext(ctx, "credentials accepted: account resumed", slog.String("provider", string(a.Provider)),
			slog.String("account_id", a.Account.String()))
	}
	return nil
}

func (g *Gate) failed(ctx context.Context, a *account.Account, doing string, err error) bool {
	if err != nil {
		g.c.Log.WarnContext(ctx, "account's health not written", slog.String("doing", doing), slog.String("account_id", a.Account.String()),
			slog.Any("error", err))
	}
	return err != nil
}
