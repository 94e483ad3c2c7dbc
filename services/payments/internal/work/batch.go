package work

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

// inBatches makes one call for all. When the leaf refuses the batch for something that is in it, each is tried alone, so that
// one odd sale never stops the others. done are those that worked, refused those that never will; err is why the rest must be
// tried again.
func inBatches[T any](ctx context.Context, all []T, call func(context.Context, []T) error) (done, refused []T, err error) {
	if len(all) == 0 {
		return nil, nil, nil
	}
	err = call(ctx, all)
	switch {
	case err == nil:
		return all, nil, nil
	case len(all) == 1 && status.Code(err) == codes.InvalidArgument:
		slog.ErrorContext(ctx, "refused as invalid by a leaf", slog.Any("error", err))
		return nil, all, nil
	case len(all) == 1 || !contents(err):
		return nil, nil, err
	}
	err = nil
	for _, one := range all {
		d, r, e := inBatches(ctx, []T{one}, call)
		done, refused, err = append(done, d...), append(refused, r...), firstOf(err, e)
		if e != nil && !contents(e) {
			break // away by now: nobody is served by asking about each of the others
		}
	}
	return done, refused, err
}

// contents reports whether a refusal may lie in what was sent rather than in the leaf or the way to it.
func contents(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition, codes.OutOfRange, codes.Internal, codes.DataLoss:
		return true
	}
	return false
}

// backoff is how long a row that failed for the attempts-th time waits.
func backoff(attempts int) time.Duration {
	return min(time.Second<<min(attempts, 9), 5*time.Minute)
}

// awayFor is the longest wait of a row that a leaf could not take: it is no fault of the row.
const awayFor = 15 * time.Second

// postpone gives effects back with growing waits, and returns why.
func (w *Worker) postpone(ctx context.Context, effects []store.Effect, cause error) error {
	if len(effects) == 0 {
		return cause
	}
	reason, longest := "unknown", awayFor
	if cause != nil {
		reason = status.Code(cause).String()
		if contents(cause) {
			longest = backoff(10)
		}
	}
	for i := range effects {
		effects[i].DueAt = w.Now().Add(min(backoff(effects[i].Attempts), longest))
	}
	if err := w.Store.PostponeEffects(context.WithoutCancel(ctx), effects, reason); err != nil {
		slog.WarnContext(ctx, "work not given back; its lease ends by itself", slog.Any("error", err))
	}
	return cause
}

func keysOf(effects []store.Effect) []store.Key {
	keys := make([]store.Key, len(effects))
	for i, e := range effects {
		keys[i] = e.Key
	}
	return keys
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// clip makes a provider's text fit to be stored: valid UTF-8 without zero bytes, at most limit bytes.
func clip(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "")
	}
	return text
}

// exact is an identifier, or nothing when no sale can have it: cutting it might name another.
func exact(identifier string) string {
	if len(identifier) > 200 || strings.ContainsRune(identifier, 0) {
		return ""
	}
	return identifier
}

// spanTrace is the trace id of a span, empty when it is not traced.
func spanTrace(s trace.Span) string {
	if sc := s.SpanContext(); sc.IsValid() && sc.IsSampled() {
		return sc.TraceID().String()
	}
	return ""
}
