// Package queue runs claim loops: it decides when rows are claimed, how many batches are in flight, how long to hold back
// after an error and how to stop. Everything else belongs to the owner: what is due, the lease that a claim takes, what the
// work does and what is written when it is done are the owner's SQL.
//
// What it refuses to do: it holds no row, no state and no schedule of its own, so a crash loses nothing but a lease's time;
// it never decides about a single row (a row that cannot be worked is rescheduled by the owner, which then returns nil);
// and it never claims ahead of a free worker.
package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Defaults of a Loop's optional fields.
const (
	DefaultIdle    = time.Second
	DefaultTimeout = 30 * time.Second
	DefaultGrace   = 10 * time.Second
)

// Loop claims rows in batches and gives them to workers. Name, Claim, Work, Batch and Workers must be set; the rest has
// defaults. A Loop is a description: Run copies it, so one value may be run again after it returned.
type Loop[T any] struct {
	// Name identifies the loop in logs, spans, metrics and errors, for example "payments.polls".
	Name string

	// Claim leases up to limit rows, best first, and returns them. Fewer rows than limit mean that nothing more is due
	// now. The lease must be longer than Timeout plus Grace, so that no other replica claims a row that is still worked on.
	Claim func(ctx context.Context, limit int) ([]T, error)

	// Work handles one claimed batch; rows is never empty and never touched again by the loop. An error says that the
	// batch as a whole could not be handled and holds back the next claims; what happens to its rows is the owner's lease.
	// A panic is logged with its stack and counts as an error.
	Work func(ctx context.Context, rows []T) error

	// Batch is the most rows of one claim, Workers the most batches in flight.
	Batch, Workers int

	// Idle is the longest pause between two claims when nobody wakes the loop.
	Idle time.Duration

	// Wake asks for a claim now (Waker.C, or any channel). It may be nil. A wake during a claim leads to one more claim.
	Wake <-chan struct{}

	// Gather is waited between a wake and the claim, so that rows which arrive together are claimed together. Zero claims
	// at once.
	Gather time.Duration

	// Space is the least time between the beginnings of two claims, unless one came back full: rows that come faster are claimed together,
	// and an idle loop claims at once. It is for work that nobody waits for by the millisecond.
	Space time.Duration

	// Hold is how long what is woken for may wait for a batch in flight to end, so that what comes meanwhile is claimed together:
	// a busy loop makes few large batches instead of many small ones, and an idle one waits for nothing. A claim that came back
	// full is followed by the next at once. Zero holds nothing.
	Hold time.Duration

	// HoldAt is how many rows must be in flight for Hold to count. Few rows in flight mean that the loop is far from busy: what
	// comes then is claimed at once, beside them, for as long as there are free workers. Zero holds for any batch in flight.
	HoldAt int

	// Yield is asked before every claim for how long it should still wait for the sake of other work, and again when that is over; zero
	// claims. Whoever answers bounds how often it asks for more. Nil never waits.
	Yield func() time.Duration

	// Retry is the back-off after errors of Claim or Work. Its zero value starts at 100 ms and ends at 30 s.
	Retry Backoff

	// Timeout bounds every single call of Claim and of Work.
	Timeout time.Duration

	// Grace is how long claimed batches may go on after Run's context is done; then their context is cancelled.
	Grace time.Duration

	// Due tells when a row was due, for the lag metric; Trace its stored traceparent, to which the batch's span is linked.
	// Both may be nil.
	Due   func(row T) time.Time
	Trace func(row T) string

	// Log, Meter and Tracer default to the process's own.
	Log    *slog.Logger
	Meter  metric.MeterProvider
	Tracer trace.TracerProvider
}

// Check reports everything that is wrong with the description, naming each field.
func (l *Loop[T]) Check() error {
	var errs []error
	want := func(ok bool, text string) {
		if !ok {
			errs = append(errs, fmt.Errorf("queue %q: %s", l.Name, text))
		}
	}
	want(l.Name != "", "Name is empty")
	want(l.Claim != nil, "Claim is nil")
	want(l.Work != nil, "Work is nil")
	want(l.Batch > 0, fmt.Sprintf("Batch is %d, want at least 1", l.Batch))
	want(l.Workers > 0, fmt.Sprintf("Workers is %d, want at least 1", l.Workers))
	want(l.Idle >= 0, "Idle is negative")
	want(l.Gather >= 0, "Gather is negative")
	want(l.Space >= 0, "Space is negative")
	want(l.Hold >= 0, "Hold is negative")
	want(l.HoldAt >= 0, "HoldAt is negative")
	want(l.Timeout >= 0, "Timeout is negative")
	want(l.Grace >= 0, "Grace is negative")
	want(l.Retry.Base >= 0 && l.Retry.Limit >= 0, "Retry is negative")
	return errors.Join(errs...)
}

func (l Loop[T]) withDefaults() Loop[T] {
	l.Idle = cmp.Or(l.Idle, DefaultIdle)
	l.Timeout = cmp.Or(l.Timeout, DefaultTimeout)
	l.Grace = cmp.Or(l.Grace, DefaultGrace)
	if l.Log == nil {
		l.Log = slog.Default()
	}
	l.Log = l.Log.With(slog.String("queue", l.Name))
	return l
}
