package server

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/baixapay/baixa/services/gateways/internal/account"
)

// metrics count what somebody must look at.
type metrics struct{ words metric.Int64Counter }

func (m *metrics) init(p metric.MeterProvider) (err error) {
	if p == nil {
		p = otel.GetMeterProvider()
	}
	m.words, err = p.Meter("github.com/baixapay/baixa/services/gateways/internal/server").Int64Counter("baixa.gateways.unknown_words",
		metric.WithDescription("Readings whose status word is not in the provider's vocabulary."))
	return err
}

// unknownWord tells that a provider used a word that its adapter does not know; the word itself was cleaned by the adapter.
func (s *Server) unknownWord(ctx context.Context, a *account.Account, word string) {
	s.told.words.Add(ctx, 1, metric.WithAttributes(attribute.String("provider", string(a.Provider))))
	s.c.Log.WarnContext(ctx, "provider used an unknown status word", slog.String("provider", string(a.Provider)),
		slog.String("account_id", a.Account.String()), slog.String("provider_status", text(word, 64)))
}
