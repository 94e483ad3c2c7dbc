package click

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	writers = 2 // one collects while the other waits for the disk
	batch   = 256
	queue   = 4096
	grace   = 500 * time.Millisecond // that a statement may take beyond what visitors wait
)

var errNotKept = errors.New("click not kept")

// writer commits clicks that arrive together in one statement. Nothing waits for company.
type writer struct {
	store Store
	limit time.Duration // of one statement
	queue chan entry

	mu     sync.RWMutex // closed and the sends that it ends
	closed bool
}

type entry struct {
	click store.Click
	done  chan error // takes one result without a reader
}

func newWriter(s Store, patience time.Duration) *writer {
	return &writer{store: s, limit: patience + grace, queue: make(chan entry, queue)}
}

// put returns after the commit. When ctx ends first the click may be kept all the same; its token was given to nobody.
func (w *writer) put(ctx context.Context, c store.Click) error {
	e := entry{c, make(chan error, 1)}
	if err := w.enqueue(e); err != nil {
		return err
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errNotKept, ctx.Err())
	}
}

func (w *writer) enqueue(e entry) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return fmt.Errorf("%w: stopping", errNotKept)
	}
	select {
	case w.queue <- e:
		return nil
	default:
		return fmt.Errorf("%w: too many at once", errNotKept)
	}
}

// run writes until ctx is done, and then what was taken before.
func (w *writer) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.closed = true
		close(w.queue)
	})
	defer stop()
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for first := range w.queue {
				w.commit(context.WithoutCancel(ctx), w.collect(first))
			}
		})
	}
	all.Wait()
	return nil
}

func (w *writer) collect(first entry) []entry {
	out := []entry{first}
	for len(out) < batch {
		select {
		case e, ok := <-w.queue:
			if !ok {
				return out
			}
			out = append(out, e)
		default:
			return out
		}
	}
	return out
}

// commit stores a batch. One that the database refuses must not cost the others: then each is stored alone.
func (w *writer) commit(ctx context.Context, entries []entry) {
	clicks := make([]store.Click, len(entries))
	for i, e := range entries {
		clicks[i] = e.click
	}
	err := w.insert(ctx, clicks)
	for i, e := range entries {
		one := err
		if err != nil && len(entries) > 1 && !errors.Is(err, context.DeadlineExceeded) {
			one = w.insert(ctx, clicks[i:i+1])
		}
		e.done <- one
	}
}

func (w *writer) insert(ctx context.Context, clicks []store.Click) error {
	ctx, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	return w.store.InsertClicks(ctx, clicks)
}
