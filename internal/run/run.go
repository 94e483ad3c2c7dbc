// Package run starts the parts of a process in order, keeps them running and stops them in reverse.
//
// What it refuses to do: it never restarts a part (an orchestrator does, and a part that can heal heals itself), it knows
// no dependencies but the order in which parts were added, it never calls os.Exit, and only Main listens to signals, so that
// a service behaves the same inside `baixa up` as alone.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/baixapay/baixa/internal/crash"
)

// DefaultLimit is how long one part may take to stop.
const DefaultLimit = 15 * time.Second

// Part is something that runs until its context is done. A nil error before that means that it has finished and the others
// go on; an error stops the group. Once its context is done, nil and context.Canceled both mean a clean stop.
type Part func(ctx context.Context) error

// Group is a list of parts. The zero value is ready; it is not safe for concurrent use, and a Group is run once.
type Group struct {
	// Limit is how long each part may take to stop before the group goes on without it. Zero means DefaultLimit.
	Limit time.Duration
	// Log defaults to slog.Default().
	Log *slog.Logger

	parts []*part
}

// ErrNotStopped is wrapped by Run's error when a part outlived its limit; its goroutine may still be running.
var ErrNotStopped = errors.New("did not stop in time")

type part struct {
	name  string
	run   func(ctx context.Context, ready func()) error
	ready chan struct{}
	done  chan struct{}
	stop  context.CancelFunc
	err   error // valid after done is closed
}

// Add appends a part that counts as started at once.
func (g *Group) Add(name string, p Part) {
	g.AddReady(name, func(ctx context.Context, ready func()) error {
		ready()
		return p(ctx)
	})
}

// AddReady appends a part that says when it is ready; the parts after it are started only then. Calling ready again does
// nothing. A part that returns nil without having called it counts as ready: a migration, say.
func (g *Group) AddReady(name string, p func(ctx context.Context, ready func()) error) {
	g.parts = append(g.parts, &part{name: name, run: p, ready: make(chan struct{}), done: make(chan struct{})})
}

// Run starts the parts in the order in which they were added and returns when all have ended. They are stopped, the last
// one first and each within Limit, when ctx is done or when one of them returns an error or panics. That first error is
// returned with the part's name; errors of parts that were being stopped are logged, and returned only when there is no
// other. After a stop by ctx the result is nil unless a part failed to stop cleanly.
func (g *Group) Run(ctx context.Context) error {
	if g.Limit == 0 {
		g.Limit = DefaultLimit
	}
	if g.Log == nil {
		g.Log = slog.Default()
	}
	failed := make(chan *part, len(g.parts)) // a part sends itself at most once
	err := g.watch(ctx, failed)
	return errors.Join(err, g.stop(ctx, err))
}

// watch starts everything and returns when the group must stop: nil, or the first error.
func (g *Group) watch(ctx context.Context, failed chan *part) error {
	for _, p := range g.parts {
		g.start(ctx, p, failed)
		select {
		case <-p.ready:
		case <-p.done:
			if p.err == nil {
				continue
			}
			return p.err
		case f := <-failed:
			return f.err
		case <-ctx.Done():
			return nil
		}
	}
	for _, p := range g.parts {
		select {
		case <-p.done:
			if p.err != nil {
				return first(failed, p).err
			}
		case f := <-failed:
			return f.err
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// first prefers the part that failed first to the one that was looked at first.
func first(failed chan *part, otherwise *part) *part {
	select {
	case f := <-failed:
		return f
	default:
		return otherwise
	}
}

func (g *Group) start(ctx context.Context, p *part, failed chan<- *part) {
	// The part's own context: the group, not the caller, decides when it is that part's turn to stop.
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	readied := false
	ready := func() {
		if !readied {
			readied = true
			close(p.ready)
		}
	}
	go func() {
		defer close(p.done)
		err := g.call(own, p, ready)
		switch {
		case err == nil:
		case own.Err() != nil && errors.Is(err, context.Canceled):
		default:
			p.err = fmt.Errorf("%s: %w", p.name, err)
			failed <- p
		}
	}()
}

func (g *Group) call(ctx context.Context, p *part, ready func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = crash.Of(v)
			g.Log.ErrorContext(ctx, "part panicked", slog.String("part", p.name), slog.Any("error", err))
		}
	}()
	return p.run(ctx, ready)
}

// stop stops what was started, in reverse. cause is what Run will return already.
func (g *Group) stop(ctx context.Context, cause error) error {
	var result error
	keep := func(err error) {
		if errors.Is(cause, err) {
			return
		}
		g.Log.WarnContext(ctx, "part stopped with an error", slog.Any("error", err))
		if cause == nil && result == nil {
			result = err
		}
	}
	for i := len(g.parts) - 1; i >= 0; i-- {
		p := g.parts[i]
		if p.stop == nil {
			continue // never started
		}
		p.stop()
		t := time.NewTimer(g.Limit)
		select {
		case <-p.done:
			if p.err != nil {
				keep(p.err)
			}
		case <-t.C:
			keep(fmt.Errorf("%s: %w (%s)", p.name, ErrNotStopped, g.Limit))
		}
		t.Stop()
	}
	return result
}
