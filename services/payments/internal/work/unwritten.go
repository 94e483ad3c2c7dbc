package work

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// What a delivery did is two lines of its sale's history, and what became of the message another, mostly some milliseconds later. A delivery that went
// through waits a moment in memory for that outcome, and whoever follows the outcomes writes both in one pass through the ledger. Nothing is promised
// by memory: the effect's row stays until then, so that a delivery whose process dies is made again when its lease ends, and both leaves know it.

const (
	outcomeWait  = 2 * time.Second // for which a delivery waits for the outcome of its message
	outcomeLease = 4 * time.Second // of the effect's lease that must be left when the wait begins
	outcomeLimit = 5 * time.Second // of writing a batch of what waited in vain
	outcomeBatch = 250
	outcomeMost  = 4000 // deliveries that wait
)

// delivered is a delivery that went through and is not written yet.
type delivered struct {
	effect  store.Effect
	entries []ledger.Entry
	alerts  []store.Alert // to the owner, of what was told with it
	since   time.Time
}

// unwritten are the deliveries that wait. The zero value is shut.
type unwritten struct {
	more chan struct{} // something waits that nobody timed

	mu      sync.Mutex
	open    bool
	follows bool // this process has followed the newest outcomes: those of its own deliveries come to it
	rows    map[store.Key]*delivered
	order   []*delivered // oldest first, those that were taken among them
}

func newUnwritten() *unwritten {
	return &unwritten{more: make(chan struct{}, 1), rows: map[store.Key]*delivered{}}
}

// start lets deliveries wait until shut.
func (u *unwritten) start() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open = true
}

// shut lets no more wait and returns what does.
func (u *unwritten) shut() []*delivered {
	u.mu.Lock()
	u.open = false
	u.mu.Unlock()
	out, _ := u.due(time.Time{}, true)
	return out
}

// followed notes whether this process follows the outcomes. When another one does, what waits would wait in vain.
func (u *unwritten) followed(follows bool) {
	u.mu.Lock()
	u.follows = follows
	u.mu.Unlock()
}

// put lets a delivery wait; false: it is to be written now.
func (u *unwritten) put(d delivered) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.open || !u.follows || len(u.rows) >= outcomeMost || u.rows[d.effect.Key] != nil {
		return false
	}
	u.rows[d.effect.Key] = &d
	if u.order = append(u.order, &d); len(u.order) == 1 {
		select {
		case u.more <- struct{}{}:
		default:
		}
	}
	return true
}

// of takes the deliveries of the sales that entries are about, each once.
func (u *unwritten) of(entries []ledger.Entry) (out []*delivered) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range entries {
		if d := u.rows[e.Key]; d != nil {
			out = append(out, d)
			delete(u.rows, e.Key)
		}
	}
	return out
}

// due takes what has waited long enough, or all, and says for how long the oldest of the rest may wait: zero when there is none.
func (u *unwritten) due(now time.Time, all bool) (out []*delivered, rest time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.order) > 0 {
		d := u.order[0]
		if u.rows[d.effect.Key] == d { // nobody took it
			if rest = outcomeWait - now.Sub(d.since); rest > 0 && !all {
				return out, rest
			}
			out = append(out, d)
			delete(u.rows, d.effect.Key)
		}
		u.order = u.order[1:]
	}
	u.order = nil
	return out, 0
}

// writing is what writes deliveries: their entries, and what ends their effects with them.
func (w *Worker) writing(all []*delivered) ([]ledger.Entry, ledger.Also) {
	var entries []ledger.Entry
	var alerts []store.Alert
	effects := make([]store.Effect, len(all))
	for i, d := range all {
		entries, alerts, effects[i] = append(entries, d.entries...), append(alerts, d.alerts...), d.effect
	}
	return entries, func(ctx context.Context, tx pgx.Tx) error {
		if err := store.InsertAlerts(ctx, tx, alerts, w.Now()); err != nil {
			return err
		}
		return store.FinishEffects(ctx, tx, effects)
	}
}

// written wakes who sends the alerts of deliveries that were written.
func (w *Worker) written(all []*delivered) {
	for _, d := range all {
		if len(d.alerts) > 0 {
			w.alarm.Wake()
			return
		}
	}
}

// write writes deliveries by themselves. Those that cannot be written are made again when their leases end.
func (w *Worker) write(ctx context.Context, all []*delivered) {
	for part := range slices.Chunk(all, outcomeBatch) {
		if err := w.writePart(ctx, part); err != nil {
			slog.WarnContext(ctx, "deliveries not written; they are made again when their leases end", slog.Int("of", len(all)), slog.Any("error", err))
			return
		}
	}
}

func (w *Worker) writePart(ctx context.Context, part []*delivered) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeLimit)
	defer cancel()
	entries, also := w.writing(part)
	if err := w.Ledger.ApplyOrHold(ctx, entries, also); err != nil {
		return err
	}
	w.written(part)
	return nil
}

// writeLate writes what has waited in vain, until ctx is done.
func (w *Worker) writeLate(ctx context.Context) error {
	for ctx.Err() == nil {
		late, rest := w.unwritten.due(time.Now(), false)
		w.write(ctx, late)
		var over <-chan time.Time
		if rest > 0 {
			over = time.After(rest)
		} else if len(late) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-over:
		case <-w.unwritten.more:
		}
	}
	return nil
}
