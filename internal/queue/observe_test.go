package queue_test

import (
	"context"
	"sort"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/queue"
)

const saleTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestLoop_metricsCountRowsAndSeconds(t *testing.T) {
	reader := metric.NewManualReader()
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(5)
		first := true
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 3, Workers: 1, Idle: time.Hour, Meter: meters,
			Due: func(int) time.Time { return time.Now().Add(-2 * time.Second) },
			Work: func(context.Context, []int) error {
				if first {
					first = false
					return errDown
				}
				time.Sleep(time.Second)
				return nil
			}})
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
	})
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, m := range rm.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			got[m.Name] = float64(d.DataPoints[0].Value)
		case metricdata.Histogram[float64]:
			got[m.Name] = d.DataPoints[0].Sum
			if q, _ := d.DataPoints[0].Attributes.Value("queue"); q.AsString() != "q" {
				t.Errorf("%s has the attribute queue=%q, want q", m.Name, q.AsString())
			}
		}
	}
	delete(got, "baixa.queue.claim.duration")
	want := map[string]float64{"baixa.queue.claimed": 5, "baixa.queue.worked": 2, "baixa.queue.failed": 3, "baixa.queue.busy": 0,
		"baixa.queue.lag": 10, "baixa.queue.work.duration": 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("metrics (-want +got):\n%s", d)
	}
}

func TestLoop_spanPerBatchLinksTheSales(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	tracer := traces.Tracer("owner")
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(2)
		stop := start(t, queue.Loop[int]{Name: "payments.polls", Batch: 2, Workers: 1, Idle: time.Second, Tracer: traces,
			Claim: func(ctx context.Context, limit int) ([]int, error) {
				_, span := tracer.Start(ctx, "query") // as otelpgx does
				defer span.End()
				return tb.claim(ctx, limit)
			},
			Work: func(ctx context.Context, _ []int) error {
				_, span := tracer.Start(ctx, "provider call")
				defer span.End()
				return nil
			},
			Trace: func(int) string { return saleTrace }})
		time.Sleep(5500 * time.Millisecond)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
	})
	var names []string
	for _, s := range spans.GetSpans() {
		names = append(names, s.Name)
		if s.Name == "payments.polls" {
			if len(s.Links) != 2 || s.Links[0].SpanContext.TraceID().String() != saleTrace[3:35] {
				t.Errorf("links of the batch: %v, want two to the sale's trace", s.Links)
			}
			if s.SpanKind != trace.SpanKindConsumer || s.Parent.IsValid() {
				t.Errorf("the batch's span has kind %v and parent %v, want a consumer without parent", s.SpanKind, s.Parent.IsValid())
			}
		}
	}
	sort.Strings(names)
	if d := cmp.Diff([]string{"payments.polls", "provider call"}, names); d != "" {
		t.Errorf("spans of one batch and six idle claims (-want +got):\n%s", d)
	}
}

func TestWaker_nilDoesNothing(t *testing.T) {
	var w *queue.Waker
	w.Wake()
	if w.C() != nil {
		t.Error("a nil Waker has a channel")
	}
}

// BenchmarkLoop_wakeToClaim measures the time from Wake to the beginning of Claim.
func BenchmarkLoop_wakeToClaim(b *testing.B) {
	w, seen := queue.NewWaker(), make(chan time.Time)
	ctx, cancel := context.WithCancel(b.Context())
	l := queue.Loop[int]{Name: "q", Batch: 1, Workers: 1, Idle: time.Hour, Wake: w.C(), Log: quiet(), Work: noWork,
		Claim: func(context.Context, int) ([]int, error) { seen <- time.Now(); return nil, nil }}
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	<-seen
	all := make([]time.Duration, 0, b.N)
	for b.Loop() {
		start := time.Now()
		w.Wake()
		all = append(all, (<-seen).Sub(start))
	}
	cancel()
	select {
	case <-seen: // a last claim may be on its way
	case <-time.After(10 * time.Millisecond):
	}
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us")
}
