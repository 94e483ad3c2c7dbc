package work

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Webhooks that this process has stored are read by it: their rows are inserted with a lease of its own and handed over in memory with their
// bodies opened, so that nobody has to claim them with another version of each row, read them and open them. What does not fit is the table's,
// for whoever claims it; and when the process dies, the leases end.

const (
	hookBatch = 500              // webhooks read at once, as many as the gateways take
	hookLease = 15 * time.Second // of a row that is handed over
	hookLeft  = lease            // of it that must be left when the row's turn comes, as after a claim
	hookFor   = 3 * time.Second  // rows are handed over while the oldest has waited no longer
	hookMost  = 30_000           // rows that wait: what comes in while reading steps back, and half as much again
	hookBytes = 24 << 20         // of them

	yieldFor  = 2 * time.Second       // for which a webhook waits at most to be read because others are being stored
	yieldStep = 25 * time.Millisecond // between two looks whether they still are
)

// Hooks are the webhooks that this process holds and has not begun to read. It is made by NewWakers and shut until a Worker runs.
type Hooks struct {
	wake *queue.Waker // of the loop that reads them

	mu     sync.Mutex
	open   bool
	rows   []store.Webhook
	bytes  int64
	more   bool      // there may be something in the table
	since  time.Time // when that was seen first
	looked time.Time // when the table was asked last
}

// Until implements inbox.Hand.
func (h *Hooks) Until(now time.Time, bytes int64) (time.Time, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open || len(h.rows) >= hookMost || h.bytes+bytes > hookBytes || len(h.rows) > 0 && now.Sub(h.rows[0].ReceivedAt) > hookFor {
		return time.Time{}, false
	}
	return now.Add(hookLease).Truncate(time.Microsecond), true
}

// Take implements inbox.Hand.
func (h *Hooks) Take(rows []store.Webhook) {
	h.mu.Lock()
	h.rows = append(h.rows, rows...)
	for i := range rows {
		h.bytes += weight(&rows[i])
	}
	h.mu.Unlock()
	h.wake.Wake()
}

// weight is what a webhook holds of the memory, about.
func weight(w *store.Webhook) int64 { return int64(len(w.Opened)) + 512 }

// Note says that something was put into the table.
func (h *Hooks) Note() {
	h.mu.Lock()
	h.more = true
	h.mu.Unlock()
	h.wake.Wake()
}

// oldest is since when something has waited, as far as this process knows.
func (h *Hooks) oldest(now time.Time) (at time.Time, waiting bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.more && h.since.IsZero() {
		h.since = now
	}
	if len(h.rows) > 0 {
		at, waiting = h.rows[0].ReceivedAt, true
	}
	if h.more && (!waiting || h.since.Before(at)) {
		at, waiting = h.since, true
	}
	return at, waiting
}

// asks reports whether the table is to be asked, and for how many of limit.
func (h *Hooks) asks(limit int) (part int, ask bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ask = h.more || len(h.rows) == 0 || time.Since(h.looked) >= idle
	if ask {
		h.more, h.since, h.looked = false, time.Time{}, time.Now()
	}
	return limit - min(limit/2, len(h.rows)), ask
}

// take gives the oldest rows; late are those among them whose lease has too little left.
func (h *Hooks) take(limit int, now time.Time) (rows, late []store.Webhook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for ; n < len(h.rows) && len(rows) < limit; n++ {
		w := h.rows[n]
		h.bytes -= weight(&w)
		h.rows[n] = store.Webhook{} // what is read is let go
		if w.Lease.Sub(now) >= hookLeft {
			rows = append(rows, w)
		} else {
			late = append(late, w)
		}
	}
	if h.rows = h.rows[n:]; len(h.rows) == 0 {
		h.rows = nil
	}
	return rows, late
}

// shut lets nothing be handed over any more.
func (h *Hooks) shut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = false
}

// holdHooks lets webhooks be handed over until ctx is done; the returned function gives back what was not begun to be read.
func (w *Worker) holdHooks(ctx context.Context) (giveBack func(context.Context) error) {
	h := w.Wakers.Hooks
	h.mu.Lock()
	h.open = true
	h.mu.Unlock()
	context.AfterFunc(ctx, h.shut)
	return func(ctx context.Context) error {
		h.shut()
		rows, late := h.take(hookMost+hookBatch, w.Now())
		return w.Store.ReturnWebhooks(ctx, append(rows, late...))
	}
}

// claimHooks takes webhooks from the table when there may be any, which is at least once an idle time, and the rest from what was handed over.
func (w *Worker) claimHooks(ctx context.Context, limit int) (rows []store.Webhook, err error) {
	h := w.Wakers.Hooks
	part, ask := h.asks(limit)
	if ask {
		rows, err = w.claimWebhooks(ctx, part)
		if err != nil || len(rows) == part {
			h.Note()
		}
	}
	own, late := h.take(limit-len(rows), w.Now())
	if len(late) > 0 {
		if err := w.Store.ReturnWebhooks(ctx, late); err != nil {
			slog.WarnContext(ctx, "webhooks not given back; their lease ends by itself", slog.Any("error", err))
		}
		h.Note()
	}
	if rows = append(rows, own...); len(rows) > 0 {
		return rows, nil
	}
	return nil, err
}

// yieldToStoring is for how long the next claim of webhooks should wait since others are being stored: reading takes the same processors and the same disk,
// and only storing has a provider on the line. It never asks for more when a webhook has waited for yieldFor, so that what a flood brings is read
// while it goes on, that much later; and without one it asks for nothing.
func (w *Worker) yieldToStoring() time.Duration {
	if !w.Pressed() {
		return 0
	}
	now := w.Now()
	at, waiting := w.Wakers.Hooks.oldest(now)
	if left := yieldFor - now.Sub(at); waiting && left > 0 {
		return min(left, yieldStep)
	}
	return 0
}
