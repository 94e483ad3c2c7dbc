package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	maxBatchBytes = 8 << 20 // of sealed bodies in one statement
	maxConflicts  = 5       // attempts of one batch that deadlocks with those who read webhooks
)

// entry is one webhook on its way, and the caller who waits for it.
type entry struct {
	hook store.Webhook
	span trace.SpanContext // of the call; the statement's span is drawn under that of the first in a batch
	done chan result       // takes one result without a reader
}

type result struct {
	receipt Receipt
	err     error
}

// budget is how many bytes may still wait.
type budget struct{ left int64 }

func (b *budget) take(n int64) bool {
	if atomic.AddInt64(&b.left, -n) < 0 {
		b.give(n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { atomic.AddInt64(&b.left, n) }

func size(e *entry) int64 { return int64(len(e.hook.Body)) + 512 }

func (b *Inbox) enqueue(e *entry) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return fmt.Errorf("%w: the inbox is stopping", ErrNotStored)
	}
	if !b.bytes.take(size(e)) {
		return fmt.Errorf("%w: the inbox is full", ErrNotStored)
	}
	select {
	case b.queue <- e:
		return nil
	default:
		b.bytes.give(size(e))
		return fmt.Errorf("%w: the inbox is full", ErrNotStored)
	}
}

// Run writes until ctx is done; what was taken before that is written, each commit within WriteTimeout, and nothing more is
// taken. It runs once.
func (b *Inbox) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.closed = true
		close(b.queue)
	})
	defer stop()
	var writers sync.WaitGroup
	for range b.cfg.Writers {
		writers.Go(func() { b.write(context.WithoutCancel(ctx)) })
	}
	writers.Wait()
	return nil
}

// write is one writer: it takes what waits, without waiting for more, and commits it.
func (b *Inbox) write(ctx context.Context) {
	for first := range b.queue {
		batch, n := []*entry{first}, size(first)
	more:
		for len(batch) < b.cfg.Batch && n < maxBatchBytes {
			select {
			case e, ok := <-b.queue:
				if !ok {
					break more
				}
				batch, n = append(batch, e), n+size(e)
			default:
				break more
			}
		}
		b.bytes.give(n)
		b.commit(ctx, batch)
	}
}

// commit stores a batch and answers everyone in it.
func (b *Inbox) commit(ctx context.Context, batch []*entry) {
	groups := join(batch)
	hooks := make([]store.Webhook, len(groups))
	for i, g := range groups {
		hooks[i] = g[0].hook
	}
	b.meters.batch.Record(ctx, int64(len(batch)))
	ctx = trace.ContextWithSpanContext(ctx, batch[0].span)
	ids, err := b.insert(ctx, hooks)
	if len(groups) > 1 && refusesRow(err) {
		// One of them cannot be stored. The others must not suffer for it.
		for i, g := range groups {
			ids, err = b.insert(ctx, hooks[i:i+1])
			b.answer(ctx, g, ids, err)
		}
		b.cfg.Wake()
		return
	}
	if err == nil {
		b.cfg.Wake() // also when all were copies: a late one asks for another look
	}
	for _, g := range groups {
		b.answer(ctx, g, ids, err)
	}
}

// join groups copies. Groups are in the order of their digests, so that two statements that hold the same webhooks lock their
// rows in the same order.
func join(batch []*entry) [][]*entry {
	at := make(map[[32]byte]int, len(batch))
	groups := make([][]*entry, 0, len(batch))
	for _, e := range batch {
		digest := [32]byte(e.hook.Digest)
		i, known := at[digest]
		if !known {
			i = len(groups)
			at[digest] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], e)
	}
	slices.SortFunc(groups, func(a, b []*entry) int { return bytes.Compare(a[0].hook.Digest, b[0].hook.Digest) })
	return groups
}

// insert runs the statement within WriteTimeout, again when it lost a deadlock.
func (b *Inbox) insert(ctx context.Context, hooks []store.Webhook) (ids map[string][16]byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.WriteTimeout)
	defer cancel()
	for range maxConflicts {
		ids, err = b.cfg.Store.InsertWebhooks(ctx, hooks)
		if !conflict(err) {
			break
		}
	}
	return ids, err
}

// answer tells everybody of one group what became of it. The first of them is the one whose row was offered.
func (b *Inbox) answer(ctx context.Context, group []*entry, ids map[string][16]byte, err error) {
	first := group[0].hook
	id, stored := ids[string(first.Digest)]
	if err == nil && !stored {
		err = errors.New("the statement did not say where it is")
	}
	if err != nil {
		slog.ErrorContext(ctx, "webhook not stored", slog.String("provider", first.Provider), slog.Int("copies", len(group)), slog.Any("error", err))
		b.meters.count(ctx, "not_stored", len(group))
		for _, e := range group {
			e.done <- result{err: fmt.Errorf("%w: %w", ErrNotStored, err)}
		}
		return
	}
	copies := len(group)
	if id == first.ID {
		copies--
		b.meters.count(ctx, "stored", 1)
	}
	b.meters.count(ctx, "duplicate", copies)
	for i, e := range group {
		e.done <- result{receipt: Receipt{ID: id, Duplicate: i > 0 || id != first.ID}}
	}
}

// conflict reports whether the statement lost a deadlock and may be run again.
func conflict(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40P01" || e.Code == "40001")
}

// refusesRow reports whether the database refused the data of a row (classes 22 and 23 of its SQLSTATEs).
func refusesRow(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && len(e.Code) == 5 && (e.Code[:2] == "22" || e.Code[:2] == "23")
}
