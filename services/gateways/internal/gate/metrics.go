package gate

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// metrics count calls by provider and what they came to, never by account: accounts are too many.
type metrics struct {
	calls, trips, pauses metric.Int64Counter
	// labels of calls by what they came to; there are as many as providers, operations and outcomes.
	labels sync.Map // of callLabels to metric.AddOption
}

type callLabels struct {
	provider provider.Name
	op       provider.Op
	outcome  provider.Kind
}

func (m *metrics) init(p metric.MeterProvider) error {
	meter := p.Meter("github.com/baixapay/baixa/services/gateways/internal/gate")
	var errs [3]error
	m.calls, errs[0] = meter.Int64Counter("baixa.gateways.provider_calls", metric.WithDescription("HTTP calls to providers, by what they came to."))
	m.trips, errs[1] = meter.Int64Counter("baixa.gateways.breaker_trips", metric.WithDescription("How often an account's breaker opened."))
	m.pauses, errs[2] = meter.Int64Counter("baixa.gateways.account_pauses", metric.WithDescription("How often a provider refused an account's credentials."))
	return errors.Join(errs[:]...)
}

func (m *metrics) call(ctx context.Context, p provider.Name, r Result, kind provider.Kind) {
	outcome := string(kind)
	if outcome == "" {
		outcome = "ok"
	}
	k := callLabels{p, r.Op, kind}
	labels, known := m.labels.Load(k)
	if !known {
		labels, _ = m.labels.LoadOrStore(k, metric.WithAttributeSet(attribute.NewSet(attribute.String("provider", string(p)),
			attribute.String("op", string(r.Op)), attribute.String("outcome", outcome))))
	}
	m.calls.Add(ctx, int64(r.Calls), labels.(metric.AddOption))
}

func (m *metrics) trip(ctx context.Context, p provider.Name) {
	m.trips.Add(ctx, 1, metric.WithAttributes(attribute.String("provider", string(p))))
}

func (m *metrics) pause(ctx context.Context, p provider.Name) {
	m.pauses.Add(ctx, 1, metric.WithAttributes(attribute.String("provider", string(p))))
}
