package syncpay_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
	"github.com/baixapay/baixa/services/gateways/internal/provider/syncpay"
)

func subject() providertest.Subject {
	return providertest.Subject{
		New:     func(d provider.Deps) (provider.Adapter, error) { return syncpay.New(d) },
		Ref:     provider.Ref{ID: "ffff0000-1111-4222-8333-444455556666"},
		Status:  `{"data":{"reference_id":"ffff0000-1111-4222-8333-444455556666","amount":19.9,"status":"%s"}}`,
		Webhook: `{"data":{"id":"ffff0000-1111-4222-8333-444455556666","status":"%s","amount":19.9}}`,
		Request: provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso",
			Customer:   provider.Customer{Name: "Ana Exemplo", Email: "ana@example.com", Phone: "5511900000000", Document: "00000000191"},
			WebhookURL: "https://baixa.example.com/webhook/payment/syncpay/k_1/s_1"},
		Created: `{"message":"submitted","pix_code":"%s","identifier":"ffff0000"}`,
		// The token is the canary, so that the suite looks for it everywhere too.
		Intercept: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/auth-token") {
				return false
			}
			_, _ = io.WriteString(w, `{"access_token":"`+providertest.Canary+`","token_type":"Bearer","expires_in":3600}`)
			return true
		},
	}
}

func TestAdapter_conformance(t *testing.T) { providertest.Run(t, subject()) }

func TestAdapter_golden(t *testing.T) { providertest.Golden(t, subject(), "testdata/cases.txt") }

func FuzzAdapter(f *testing.F) { providertest.Fuzz(f, subject()) }

func BenchmarkGetStatus(b *testing.B) { providertest.Bench(b, subject()) }
