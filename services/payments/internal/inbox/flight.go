package inbox

import (
	"context"
	"sync"
)

// flights are the webhooks that are being committed, by their digests. A copy that comes meanwhile has its answer as soon as the first
// has: the webhook is durable then. The copy's own row, which only counts it, is written behind its back.
type flights struct {
	mu sync.Mutex
	of map[[32]byte]*flight
}

// flight is one webhook until its commit. receipt and err are set before done is closed.
type flight struct {
	done    chan struct{}
	receipt Receipt
	err     error
}

// store returns when the webhook is durable, or with the reason why that is not known.
func (b *Inbox) store(ctx context.Context, e *entry) (Receipt, error) {
	f, first, own, err := b.board(e)
	if err != nil {
		return Receipt{}, err
	}
	if first {
		select {
		case f.err = <-own:
			f.receipt = e.receipt
		case <-ctx.Done():
			f.err = ctx.Err() // the copies wait for their own
		}
		b.land(e, f)
		return f.receipt, f.err
	}
	landed := f.done
	for {
		select {
		case err := <-own:
			return e.receipt, err
		case <-landed:
			if f.err == nil {
				return Receipt{ID: f.receipt.ID, Duplicate: f.receipt.ID != e.hook.ID}, nil // two writers: ours may have been the quicker
			}
			landed = nil
		case <-ctx.Done():
			return Receipt{}, ctx.Err()
		}
	}
}

// board hands a webhook to the writers: as the first of its digest, or behind the first, which is in front of it in the queue.
func (b *Inbox) board(e *entry) (f *flight, first bool, own <-chan error, err error) {
	digest := [32]byte(e.hook.Digest)
	b.flights.mu.Lock()
	defer b.flights.mu.Unlock()
	if own, err = b.group.Offer(e); err != nil {
		return nil, false, nil, err
	}
	if f = b.flights.of[digest]; f != nil {
		return f, false, own, nil
	}
	f = &flight{done: make(chan struct{})}
	if b.flights.of == nil {
		b.flights.of = map[[32]byte]*flight{}
	}
	b.flights.of[digest] = f
	return f, true, own, nil
}

// land lets the copies go.
func (b *Inbox) land(e *entry, f *flight) {
	b.flights.mu.Lock()
	delete(b.flights.of, [32]byte(e.hook.Digest))
	b.flights.mu.Unlock()
	close(f.done)
}
