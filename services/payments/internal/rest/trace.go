package rest

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// traced gives the requests of one route their spans and their durations under the names of the semantic conventions, as otelhttp
// does for the others, for a third of what otelhttp costs: webhooks are many and small, and what differs between two of
// them in a metric is the method and the status alone. A caller's trace is linked and not continued: it is the provider's.
type traced struct {
	route  string
	next   http.Handler
	tracer trace.Tracer
	took   metric.Float64Histogram
	sets   sync.Map // outcome → metric.MeasurementOption
}

// outcome is what the durations are told apart by.
type outcome struct {
	method string
	status int
}

func newTraced(route string, next http.Handler) (*traced, error) {
	const scope = "github.com/baixapay/baixa/services/payments/internal/rest"
	took, err := otel.Meter(scope).Float64Histogram("http.server.request.duration", metric.WithUnit("s"), metric.WithDescription("Duration of HTTP server requests."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10))
	if err != nil {
		return nil, fmt.Errorf("create instruments: %w", err)
	}
	return &traced{route: route, next: next, tracer: otel.Tracer(scope), took: took}, nil
}

func (t *traced) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	method := r.Method
	switch method {
	case http.MethodPost, http.MethodGet, http.MethodHead:
	default:
		method = "_OTHER"
	}
	opts := [3]trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithNewRoot()}
	n := 2
	if theirs := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header)); trace.SpanContextFromContext(theirs).IsRemote() {
		opts[n] = trace.WithLinks(trace.LinkFromContext(theirs))
		n++
	}
	ctx, span := t.tracer.Start(r.Context(), method+" "+t.route, opts[:n]...)
	defer span.End()
	out := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	t.next.ServeHTTP(out, r.WithContext(ctx))
	if span.IsRecording() {
		span.SetAttributes(semconv.HTTPRequestMethodKey.String(method), semconv.HTTPRoute(t.route), semconv.HTTPResponseStatusCode(out.status),
			semconv.HTTPRequestBodySize(int(max(0, r.ContentLength))))
		if out.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}
	t.took.Record(ctx, time.Since(began).Seconds(), t.set(outcome{method, out.status}))
}

func (t *traced) set(o outcome) metric.MeasurementOption {
	if known, ok := t.sets.Load(o); ok {
		return known.(metric.MeasurementOption) //nolint:forcetypeassert // nothing else is stored
	}
	made, _ := t.sets.LoadOrStore(o, metric.WithAttributeSet(attribute.NewSet(semconv.HTTPRequestMethodKey.String(o.method), semconv.HTTPRoute(t.route),
		semconv.HTTPResponseStatusCode(o.status))))
	return made.(metric.MeasurementOption) //nolint:forcetypeassert // nothing else is stored
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *statusWriter) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController through.
func (a *statusWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
