package telemetry

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

var w3c propagation.TraceContext

// Carrier returns ctx's span context as W3C traceparent text, to be stored with a sale. It is empty when ctx carries no
// valid span context.
func Carrier(ctx context.Context) string {
	c := propagation.MapCarrier{}
	w3c.Inject(ctx, c)
	return c["traceparent"]
}

// Resume returns ctx with the stored traceparent as its remote parent, so that spans started with it join the sale's trace.
// Text that is empty or not a traceparent leaves ctx as it is.
func Resume(ctx context.Context, traceparent string) context.Context {
	sc, ok := parse(traceparent)
	if !ok {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, sc)
}

// LinkFrom returns a link to the stored traceparent, for spans that concern many sales at once. It reports false for text
// that is empty or not a traceparent.
func LinkFrom(traceparent string) (trace.Link, bool) {
	sc, ok := parse(traceparent)
	return trace.Link{SpanContext: sc}, ok
}

// Untraced returns ctx under a parent that is not sampled: spans started with it are not recorded. It is for work whose
// repetition says nothing, like an idle loop's queries.
func Untraced(ctx context.Context) context.Context {
	var cfg trace.SpanContextConfig
	_, _ = rand.Read(cfg.TraceID[:]) // never fails: crypto/rand ends the process instead
	_, _ = rand.Read(cfg.SpanID[:])
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(cfg))
}

func parse(traceparent string) (trace.SpanContext, bool) {
	if traceparent == "" {
		return trace.SpanContext{}, false
	}
	ctx := w3c.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	sc := trace.SpanContextFromContext(ctx)
	return sc, sc.IsValid()
}
