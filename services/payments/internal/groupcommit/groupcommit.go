// Package groupcommit commits together what arrives together: many callers have a row each, a few writers take whatever waits and
// commit it at once, and a caller has its answer after the commit. Nothing waits for company: a row that is alone is committed alone.
//
// It refuses to know what a row is, to try again, and to let callers wait without a bound.
package groupcommit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Why a row was not taken.
var (
	ErrFull     = errors.New("too many wait already")
	ErrStopping = errors.New("nothing is taken any more")
)

// Config describes a group. Commit, Writers, Batch and Queue are required.
type Config[T any] struct {
	// Commit stores rows, all or none. Its context has no end: it bounds itself.
	Commit func(ctx context.Context, rows []T) error
	// Alone reports whether an error of several rows may be the fault of one: then each is committed alone.
	Alone func(error) bool
	// Writers is how many commits may be under way, Batch how many rows one has at most, Queue how many may wait.
	Writers, Batch, Queue int
	// Size is a row's bytes. Nil: rows are counted and not weighed.
	Size func(T) int64
	// BatchBytes ends a batch that has so many, QueueBytes bounds what waits. They go with Size.
	BatchBytes, QueueBytes int64
}

// Group is the queue and its writers. It is safe for concurrent use. Run must run for Put to answer.
type Group[T any] struct {
	c     Config[T]
	queue chan waiting[T]
	room  atomic.Int64 // bytes that may still come to wait

	mu     sync.RWMutex // closed and the sends that it ends
	closed bool
}

type waiting[T any] struct {
	row  T
	done chan error // takes one answer without a reader
}

// New makes a group. Nothing runs yet.
func New[T any](c Config[T]) *Group[T] {
	if c.Size == nil {
		c.Size = func(T) int64 { return 0 }
		c.BatchBytes = 1
	}
	g := &Group[T]{c: c, queue: make(chan waiting[T], c.Queue)}
	g.room.Store(c.QueueBytes)
	return g
}

// Waiting is how many rows no writer has taken yet.
func (g *Group[T]) Waiting() int { return len(g.queue) }

// Put returns after the row's commit, or with its error; at once with ErrFull or ErrStopping; or with ctx's error when ctx ends
// first: then the row may be committed all the same, and what Commit writes into it is not to be read.
func (g *Group[T]) Put(ctx context.Context, row T) error {
	done, err := g.Offer(row)
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Offer is Put that does not wait: done gets the row's answer, whether anybody reads it or not. Its errors are ErrFull and ErrStopping.
func (g *Group[T]) Offer(row T) (done <-chan error, err error) {
	w := waiting[T]{row, make(chan error, 1)}
	return w.done, g.take(w)
}

func (g *Group[T]) take(w waiting[T]) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return ErrStopping
	}
	size := g.c.Size(w.row)
	if g.room.Add(-size) >= 0 {
		select {
		case g.queue <- w:
			return nil
		default:
		}
	}
	g.room.Add(size)
	return ErrFull
}

// Run commits until ctx is done, and then what was taken before. It runs once.
func (g *Group[T]) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.closed = true
		close(g.queue)
	})
	defer stop()
	var writers sync.WaitGroup
	for range g.c.Writers {
		writers.Go(func() {
			for first := range g.queue {
				g.commit(context.WithoutCancel(ctx), g.collect(first))
			}
		})
	}
	writers.Wait()
	return nil
}

// collect takes what waits behind first.
func (g *Group[T]) collect(first waiting[T]) []waiting[T] {
	batch, size := []waiting[T]{first}, g.c.Size(first.row)
	defer func() { g.room.Add(size) }()
	for len(batch) < g.c.Batch && size < g.c.BatchBytes {
		select {
		case w, open := <-g.queue:
			if !open {
				return batch
			}
			batch, size = append(batch, w), size+g.c.Size(w.row)
		default:
			return batch
		}
	}
	return batch
}

// commit stores a batch and answers everyone in it. A row that cannot be stored must not cost the others.
func (g *Group[T]) commit(ctx context.Context, batch []waiting[T]) {
	rows := make([]T, len(batch))
	for i, w := range batch {
		rows[i] = w.row
	}
	err := g.c.Commit(ctx, rows)
	alone := err != nil && len(rows) > 1 && g.c.Alone(err)
	for i, w := range batch {
		if alone {
			err = g.c.Commit(ctx, rows[i:i+1])
		}
		w.done <- err
	}
}
