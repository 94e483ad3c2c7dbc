package atomopay_test

import (
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/atomopay"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
)

func subject() providertest.Subject {
	return providertest.Subject{
		New:      func(d provider.Deps) (provider.Adapter, error) { return atomopay.New(d) },
		Settings: map[string]string{"offer_hash": "of7kq", "product_hash": "pr3zw"},
		Ref:      provider.Ref{Hash: "tx8h2kq", ID: "40718225"},
		Status:   `{"id":40718225,"hash":"tx8h2kq","payment_status":"%s","amount":1990,"payment_method":"pix"}`,
		Webhook:  `{"id":40718225,"hash":"tx8h2kq","payment_status":"%s","amount":1990,"payment_method":"pix"}`,
		Request: provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso",
			Customer:   provider.Customer{Name: "Ana Exemplo", Email: "ana@example.com"},
			WebhookURL: "https://baixa.example.com/webhook/payment/atomopay/k_1/s_1"},
		Created: `{"id":40718225,"hash":"tx8h2kq","payment_status":"waiting_payment","amount":1990,"pix":{"pix_qr_code":"%s","pix_base64":null}}`,
	}
}

func TestAdapter_conformance(t *testing.T) { providertest.Run(t, subject()) }

func TestAdapter_golden(t *testing.T) { providertest.Golden(t, subject(), "testdata/cases.txt") }

func FuzzAdapter(f *testing.F) { providertest.Fuzz(f, subject()) }

func BenchmarkGetStatus(b *testing.B) { providertest.Bench(b, subject()) }
