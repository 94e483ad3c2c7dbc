package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/crash"
	"github.com/baixapay/baixa/internal/telemetry"
)

// maxLinks bounds the sales that one batch's span links to.
const maxLinks = 64

// unwind is what cancelled work gets to notice, once Grace is over.
const unwind = time.Second

// Run claims and works until ctx is done, then stops claiming, lets the batches in flight finish within Grace, cancels what
// is left and returns nil; it returns an error when work went on although it was cancelled, or at once when the description
// is wrong. Errors of Claim and Work never end it.
//
// It claims when it starts, when woken, and at least every Idle; as long as claims come back full it claims again as soon as
// a worker is free. A wake does not shorten the back-off after an error.
func (l *Loop[T]) Run(ctx context.Context) error {
	if err := l.Check(); err != nil {
		return err
	}
	r, err := newRunner(l.withDefaults())
	if err != nil {
		return err
	}
	return r.run(ctx)
}

type runner[T any] struct {
	Loop[T]
	meters   *meters
	tracer   trace.Tracer
	slots    chan struct{} // one element per batch in flight or about to be claimed
	claiming health
	working  health
	inFlight atomic.Int64
	claimed  time.Time     // when the last claim began; the claiming goroutine's alone
	rows     atomic.Int64  // of the batches in flight
	ended    chan struct{} // a batch has ended since the last claim
	wg       sync.WaitGroup
}

func newRunner[T any](l Loop[T]) (*runner[T], error) {
	m, err := newMeters(l.Meter, l.Name)
	if err != nil {
		return nil, err
	}
	tp := l.Tracer
	if tp == nil {
		tp = otel.GetTracerProvider()
	}
	return &runner[T]{
		Loop: l, meters: m, tracer: tp.Tracer(scope), slots: make(chan struct{}, l.Workers), ended: make(chan struct{}, 1),
		claiming: health{log: l.Log, retry: l.Retry, failing: "claim failed", well: "claims succeed again"},
		working:  health{log: l.Log, retry: l.Retry, failing: "work failed", well: "work succeeds again"},
	}, nil
}

func (r *runner[T]) run(ctx context.Context) error {
	// Claims and work outlive ctx by Grace: a claim that is cut off after its commit would leave its rows to their lease.
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() {
		t := time.AfterFunc(r.Grace, cut)
		context.AfterFunc(work, func() { t.Stop() })
	})()

	for ctx.Err() == nil {
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		if !sleep(ctx, max(r.claiming.pause(), r.working.pause())) || !r.yield(ctx) {
			<-r.slots
			continue
		}
		rows, err := r.claim(work)
		if len(rows) > 0 {
			r.start(work, rows)
		} else {
			<-r.slots
		}
		if err == nil && len(rows) < r.Batch {
			r.rest(ctx)
		}
	}
	return r.drain(work)
}

// rest returns when the next claim should be made: after a wake (and Gather, Space and Hold), after Idle, or when ctx is done.
func (r *runner[T]) rest(ctx context.Context) {
	since := time.Now()
	t := time.NewTimer(r.Idle)
	defer t.Stop()
	select {
	case <-r.Wake:
		sleep(ctx, max(r.Gather, r.Space-time.Since(r.claimed)))
		r.hold(ctx, r.Hold-time.Since(since))
		select {
		case <-r.Wake: // the claim that follows sees what this one is about
		default:
		}
	case <-t.C:
	case <-ctx.Done():
	}
}

// yield waits as long as Yield asks for, and reports whether ctx lasted that long.
func (r *runner[T]) yield(ctx context.Context) bool {
	if r.Yield == nil {
		return ctx.Err() == nil
	}
	for {
		d := r.Yield()
		if d <= 0 {
			return ctx.Err() == nil
		}
		if !sleep(ctx, d) {
			return false
		}
	}
}

// hold waits until a batch ends, when enough is in flight, and no longer than limit.
func (r *runner[T]) hold(ctx context.Context, limit time.Duration) {
	select {
	case <-r.ended: // of a batch before
	default:
	}
	if r.inFlight.Load() == 0 || r.rows.Load() < int64(r.HoldAt) || limit <= 0 {
		return
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-r.ended:
	case <-t.C:
	case <-ctx.Done():
	}
}

// claim makes one claim. Its queries are kept out of the traces: an idle loop would fill them with nothing.
func (r *runner[T]) claim(ctx context.Context) (rows []T, err error) {
	ctx, cancel := context.WithTimeout(telemetry.Untraced(ctx), r.Timeout)
	defer cancel()
	start := time.Now()
	r.claimed = start
	err = guard(func() (err error) { rows, err = r.Claim(ctx, r.Batch); return err })
	r.meters.since(ctx, r.meters.claim, start)
	if err != nil {
		r.claiming.fail(ctx, start, err)
		return nil, err
	}
	r.claiming.ok(ctx, start)
	return rows, nil
}

// start works the batch in its own goroutine, which gives the slot back.
func (r *runner[T]) start(ctx context.Context, rows []T) {
	r.meters.add(ctx, r.meters.claimed, len(rows))
	if r.Due != nil {
		for _, row := range rows {
			r.meters.since(ctx, r.meters.lag, r.Due(row))
		}
	}
	r.meters.busy.Add(ctx, 1, r.meters.attrs)
	r.inFlight.Add(1)
	r.rows.Add(int64(len(rows)))
	r.wg.Go(func() {
		defer func() {
			r.meters.busy.Add(ctx, -1, r.meters.attrs)
			r.rows.Add(-int64(len(rows)))
			r.inFlight.Add(-1)
			<-r.slots
			select {
			case r.ended <- struct{}{}:
			default:
			}
		}()
		r.work(ctx, rows)
	})
}

func (r *runner[T]) work(ctx context.Context, rows []T) {
	size := len(rows)
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	ctx, span := r.tracer.Start(ctx, r.Name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("queue", r.Name), attribute.Int("rows", size)),
		trace.WithLinks(r.links(rows)...))
	defer span.End()

	start := time.Now()
	err := guard(func() error { return r.Work(ctx, rows) })
	r.meters.since(ctx, r.meters.seconds, start)
	if err != nil {
		span.SetStatus(codes.Error, "work failed")
		r.meters.add(ctx, r.meters.failed, size)
		r.working.fail(ctx, start, err)
		return
	}
	r.meters.add(ctx, r.meters.worked, size)
	r.working.ok(ctx, start)
}

func (r *runner[T]) links(rows []T) []trace.Link {
	if r.Trace == nil {
		return nil
	}
	links := make([]trace.Link, 0, min(len(rows), maxLinks))
	for _, row := range rows[:min(len(rows), maxLinks)] {
		if link, ok := telemetry.LinkFrom(r.Trace(row)); ok {
			links = append(links, link)
		}
	}
	return links
}

// drain waits for the batches in flight. work is cancelled when Grace is over.
func (r *runner[T]) drain(work context.Context) error {
	done := make(chan struct{})
	go func() { r.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-work.Done():
	}
	r.Log.WarnContext(work, "work cancelled at stop", slog.Int64("batches", r.inFlight.Load()), slog.Duration("grace", r.Grace))
	t := time.NewTimer(unwind)
	defer t.Stop()
	select {
	case <-done:
		return nil
	case <-t.C:
		return fmt.Errorf("queue %q: %d batches still at work %s after they were cancelled", r.Name, r.inFlight.Load(), unwind)
	}
}

// guard turns a panic of f into an error that carries the stack only into the log.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = crash.Of(v)
		}
	}()
	return f()
}

// sleep waits for d and reports whether ctx lasted that long.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
