package gate

import (
	"context"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/store"
)

// forgetAfter is how long an account that nobody uses is remembered.
const forgetAfter = time.Hour

// Flush writes the counters of this replica, and settles with the budgets what nobody asks for any more. It is called about once a second, and once at the end.
func (g *Gate) Flush(ctx context.Context) error {
	var told []store.Usage
	g.mu.Lock()
	now := g.c.Now()
	for k, l := range g.of {
		if !l.leased.After(now) {
			l.drop()
		}
		if l.owed != 0 && l.need.Account != nil && !l.filling {
			g.queue = append(g.queue, &wish{need: l.need})
		}
		if u := l.usage; u.Calls > 0 || !u.LastSuccess.IsZero() || !u.LastFailure.IsZero() {
			told = append(told, u)
			l.usage = store.Usage{Key: k}
		} else if len(l.slots) == 0 && now.Sub(l.used) > forgetAfter {
			delete(g.of, k)
		}
	}
	g.lead()
	g.mu.Unlock()
	if len(told) == 0 {
		return nil
	}
	err := g.c.Store.AddUsage(ctx, told)
	if err != nil { // they are told with the next
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, u := range told {
			l := g.local(u.Key, now)
			l.usage.Calls += u.Calls
			l.usage.LastSuccess, l.usage.LastFailure = later(l.usage.LastSuccess, u.LastSuccess), later(l.usage.LastFailure, u.LastFailure)
		}
	}
	return err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
