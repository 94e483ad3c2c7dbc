package gate

import (
	"context"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

const (
	// askLimit bounds a statement that several callers wait for.
	askLimit = 5 * time.Second
	// maxAsking is how many such statements this replica runs at once.
	maxAsking = 2
)

// wish is one account's share of an Ask, or a refill that nobody waits for.
type wish struct {
	need   Need
	permit Permit
	err    error
	done   chan struct{} // nil for a refill
	gone   bool          // its caller gave up; guarded by Gate.mu
}

// Ask grants calls of several accounts, each named once. What is granted and then not made is given back with Report.
//
// The store is the judge for all replicas. So that not every call waits for it, a busy account's calls are granted in advance,
// for a moment and never more than a quarter of what the account may do at once; and callers that wait share statements.
func (g *Gate) Ask(ctx context.Context, needs []Need) (map[account.Key]Permit, error) {
	out := make(map[account.Key]Permit, len(needs))
	var wishes []*wish
	now := g.c.Now()
	g.mu.Lock()
	for _, n := range needs {
		k := n.Account.Key
		if n.Account.State == account.CredentialRefused {
			out[k] = Permit{Why: Paused, Wait: DefaultPausedFor}
			continue
		}
		l := g.local(k, now)
		if n.Calls > 0 && l.take(n.Calls, now) {
			out[k] = Permit{Granted: n.Calls}
			g.refill(n, l)
			continue
		}
		w := &wish{need: n, done: make(chan struct{})}
		wishes = append(wishes, w)
		g.queue = append(g.queue, w)
	}
	g.lead()
	g.mu.Unlock()
	for i, w := range wishes {
		select {
		case <-w.done:
		case <-ctx.Done():
			g.abandon(wishes[i:])
			return nil, ctx.Err()
		}
		if w.err != nil {
			g.abandon(wishes[i+1:])
			return nil, w.err
		}
		out[w.need.Account.Key] = w.permit
	}
	return out, nil
}

// take uses calls granted in advance; all or none.
func (l *local) take(calls int, now time.Time) bool {
	if l.tokens < calls || !l.leased.After(now) || l.quietUntil.After(now) || l.openUntil.After(now) {
		return false
	}
	l.tokens -= calls
	l.spent += calls
	return true
}

// drop gives calls granted in advance back.
func (l *local) drop() {
	l.owed -= l.tokens
	l.tokens = 0
}

// refill asks ahead when half is gone; called with mu held.
func (g *Gate) refill(n Need, l *local) {
	if l.filling || 2*l.tokens >= l.size {
		return
	}
	l.filling = true
	n.Calls = 0
	g.queue = append(g.queue, &wish{need: n})
}

// abandon gives back what callers that are gone would have been granted.
func (g *Gate) abandon(wishes []*wish) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range wishes {
		w.gone = true
		select {
		case <-w.done:
			g.local(w.need.Account.Key, g.c.Now()).owed -= w.permit.Granted
		default:
		}
	}
}

// lead starts a statement when there is something to ask and not too much is asked already; called with mu held.
func (g *Gate) lead() {
	if len(g.queue) > 0 && g.asking < maxAsking {
		g.asking++
		go g.askStore()
	}
}

// askStore asks for what waits, until nothing does.
func (g *Gate) askStore() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.queue) > 0 {
		wishes := g.queue
		g.queue = nil
		questions, byKey := g.questions(wishes)
		g.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), askLimit)
		answers, err := g.c.Store.Ask(ctx, questions)
		cancel()
		g.mu.Lock()
		now := g.c.Now()
		for _, q := range questions {
			l := g.local(q.Key, now)
			l.filling = false
			if err != nil {
				l.owed += q.Owed
			}
			g.distribute(q, answers[q.Key], byKey[q.Key], l, now, err)
		}
	}
	g.asking--
}

// questions merges wishes by account and adds what is worth asking ahead.
func (g *Gate) questions(wishes []*wish) ([]store.Question, map[account.Key][]*wish) {
	byKey := map[account.Key][]*wish{}
	var questions []store.Question
	at := map[account.Key]int{}
	now := g.c.Now()
	for _, w := range wishes {
		k := w.need.Account.Key
		n, ok := at[k]
		if !ok {
			l := g.local(k, now)
			l.need = Need{Account: w.need.Account, Rule: w.need.Rule}
			if !l.leased.After(now) {
				l.drop() // what is left of an old lease is settled
			}
			b := budget(w.need)
			n = len(questions)
			at[k] = n
			questions = append(questions, store.Question{Key: k, Budget: b, Asked: max(l.ahead(b, now)-l.tokens, 0), Owed: l.owed})
			l.owed = 0
		}
		questions[n].Asked += w.need.Calls
		byKey[k] = append(byKey[k], w)
	}
	return questions, byKey
}

// ahead is how many calls the account will want within a lease, going by the last one.
func (l *local) ahead(b store.Budget, now time.Time) int {
	passed := max(now.Sub(l.filled), time.Millisecond)
	want := int(float64(l.spent) / passed.Seconds() * (leaseFor + leaseFor/2).Seconds())
	return min(want, b.Burst/4, maxLease)
}

// distribute shares an answer in the order of the wishes and keeps the rest as a lease; called with mu held.
func (g *Gate) distribute(q store.Question, a store.Permission, wishes []*wish, l *local, now time.Time, err error) {
	if err == nil {
		l.quietUntil = now.Add(a.Quiet)
		if a.Breaker == "closed" {
			l.openUntil = time.Time{}
		}
	}
	left := a.Granted
	l.spent = 0
	for _, w := range wishes {
		w.err = err
		if err == nil {
			w.permit = permit(a, min(left, w.need.Calls), w.need.Calls)
			left -= w.permit.Granted
			l.spent += w.permit.Granted
		}
		if w.gone {
			l.owed -= w.permit.Granted
		}
		if w.done != nil && w.permit.Why != Breaker {
			close(w.done)
		}
	}
	l.tokens += left
	l.size, l.filled, l.leased = l.tokens, now, now.Add(leaseFor)
	if err == nil && a.Breaker != "closed" {
		g.probe(q.Key, a, wishes)
	}
}

func permit(a store.Permission, granted, asked int) Permit {
	switch {
	case a.Quiet > 0:
		return Permit{Why: Quiet, Wait: a.Quiet}
	case a.Breaker != "closed":
		return Permit{Why: Breaker, Wait: max(a.Retry, 100*time.Millisecond)}
	case granted < asked:
		return Permit{Granted: granted, Why: Budget, Wait: a.Wait}
	}
	return Permit{Granted: granted}
}

// probe lets the first of the wishes test an open breaker whose time is over, if no other replica does, and answers them all.
func (g *Gate) probe(k account.Key, a store.Permission, wishes []*wish) {
	var first *wish
	for _, w := range wishes {
		if w.need.Calls > 0 && !w.gone {
			first = w
			break
		}
	}
	if a.Quiet > 0 { // they are answered already
		return
	}
	mine := false
	var err error
	if first != nil && a.Retry == 0 {
		g.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), askLimit)
		mine, err = g.c.Store.ClaimProbe(ctx, k, g.c.ProbeLease)
		cancel()
		g.mu.Lock()
	}
	for _, w := range wishes {
		if w.need.Calls > 0 && a.Retry == 0 { // somebody's probe is under way
			w.permit.Wait = time.Second
		}
	}
	switch {
	case err != nil:
		first.err = err
	case mine:
		l := g.local(k, g.c.Now())
		l.openUntil = time.Time{}
		l.owed++ // nothing was granted by the budget
		first.permit.Granted, first.permit.Probe = 1, true
	}
	for _, w := range wishes {
		if w.done != nil {
			close(w.done)
		}
	}
}
