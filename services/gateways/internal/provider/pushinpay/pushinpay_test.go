package pushinpay_test

import (
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
	"github.com/baixapay/baixa/services/gateways/internal/provider/pushinpay"
)

func subject() providertest.Subject {
	return providertest.Subject{
		New:     func(d provider.Deps) (provider.Adapter, error) { return pushinpay.New(d) },
		Ref:     provider.Ref{ID: "9C29870C-9F69-4BB6-90D3-2DCE9453BB45"},
		Status:  `{"id":"9c29870c-9f69-4bb6-90d3-2dce9453bb45","qr_code":"x","status":"%s","value":1990,"end_to_end_id":null,"payer_name":null}`,
		Webhook: `{"id":"9C29870C-9F69-4BB6-90D3-2DCE9453BB45","status":"%s","value":1990}`,
		Request: provider.ChargeRequest{Reference: "BX1", Amount: 1990,
			WebhookURL: "https://baixa.example.com/webhook/payment/pushinpay/k_1/s_1"},
		Created: `{"id":"9C29870C-9F69-4BB6-90D3-2DCE9453BB45","qr_code":"%s","status":"created","value":1990,"webhook":null,"split_rules":[]}`,
	}
}

func TestAdapter_conformance(t *testing.T) { providertest.Run(t, subject()) }

func TestAdapter_golden(t *testing.T) { providertest.Golden(t, subject(), "testdata/cases.txt") }

func FuzzAdapter(f *testing.F) { providertest.Fuzz(f, subject()) }

func BenchmarkGetStatus(b *testing.B) { providertest.Bench(b, subject()) }
