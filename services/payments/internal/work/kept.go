package work

import (
	"context"
	"sync"
	"time"

	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// What the ledger orders in this process is carried out by this process: the rows are inserted with a lease of its own and
// handed over in memory, so that nobody has to claim them with another version of each row, nor read what was just written. Whatever
// does not fit goes to the table for whoever claims it; and when the process dies, the leases end.

const (
	keepFor  = 2 * time.Second // rows are kept while the oldest has waited no longer
	keepMost = 4000            // rows of a kind
	keepLeft = 4 * time.Second // of the lease that a row must have left when its turn comes; otherwise it is left to the table
)

// kept are rows of one kind that this process holds and has not begun. The zero value is shut.
type kept struct {
	wake *queue.Waker // of the loop that claims them

	mu     sync.Mutex
	open   bool
	rows   []store.Effect
	more   bool      // there may be something in the table
	looked time.Time // when the table was asked last
}

// until is until when a row that is inserted now is this process's own; false: it is the table's.
func (k *kept) until(now time.Time) (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.open || len(k.rows) >= keepMost || len(k.rows) > 0 && now.Sub(k.rows[0].DueAt) > keepFor {
		return time.Time{}, false
	}
	return now.Add(lease), true
}

// put keeps rows whose lease is committed.
func (k *kept) put(rows []store.Effect) {
	k.mu.Lock()
	k.rows = append(k.rows, rows...)
	k.mu.Unlock()
	k.wake.Wake()
}

// note says that something was put into the table.
func (k *kept) note() {
	k.mu.Lock()
	k.more = true
	k.mu.Unlock()
	k.wake.Wake()
}

// claim is what a loop claims with: from the table when there may be something, which is at least once an idle time, and the rest from
// what is kept.
func (k *kept) claim(now func() time.Time, table func(context.Context, int) ([]store.Effect, error)) func(context.Context, int) ([]store.Effect, error) {
	return func(ctx context.Context, limit int) (rows []store.Effect, err error) {
		k.mu.Lock()
		ask := k.more || len(k.rows) == 0 || time.Since(k.looked) >= idle
		part := limit - min(limit/2, len(k.rows))
		if ask {
			k.more, k.looked = false, time.Now()
		}
		k.mu.Unlock()
		if ask {
			rows, err = table(ctx, part)
			if err != nil || len(rows) == part {
				k.note()
			}
		}
		rows = append(rows, k.take(limit-len(rows), now())...)
		if len(rows) > 0 {
			return rows, nil
		}
		return nil, err
	}
}

// take gives rows of which enough of the lease is left, in their order. The others are dropped: the table gives them again.
func (k *kept) take(limit int, now time.Time) (rows []store.Effect) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, e := range k.rows {
		if len(rows) == limit {
			break
		}
		n++
		if e.Lease.Sub(now) >= keepLeft {
			rows = append(rows, e)
		}
	}
	if k.rows = k.rows[n:]; len(k.rows) == 0 {
		k.rows = nil
	}
	return rows
}

// shut keeps nothing any more and returns what was not begun.
func (k *kept) shut() []store.Effect {
	k.mu.Lock()
	defer k.mu.Unlock()
	rows := k.rows
	k.open, k.rows = false, nil
	return rows
}

func (k *kept) start() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open = true
}

// Until implements ledger.Hand.
func (w *Wakers) Until(kind string, now time.Time) (time.Time, bool) {
	if k := w.kept[kind]; k != nil {
		return k.until(now)
	}
	return time.Time{}, false
}

// Take implements ledger.Hand.
func (w *Wakers) Take(effects []store.Effect) {
	byKind := map[string][]store.Effect{}
	for _, e := range effects {
		byKind[e.Kind] = append(byKind[e.Kind], e)
	}
	for kind, rows := range byKind {
		w.kept[kind].put(rows)
	}
}

// keep opens what is kept until the returned function gives back what was not begun.
func (w *Worker) keep() (giveBack func(context.Context) error) {
	for _, k := range w.Wakers.kept {
		k.start()
	}
	return func(ctx context.Context) error {
		var rest []store.Effect
		for _, k := range w.Wakers.kept {
			rest = append(rest, k.shut()...)
		}
		return w.Store.ReturnEffects(ctx, rest)
	}
}

// freshFor is how long a sale that was handed over with its effect is as good as one that is read.
const freshFor = time.Second

// known parts the sales that were handed over and are fresh from the effects whose sales are to be read.
func (w *Worker) known(effects []store.Effect) (sales map[store.Key]*store.Sale, rest []store.Effect) {
	sales = make(map[store.Key]*store.Sale, len(effects))
	now := w.Now()
	for _, e := range effects {
		if e.Sale != nil && now.Sub(e.DueAt) < freshFor {
			sales[e.Key] = e.Sale
		}
	}
	for _, e := range effects {
		if _, ok := sales[e.Key]; !ok {
			rest = append(rest, e)
		}
	}
	return sales, rest
}

var _ ledger.Hand = (*Wakers)(nil)
