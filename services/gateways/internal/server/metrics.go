package server

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// metrics count what somebody must look at.
type metrics struct{ words, shadows metric.Int64Counter }

func (m *metrics) init(p metric.MeterProvider) (err error) {
	if p == nil {
		p = otel.GetMeterProvider()
	}
	meter := p.Meter("github.com/baixapay/baixa/services/gateways/internal/server")
	if m.words, err = meter.Int64Counter("baixa.gateways.unknown_words",
		metric.WithDescription("Readings whose status word is not in the provider's vocabulary.")); err != nil {
		return err
	}
	m.shadows, err = meter.Int64Counter("baixa.gateways.shadow_differences",
		metric.WithDescription("Fields of live answers that an account's shadow read otherwise than the adapter that decides."))
	return err
}

// shadow counts one field that was read otherwise. Both labels are words of this system's own.
func (m *metrics) shadow(ctx context.Context, p provider.Name, version, field string) {
	m.shadows.Add(ctx, 1, metric.WithAttributes(attribute.String("provider", string(p)), attribute.String("version", version), attribute.String("field", field)))
}

// unknownWord tells that a provider used a word that its adapter does not know; the word itself was cleaned by the adapter.
func (s *Server) unknownWord(ctx context.Context, a *account.Account, word string) {
	s.told.words.Add(ctx, 1, metric.WithAttributes(attribute.String("provider", string(a.Provider))))
	s.c.Log.WarnContext(ctx, "provider used an unknown status word", slog.String("provider", string(a.Provider)),
		slog.String("account_id", a.Account.String()), slog.String("provider_status", text(word, 64)))
}
