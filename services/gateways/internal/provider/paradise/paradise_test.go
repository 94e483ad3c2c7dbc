package paradise_test

import (
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/paradise"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
)

func subject() providertest.Subject {
	return providertest.Subject{
		New:     func(d provider.Deps) (provider.Adapter, error) { return paradise.New(d) },
		Ref:     provider.Ref{ID: "771204", Reference: "BX1", Hash: "old-771204"},
		Status:  `{"id":771204,"external_id":"BX1","status":"%s","amount":1990,"amount_in_reais":"19.90"}`,
		Webhook: `{"transaction_id":771204,"external_id":"BX1","status":"%s","amount":1990,"payment_method":"pix"}`,
		Request: provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso",
			Customer:   provider.Customer{Name: "Ana Exemplo", Email: "ana@example.com", Document: "000.000.001-91", Phone: "(11) 90000-0000"},
			WebhookURL: "https://baixa.example.com/webhook/payment/paradise/k_1/s_1"},
		Created: `{"status":"success","transaction_id":771204,"id":"BX1","qr_code":"%s","amount":1990,"expires_at":"2026-11-24 09:00:00"}`,
	}
}

func TestAdapter_conformance(t *testing.T) { providertest.Run(t, subject()) }

func TestAdapter_golden(t *testing.T) { providertest.Golden(t, subject(), "testdata/cases.txt") }

func FuzzAdapter(f *testing.F) { providertest.Fuzz(f, subject()) }

func BenchmarkGetStatus(b *testing.B) { providertest.Bench(b, subject()) }
