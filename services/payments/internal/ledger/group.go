package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Calls that arrive while a transaction is under way are applied together by the next one: readers of webhooks, looks, deliveries
// and followed logs then pay for one commit, not for one each. A call that finds nothing under way is applied at once. What a
// call does stays its own: when a transaction of several fails for what is in one of them, each is applied alone.

const (
	maxTogether    = 1000 // entries of one transaction of several calls
	maxUnderWay    = 2    // transactions: one computes while the other waits for the disk
	defaultTimeout = 30 * time.Second
)

// call is one Apply that waits for its transaction.
type call struct {
	ctx     context.Context
	holds   bool // sales that cannot be read are set aside, where other calls fail; nobody waits for what the others are
	entries []Entry
	also    []Also

	done  chan struct{} // closed when the fields below are set
	sales map[store.Key]store.Sale
	err   error
}

// group gathers calls.
type group struct {
	mu       sync.Mutex
	waiting  []*call
	underWay int
}

// apply hands the call to a transaction and waits until that has ended, also when the caller's own context is over: what also
// does must not go on after its caller has left.
func (l *Ledger) apply(c *call) {
	l.group.mu.Lock()
	l.group.waiting = append(l.group.waiting, c)
	lead := l.group.underWay < maxUnderWay
	if lead {
		l.group.underWay++
	}
	l.group.mu.Unlock()
	if lead {
		go l.lead()
	}
	<-c.done
	var p panicked
	if errors.As(c.err, &p) {
		panic(p.value)
	}
}

// lead applies what waits until nothing does.
func (l *Ledger) lead() {
	for {
		l.group.mu.Lock()
		calls := l.group.take()
		if len(calls) == 0 {
			l.group.underWay--
			l.group.mu.Unlock()
			return
		}
		l.group.mu.Unlock()
		l.together(calls)
		for _, c := range calls {
			close(c.done)
		}
	}
}

// take gives the calls that go next: the first, and those behind it that fit.
func (g *group) take() []*call {
	n, entries := 0, 0
	for n < len(g.waiting) && (n == 0 || entries+len(g.waiting[n].entries) <= maxTogether) {
		entries += len(g.waiting[n].entries)
		n++
	}
	calls := g.waiting[:n:n]
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil
	}
	return calls
}

func (l *Ledger) together(calls []*call) {
	ctx, cancel := joined(calls)
	defer cancel()
	err := l.transact(ctx, calls)
	if err != nil && len(calls) > 1 && !pg.Unavailable(err) && ctx.Err() == nil {
		for _, c := range calls {
			l.together([]*call{c})
		}
		return
	}
	for _, c := range calls {
		if c.err = err; err != nil {
			c.sales = nil
		}
	}
}

// panicked is a panic on its way back to the caller whose entries or also raised it.
type panicked struct{ value any }

func (panicked) Error() string { return "panic" }

// joined is the context of a transaction: the first call's, for as long as any of the calls wants the result.
func joined(calls []*call) (context.Context, context.CancelFunc) {
	if len(calls) == 1 {
		return context.WithCancel(calls[0].ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(calls[0].ctx), defaultTimeout)
	var mu sync.Mutex
	left := len(calls)
	stops := make([]func() bool, len(calls))
	for i, c := range calls {
		stops[i] = context.AfterFunc(c.ctx, func() {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// transact applies the entries of calls in their order, in one transaction.
func (l *Ledger) transact(ctx context.Context, calls []*call) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked{v}
		}
	}()
	var entries []Entry
	var also []Also
	for _, c := range calls {
		if err := c.ctx.Err(); err != nil && len(calls) == 1 {
			return errors.Join(err, context.Cause(c.ctx))
		}
		entries, also = append(entries, c.entries...), append(also, c.also...)
	}
	var b *book
	err = pg.InTx(ctx, l.pool, func(tx pgx.Tx) error {
		var err error
		if b, err = l.open(ctx, tx, entries); err != nil {
			return err
		}
		b.lends = l.hand != nil
		if err := b.refused(calls); err != nil {
			return err
		}
		if err := b.recall(ctx, tx, entries); err != nil {
			return err
		}
		for _, c := range calls {
			for _, e := range c.entries {
				b.enter(e)
			}
			if !c.holds {
				c.sales = b.left(c.entries)
			}
		}
		if err := b.hold(ctx, tx, entries); err != nil {
			return err
		}
		return l.close(ctx, tx, b, also)
	})
	if err != nil {
		return err
	}
	b.log(ctx)
	l.wake(b.work)
	b.handOver()
	return nil
}

// left are the sales of a call's entries as these entries left them: what the calls behind it in the transaction make of them is
// theirs to be told.
func (b *book) left(entries []Entry) map[store.Key]store.Sale {
	out := make(map[store.Key]store.Sale, len(entries))
	for i := range entries {
		if p := b.pages[entries[i].Key]; p != nil {
			s := p.sale
			s.UpdatedAt = b.now
			out[entries[i].Key] = s
		}
	}
	return out
}
