package queue

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scope = "github.com/baixapay/baixa/internal/queue"

// meters are the instruments of one loop; every one carries the attribute queue.
type meters struct {
	claimed, worked, failed metric.Int64Counter
	lag, seconds, claim     metric.Float64Histogram
	busy                    metric.Int64UpDownCounter
	attrs                   metric.MeasurementOption
}

func newMeters(mp metric.MeterProvider, name string) (*meters, error) {
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	mt := mp.Meter(scope)
	m := &meters{attrs: metric.WithAttributeSet(attribute.NewSet(attribute.String("queue", name)))}
	var errs [7]error
	m.claimed, errs[0] = mt.Int64Counter("baixa.queue.claimed", metric.WithUnit("{row}"),
		metric.WithDescription("Rows claimed."))
	m.worked, errs[1] = mt.Int64Counter("baixa.queue.worked", metric.WithUnit("{row}"),
		metric.WithDescription("Rows of batches that were worked without an error."))
	m.failed, errs[2] = mt.Int64Counter("baixa.queue.failed", metric.WithUnit("{row}"),
		metric.WithDescription("Rows of batches whose work returned an error; their lease brings them back."))
	m.lag, errs[3] = mt.Float64Histogram("baixa.queue.lag", metric.WithUnit("s"), buckets,
		metric.WithDescription("From the moment a row was due to its claim."))
	m.seconds, errs[4] = mt.Float64Histogram("baixa.queue.work.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Work on one batch."))
	m.claim, errs[5] = mt.Float64Histogram("baixa.queue.claim.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("One claim, empty ones included."))
	m.busy, errs[6] = mt.Int64UpDownCounter("baixa.queue.busy", metric.WithUnit("{batch}"),
		metric.WithDescription("Batches in flight."))
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("queue %q: create instruments: %w", name, err)
		}
	}
	return m, nil
}

// buckets reach from a claim of a warm index (0.2 ms) to the longest back-off.
var buckets = metric.WithExplicitBucketBoundaries(
	.0002, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300)

func (m *meters) add(ctx context.Context, c metric.Int64Counter, n int) {
	c.Add(ctx, int64(n), m.attrs)
}

func (m *meters) since(ctx context.Context, h metric.Float64Histogram, start time.Time) {
	h.Record(ctx, time.Since(start).Seconds(), m.attrs)
}
