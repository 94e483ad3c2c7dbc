package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/baixapay/baixa/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const stored = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// setup makes a telemetry for one test and puts the process's own back afterwards.
func setup(t *testing.T, c telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER"} {
		if c.Version != "keep-env" {
			t.Setenv(name, "")
		}
	}
	log, tp, mp, prop := slog.Default(), otel.GetTracerProvider(), otel.GetMeterProvider(), otel.GetTextMapPropagator()
	tel, err := telemetry.Setup(t.Context(), c)
	if err != nil {
		t.Fatalf("Setup: %v", err)
	}
	t.Cleanup(func() {
		slog.SetDefault(log)
		otel.SetTracerProvider(tp)
		otel.SetMeterProvider(mp)
		otel.SetTextMapPropagator(prop)
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Errorf("second Shutdown: %v", err)
		}
	})
	return tel
}

func TestSetup_refusesWrongConfigs(t *testing.T) {
	for want, c := range map[string]telemetry.Config{
		"Service":     {},
		"LogFormat":   {Service: "x", LogFormat: "yaml"},
		"SampleRatio": {Service: "x", SampleRatio: 1.5},
	} {
		if _, err := telemetry.Setup(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Setup returned %v", want, err)
		}
	}
	t.Setenv("OTEL_TRACES_EXPORTER", "carrier-pigeon")
	if _, err := telemetry.Setup(t.Context(), telemetry.Config{Service: "x"}); err == nil {
		t.Error("an unknown exporter was accepted")
	}
}

func TestSetup_logsAndMetricsWithoutAnEndpoint(t *testing.T) {
	var out bytes.Buffer
	tel := setup(t, telemetry.Config{Service: "payments", Version: "v1", Stderr: &out})
	ctx, span := otel.Tracer("t").Start(t.Context(), "sale")
	defer span.End()
	if span.IsRecording() {
		t.Error("spans are recorded although nobody exports them")
	}
	slog.InfoContext(ctx, "hello")
	if id := span.SpanContext().TraceID().String(); !strings.Contains(out.String(), id) {
		t.Errorf("the record lacks the trace id %s: %s", id, out.String())
	}
	if telemetry.Carrier(ctx) == "" {
		t.Error("an unrecorded span has no traceparent to store")
	}
	counter, err := otel.Meter("t").Int64Counter("baixa.sales")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(ctx, 3)
	rec := httptest.NewRecorder()
	tel.Metrics.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{"baixa_sales_total 3", "go_goroutine_count", `service_name="payments"`} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("metrics lack %q:\n%s", want, rec.Body.String())
		}
	}
}

func TestSetup_sendsSpansToTheEndpoint(t *testing.T) {
	got := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- r.URL.Path + " " + string(body)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
	tel := setup(t, telemetry.Config{Service: "payments", Version: "keep-env", Stderr: io.Discard})
	_, span := otel.Tracer("t").Start(t.Context(), "sale key=bxk_0123456789CANARY")
	span.End()
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(got)
	var all []string
	for one := range got {
		all = append(all, one)
	}
	text := strings.Join(all, "\n")
	if !strings.Contains(text, "/v1/traces") || !strings.Contains(text, "sale key=bxk_[redacted]") || strings.Contains(text, "CANARY") {
		t.Errorf("the collector got %q, want the redacted span", text)
	}
	if !strings.Contains(text, "/v1/metrics") {
		t.Error("the collector got no metrics")
	}
}

func TestSetup_processorsSeeSpans(t *testing.T) {
	rec := tracetest.NewSpanRecorder()
	setup(t, telemetry.Config{Service: "x", Stderr: io.Discard, Processors: []sdktrace.SpanProcessor{rec}})
	_, span := otel.Tracer("t").Start(t.Context(), "sale")
	span.End()
	if len(rec.Ended()) != 1 {
		t.Errorf("the processor saw %d spans, want 1", len(rec.Ended()))
	}
	_, span = otel.Tracer("t").Start(telemetry.Untraced(t.Context()), "idle query")
	span.End()
	if len(rec.Ended()) != 1 {
		t.Errorf("the processor saw %d spans, want 1: an untraced one must not be recorded", len(rec.Ended()))
	}
}

func TestCarrier_roundTrip(t *testing.T) {
	ctx := telemetry.Resume(t.Context(), stored)
	if got := telemetry.Carrier(ctx); got != stored {
		t.Errorf("Carrier(Resume(x)) = %q, want %q", got, stored)
	}
	if sc := trace.SpanContextFromContext(ctx); !sc.IsRemote() {
		t.Error("a resumed context is not remote")
	}
	if got := telemetry.Carrier(t.Context()); got != "" {
		t.Errorf("Carrier without a span = %q, want nothing", got)
	}
	link, ok := telemetry.LinkFrom(stored)
	if !ok || link.SpanContext.TraceID().String() != stored[3:35] {
		t.Errorf("LinkFrom = %v, %t", link, ok)
	}
}

func TestResume_wrongTextChangesNothing(t *testing.T) {
	for _, text := range []string{"", "00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "zz-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		strings.Repeat("x", 10000)} {
		if ctx := telemetry.Resume(t.Context(), text); trace.SpanContextFromContext(ctx).IsValid() {
			t.Errorf("Resume(%.60q) gave a span context", text)
		}
		if _, ok := telemetry.LinkFrom(text); ok {
			t.Errorf("LinkFrom(%.60q) gave a link", text)
		}
	}
}
