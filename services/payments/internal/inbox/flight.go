package inbox

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

// flights are the webhooks that are being committed, by their digests. A copy that comes meanwhile has its answer as soon as the first
// has: the webhook is durable then. It writes no row of its own; that it came is counted behind its back.
type flights struct {
	mu     sync.Mutex
	of     map[[32]byte]*flight
	counts map[[32]byte]store.Copies // of those that landed, not written yet
}

// flight is one webhook until its commit. receipt and err are set before done is closed.
type flight struct {
	done    chan struct{}
	copies  store.Copies // that wait for it, under flights.mu
	receipt Receipt
	err     error
}

// store returns when the webhook is durable, or with the reason why that is not known.
func (b *Inbox) store(ctx context.Context, e *entry) (Receipt, error) {
	for {
		f, first, own, err := b.board(e)
		if err != nil {
			return Receipt{}, err
		}
		if first {
			select {
			case f.err = <-own:
				f.receipt = e.receipt
			case <-ctx.Done():
				f.err = ctx.Err()
			}
			b.land(ctx, e, f)
			return f.receipt, f.err
		}
		select {
		case <-f.done:
			if f.err == nil {
				return Receipt{ID: f.receipt.ID, Duplicate: true}, nil
			}
			// What became of the first says nothing of this one.
		case <-ctx.Done():
			return Receipt{}, ctx.Err()
		}
	}
}

// board hands a webhook to the writers as the first of its digest, or lets it wait for the first.
func (b *Inbox) board(e *entry) (f *flight, first bool, own <-chan error, err error) {
	digest := [32]byte(e.hook.Digest)
	b.flights.mu.Lock()
	defer b.flights.mu.Unlock()
	if f = b.flights.of[digest]; f != nil {
		f.copies.N++
		f.copies.LastAt = e.hook.ReceivedAt
		return f, false, nil, nil
	}
	if own, err = b.group.Offer(e); err != nil {
		return nil, false, nil, err
	}
	f = &flight{done: make(chan struct{}), copies: store.Copies{Digest: e.hook.Digest}}
	if b.flights.of == nil {
		b.flights.of, b.flights.counts = map[[32]byte]*flight{}, map[[32]byte]store.Copies{}
	}
	b.flights.of[digest] = f
	return f, true, own, nil
}

// land lets the copies go.
func (b *Inbox) land(ctx context.Context, e *entry, f *flight) {
	digest := [32]byte(e.hook.Digest)
	b.flights.mu.Lock()
	delete(b.flights.of, digest)
	n := f.copies.N
	if f.err == nil && n > 0 {
		f.copies.N += b.flights.counts[digest].N
		b.flights.counts[digest] = f.copies
	}
	b.flights.mu.Unlock()
	close(f.done)
	if f.err == nil {
		b.meters.count(ctx, "duplicate", n)
	}
}

// countEvery is how long a copy that was answered may not be counted in its row.
const countEvery = 200 * time.Millisecond

// countCopies writes how many copies came until done is closed, and then those of the last commits.
func (b *Inbox) countCopies(ctx context.Context, done <-chan struct{}) {
	ticker := time.NewTicker(countEvery)
	defer ticker.Stop()
	for open := true; open; {
		select {
		case <-ticker.C:
		case <-done:
			open = false
		}
		b.flights.mu.Lock()
		counts := make([]store.Copies, 0, len(b.flights.counts))
		for _, c := range b.flights.counts {
			counts = append(counts, c)
		}
		clear(b.flights.counts)
		b.flights.mu.Unlock()
		if len(counts) == 0 {
			continue
		}
		slices.SortFunc(counts, func(a, b store.Copies) int { return bytes.Compare(a.Digest, b.Digest) })
		if err := b.count(ctx, counts); err != nil {
			slog.WarnContext(ctx, "copies of webhooks not counted; the webhooks are stored", slog.Int("webhooks", len(counts)), slog.Any("error", err))
		}
	}
}

// count is one statement within WriteTimeout, again when it lost a deadlock.
func (b *Inbox) count(ctx context.Context, counts []store.Copies) (err error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.WriteTimeout)
	defer cancel()
	for range maxConflicts {
		if err = b.cfg.Store.CountCopies(ctx, counts); !conflict(err) {
			break
		}
	}
	return err
}
