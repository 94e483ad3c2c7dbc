// Package groupcommit commits together what arrives together: many callers have a row each, a few writers take whatever waits and
// commit it at once, and a caller has its answer after the commit. A row that comes while nothing is under way is committed at once and alone. While a
// commit is under way the next one begins when it would be as large, or when its first row has waited for Patience: a commit costs
// as much as twenty of its rows, and the callers whom the last one answered are about to come back.
//
// It refuses to know what a row is, to try again, and to let callers wait without a bound.
package groupcommit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
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
	// Patience is how long a row waits at most for a batch as large as those under way; 0 is DefaultPatience.
	Patience time.Duration
	// Size is a row's bytes. Nil: rows are counted and not weighed.
	Size func(T) int64
	// BatchBytes ends a batch that has so many, QueueBytes bounds what waits. They go with Size.
	BatchBytes, QueueBytes int64
}

// DefaultPatience is longer than a commit takes on a disk that keeps up.
const DefaultPatience = 5 * time.Millisecond

// Group is the queue and its writers. It is safe for concurrent use. Run must run for Put to answer.
type Group[T any] struct {
	c Config[T]

	mu      sync.Mutex
	changed sync.Cond // a row came, the first waits too long, or the end
	queue   []waiting[T]
	bytes   int64 // of what waits
	flying  int   // rows under way
	alarm   bool  // is set for the first row
	closed  bool
}

type waiting[T any] struct {
	row  T
	at   time.Time
	done chan error // takes one answer without a reader
}

// New makes a group. Nothing runs yet.
func New[T any](c Config[T]) *Group[T] {
	if c.Size == nil {
		c.Size = func(T) int64 { return 0 }
		c.BatchBytes = 1
	}
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	g := &Group[T]{c: c}
	g.changed.L = &g.mu
	return g
}

// Waiting is how many rows no writer has taken yet.
func (g *Group[T]) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue)
}

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
	w := waiting[T]{row, time.Now(), make(chan error, 1)}
	size := g.c.Size(row)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return nil, ErrStopping
	case len(g.queue) >= g.c.Queue || size > 0 && g.bytes+size > g.c.QueueBytes:
		return nil, ErrFull
	}
	g.queue, g.bytes = append(g.queue, w), g.bytes+size
	g.changed.Signal()
	return w.done, nil
}

// Run commits until ctx is done, and then what was taken before. It runs once.
func (g *Group[T]) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.closed = true
		g.changed.Broadcast()
	})
	defer stop()
	var writers sync.WaitGroup
	for range g.c.Writers {
		writers.Go(func() {
			for batch := g.next(0); len(batch) > 0; batch = g.next(len(batch)) {
				g.commit(context.WithoutCancel(ctx), batch)
			}
		})
	}
	writers.Wait()
	return nil
}

// next lets a writer's last rows go and waits for its next ones; none are the end.
func (g *Group[T]) next(landed int) []waiting[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying -= landed
	for {
		switch n := len(g.queue); {
		case n == 0 && g.closed:
			return nil
		case n > 0 && (g.closed || n >= min(g.flying, g.c.Batch) || time.Since(g.queue[0].at) >= g.c.Patience):
			return g.collect()
		case n > 0 && !g.alarm:
			g.alarm = true
			time.AfterFunc(g.c.Patience-time.Since(g.queue[0].at), g.ring)
		}
		g.changed.Wait()
	}
}

func (g *Group[T]) ring() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.alarm = false
	g.changed.Signal()
}

// collect takes what waits, as much as one batch may have.
func (g *Group[T]) collect() []waiting[T] {
	n, size := 0, int64(0)
	for n < len(g.queue) && n < g.c.Batch && (n == 0 || size < g.c.BatchBytes) {
		size += g.c.Size(g.queue[n].row)
		n++
	}
	batch := slices.Clone(g.queue[:n])
	g.queue = slices.Delete(g.queue, 0, n)
	g.bytes -= size
	g.flying += n
	if len(g.queue) > 0 {
		g.changed.Signal()
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
