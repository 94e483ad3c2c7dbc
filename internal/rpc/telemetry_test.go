package rpc_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/internal/rpc"
)

// seen is what the spans and metrics of two calls say, in a form that does not depend on ids and times.
type seen struct {
	Names, Kinds, Statuses []string
	OneTrace               bool
	ServerUnderClient      bool
	Recorded               map[string]uint64
}

func TestWire_telemetryIsTheSame(t *testing.T) {
	want := seen{
		Names:             []string{"grpc.testing.TestService/UnaryCall", "grpc.testing.TestService/UnaryCall", "sale"},
		Kinds:             []string{"server", "client", "internal"},
		Statuses:          []string{"Error", "Error", "Unset"},
		OneTrace:          true,
		ServerUnderClient: true,
		Recorded:          map[string]uint64{"rpc.client.call.duration": 1, "rpc.server.call.duration": 1},
	}
	overWires(t, func(t *testing.T, w wire) {
		spans, reader := tracetest.NewInMemoryExporter(), metric.NewManualReader()
		oldT, oldM, oldP := otel.GetTracerProvider(), otel.GetMeterProvider(), otel.GetTextMapPropagator()
		otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
		otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
		otel.SetTextMapPropagator(propagation.TraceContext{})
		defer func() {
			otel.SetTracerProvider(oldT)
			otel.SetMeterProvider(oldM)
			otel.SetTextMapPropagator(oldP)
		}()
		j := w.join(t, rpc.ServerConfig{Register: (&fake{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			if !trace.SpanContextFromContext(ctx).IsValid() {
				t.Error("the handler runs outside of any span")
			}
			return nil, status.Error(codes.Unavailable, "not now")
		}}).register}, rpc.ClientConfig{})
		ctx, span := otel.Tracer("test").Start(within(t), "sale")
		if _, err := j.client().UnaryCall(ctx, &testpb.SimpleRequest{}); status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
		span.End()
		_ = j.conn.Close()
		if err := j.stop(); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, sum(t, spans.GetSpans(), reader)); d != "" {
			t.Errorf("telemetry (-want +got):\n%s", d)
		}
	})
}

func sum(t *testing.T, spans tracetest.SpanStubs, reader *metric.ManualReader) seen {
	t.Helper()
	s := seen{OneTrace: true, Recorded: map[string]uint64{}}
	byKind := map[trace.SpanKind]tracetest.SpanStub{}
	for _, one := range spans {
		s.OneTrace = s.OneTrace && one.SpanContext.TraceID() == spans[0].SpanContext.TraceID()
		byKind[one.SpanKind] = one
	}
	// The server's span may end after the client's: the order is ours.
	for _, kind := range []trace.SpanKind{trace.SpanKindServer, trace.SpanKindClient, trace.SpanKindInternal} {
		if one, ok := byKind[kind]; ok {
			s.Names = append(s.Names, one.Name)
			s.Kinds = append(s.Kinds, one.SpanKind.String())
			s.Statuses = append(s.Statuses, one.Status.Code.String())
		}
	}
	s.ServerUnderClient = byKind[trace.SpanKindServer].Parent.SpanID() == byKind[trace.SpanKindClient].SpanContext.SpanID()
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
				for _, p := range h.DataPoints {
					s.Recorded[m.Name] += p.Count
				}
			}
		}
	}
	return s
}
