package telemetry

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

var w3c propagation.TraceContext

// stored is a traceparent as w3c reads and writes it, without a map.
type stored string

const traceparentKey = "traceparent"

func (s *stored) Get(key string) string {
	if key != traceparentKey {
		return ""
	}
	return string(*s)
}

func (s *stored) Set(key, value string) {
	if key == traceparentKey {
		*s = stored(value)
	}
}

func (s *stored) Keys() []string { return []string{traceparentKey} }

// Carrier returns ctx's span context as W3C traceparent text, to be stored with a sale. It is empty when ctx carries no
// valid span context.
func Carrier(ctx context.Context) string {
	var s stored
	w3c.Inject(ctx, &s)
	return string(s)
}

// Resume returns ctx with the stored traceparent as its remote parent, so that spans started with it join the sale's trace.
// Text that is empty or not a traceparent leaves ctx as it is.
func Resume(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return w3c.Extract(ctx, (*stored)(&traceparent))
}

// LinkFrom returns a link to the stored traceparent, for spans that concern many sales at once. It reports false for text
// that is empty or not a traceparent.
func LinkFrom(traceparent string) (trace.Link, bool) {
	sc := trace.SpanContextFromContext(Resume(context.Background(), traceparent))
	return trace.Link{SpanContext: sc}, sc.IsValid()
}

// Untraced returns ctx under a parent that is not sampled: spans started with it are not recorded. It is for work whose
// repetition says nothing, like an idle loop's queries.
func Untraced(ctx context.Context) context.Context {
	var cfg trace.SpanContextConfig
	_, _ = rand.Read(cfg.TraceID[:]) // never fails: crypto/rand ends the process instead
	_, _ = rand.Read(cfg.SpanID[:])
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(cfg))
}
