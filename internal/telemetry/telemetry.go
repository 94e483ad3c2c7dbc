// Package telemetry sets up what a process tells about itself: structured logs on stderr, traces over OTLP when an endpoint
// is configured, metrics for Prometheus. Other packages need only slog and otel's global providers; this one adds what a
// context carries to each record and redacts what must never leave.
//
// What it refuses to do: it sends nothing anywhere unless the standard OTEL_ variables say where; it keeps no history; and
// redaction is the last defence, not a licence: whoever holds a secret does not log it.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	promexport "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Config says who the process is and how it logs. Service must be set.
type Config struct {
	// Service and Version become service.name and service.version of every span and metric.
	Service, Version string
	// LogFormat is "json", "text" (coloured on a terminal), or "auto", which is text on a terminal and JSON elsewhere.
	// Empty means auto.
	LogFormat string
	// LogLevel is the least level written. The zero value is slog.LevelInfo.
	LogLevel slog.Level
	// SampleRatio is the share of traces recorded, in (0, 1]; zero means all. A parent's decision is followed.
	SampleRatio float64
	// Processors receive all recorded spans beside the OTLP exporter. What they see is not redacted.
	Processors []trace.SpanProcessor
	// Stderr receives the logs. Nil means os.Stderr.
	Stderr io.Writer
}

// Telemetry is a process's set-up. Its providers and logger are also the global ones.
type Telemetry struct {
	Log *slog.Logger
	// Metrics serves the Prometheus text format.
	Metrics http.Handler
	Traces  *trace.TracerProvider
	Meters  *metric.MeterProvider

	once sync.Once
	err  error
}

// Setup makes logs, traces and metrics ready and installs them as the process's defaults (slog, otel providers, W3C
// propagators). It is called once by main; all services of one process share the result. Traces and metrics are exported
// when OTEL_EXPORTER_OTLP_ENDPOINT (or the variable of one signal) is set, with the protocol and headers that the
// OpenTelemetry specification defines for it; a wrong value is an error.
func Setup(ctx context.Context, c Config) (*Telemetry, error) {
	if c.Service == "" {
		return nil, errors.New("telemetry: Service is empty")
	}
	if c.SampleRatio < 0 || c.SampleRatio > 1 {
		return nil, fmt.Errorf("telemetry: SampleRatio is %v, want within (0, 1]", c.SampleRatio)
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	h, err := handler(c)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	t := &Telemetry{Log: slog.New(h)}
	res, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", c.Service), attribute.String("service.version", c.Version)))
	if err != nil {
		return nil, fmt.Errorf("telemetry: describe the process: %w", err)
	}
	if t.Traces, err = tracerProvider(ctx, c, res); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	if t.Meters, t.Metrics, err = meterProvider(ctx, res); err != nil {
		return nil, errors.Join(fmt.Errorf("telemetry: %w", err), t.Traces.Shutdown(ctx))
	}
	slog.SetDefault(t.Log)
	otel.SetTracerProvider(t.Traces)
	otel.SetMeterProvider(t.Meters)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		t.Log.Warn("telemetry lost", slog.Any("error", err))
	}))
	return t, nil
}

// Shutdown sends what is still held and stops exporting, within ctx. Calling it again returns the first result.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	t.once.Do(func() {
		if err := errors.Join(t.Traces.Shutdown(ctx), t.Meters.Shutdown(ctx)); err != nil {
			t.err = fmt.Errorf("shut telemetry down: %w", err)
		}
	})
	return t.err
}

// wanted reports whether the environment asks for the signal ("TRACES", "METRICS") to be exported.
func wanted(signal string) bool {
	for _, name := range []string{"OTEL_" + signal + "_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

func tracerProvider(ctx context.Context, c Config, res *resource.Resource) (*trace.TracerProvider, error) {
	opts := []trace.TracerProviderOption{trace.WithResource(res)}
	recorded := len(c.Processors) > 0
	for _, p := range c.Processors {
		opts = append(opts, trace.WithSpanProcessor(p))
	}
	if wanted("TRACES") {
		exporter, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("export traces: %w", err)
		}
		if !autoexport.IsNoneSpanExporter(exporter) {
			recorded = true
			opts = append(opts, trace.WithBatcher(redactingExporter{exporter}))
		}
	}
	// With nobody to see them spans are not recorded; they still have ids, which logs and stored sales carry.
	sampler := trace.NeverSample()
	if recorded {
		ratio := c.SampleRatio
		if ratio == 0 {
			ratio = 1
		}
		sampler = trace.ParentBased(trace.TraceIDRatioBased(ratio))
	}
	return trace.NewTracerProvider(append(opts, trace.WithSampler(sampler))...), nil
}

func meterProvider(ctx context.Context, res *resource.Resource) (*metric.MeterProvider, http.Handler, error) {
	registry := prometheus.NewRegistry()
	prom, err := promexport.New(promexport.WithRegisterer(registry), promexport.WithoutScopeInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("export metrics: %w", err)
	}
	opts := []metric.Option{metric.WithResource(res), metric.WithReader(prom)}
	if wanted("METRICS") {
		reader, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("export metrics: %w", err)
		}
		opts = append(opts, metric.WithReader(reader))
	}
	mp := metric.NewMeterProvider(opts...)
	if err := runtime.Start(runtime.WithMeterProvider(mp), runtime.WithMinimumReadMemStatsInterval(15*time.Second)); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("measure the runtime: %w", err), mp.Shutdown(ctx))
	}
	return mp, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}
