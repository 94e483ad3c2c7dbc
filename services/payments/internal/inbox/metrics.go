package inbox

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scope = "github.com/baixapay/baixa/services/payments/internal/inbox"

type meters struct {
	hooks metric.Int64Counter
	batch metric.Int64Histogram
	by    map[string]metric.MeasurementOption
}

func newMeters(mp metric.MeterProvider) (*meters, error) {
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	mt := mp.Meter(scope)
	m := &meters{by: map[string]metric.MeasurementOption{}}
	for _, result := range []string{"stored", "duplicate", "refused", "not_stored"} {
		m.by[result] = metric.WithAttributeSet(attribute.NewSet(attribute.String("result", result)))
	}
	var err error
	if m.hooks, err = mt.Int64Counter("baixa.inbox.webhooks", metric.WithUnit("{webhook}"),
		metric.WithDescription("Webhooks by what became of them.")); err != nil {
		return nil, fmt.Errorf("inbox: create instruments: %w", err)
	}
	if m.batch, err = mt.Int64Histogram("baixa.inbox.batch", metric.WithUnit("{webhook}"),
		metric.WithExplicitBucketBoundaries(1, 2, 4, 8, 16, 32, 64, 128, 256),
		metric.WithDescription("Webhooks committed together.")); err != nil {
		return nil, fmt.Errorf("inbox: create instruments: %w", err)
	}
	return m, nil
}

func (m *meters) count(ctx context.Context, result string, n int) {
	if n > 0 {
		m.hooks.Add(ctx, int64(n), m.by[result])
	}
}
