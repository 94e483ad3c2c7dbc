package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestTraced(t *testing.T) {
	spans, reader := tracetest.NewSpanRecorder(), metric.NewManualReader()
	tracers, meters := otel.GetTracerProvider(), otel.GetMeterProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	t.Cleanup(func() { otel.SetTracerProvider(tracers); otel.SetMeterProvider(meters) })

	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	var under []trace.SpanContext
	h, err := newTraced("/webhook/payment/{provider}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		under = append(under, trace.SpanContextFromContext(r.Context()))
		if r.URL.Path == "/webhook/payment/gone" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path, parent string }{
		{"POST", "/webhook/payment/bolt/k/secret", "00-" + theirs + "-00f067aa0ba902b7-01"},
		{"POST", "/webhook/payment/bolt", ""},
		{"BREW", "/webhook/payment/gone", "nonsense"},
	} {
		r := httptest.NewRequest(c.method, c.path, http.NoBody)
		if c.parent != "" {
			r.Header.Set("traceparent", c.parent)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}

	type told struct {
		Name   string
		Kind   trace.SpanKind
		Status int64
		Code   codes.Code
		Links  []string
	}
	var got []told
	for i, s := range spans.Ended() {
		if s.SpanContext().TraceID() != under[i].TraceID() || s.SpanContext().TraceID().String() == theirs || s.Parent().IsValid() {
			t.Errorf("%s: the work is in trace %s, the span in %s under %v", s.Name(), under[i].TraceID(), s.SpanContext().TraceID(), s.Parent())
		}
		one := told{Name: s.Name(), Kind: s.SpanKind(), Code: s.Status().Code}
		for _, l := range s.Links() {
			one.Links = append(one.Links, l.SpanContext.TraceID().String())
		}
		for _, a := range s.Attributes() {
			if a.Key == "http.response.status_code" {
				one.Status = a.Value.AsInt64()
			}
		}
		got = append(got, one)
	}
	const name = " /webhook/payment/{provider}"
	if d := cmp.Diff([]told{{"POST" + name, trace.SpanKindServer, 200, codes.Unset, []string{theirs}}, {"POST" + name, trace.SpanKindServer, 200, codes.Unset, nil},
		{"_OTHER" + name, trace.SpanKindServer, 503, codes.Error, nil}}, got); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}

	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			points, ok := m.Data.(metricdata.Histogram[float64])
			if m.Name != "http.server.request.duration" || !ok {
				continue // the database's
			}
			for _, p := range points.DataPoints {
				counts[p.Attributes.Encoded(attribute.DefaultEncoder())] = p.Count
			}
		}
	}
	if d := cmp.Diff(map[string]uint64{"http.request.method=POST,http.response.status_code=200,http.route=/webhook/payment/{provider}": 2,
		"http.request.method=_OTHER,http.response.status_code=503,http.route=/webhook/payment/{provider}": 1}, counts); d != "" {
		t.Errorf("durations (-want +got):\n%s", d)
	}
}
