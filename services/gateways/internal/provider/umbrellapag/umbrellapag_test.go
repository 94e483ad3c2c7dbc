package umbrellapag_test

import (
	"slices"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
	"github.com/baixapay/baixa/services/gateways/internal/provider/umbrellapag"
)

func subject() providertest.Subject {
	return providertest.Subject{
		New:     func(d provider.Deps) (provider.Adapter, error) { return umbrellapag.New(d) },
		Ref:     provider.Ref{ID: "aaaaaaaa-1111-4222-8333-444444444444"},
		Status:  `{"data":{"data":{"id":"aaaaaaaa-1111-4222-8333-444444444444","status":"%s","amount":1990}}}`,
		Webhook: `{"objectId":"aaaaaaaa-1111-4222-8333-444444444444","data":{"status":"%s","type":"transaction","refunds":[]}}`,
		Request: provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso",
			Customer:   provider.Customer{Name: "Ana Exemplo", Email: "ana@example.com", Phone: "5511900000000", Document: "00000000191"},
			WebhookURL: "https://baixa.example.com/webhook/payment/umbrellapag/k_1/s_1"},
		Created: `{"data":{"id":"aaaaaaaa","status":"WAITING_PAYMENT","amount":1990,"pix":{"qrCode":"%s"}}}`,
	}
}

func TestAdapter_conformance(t *testing.T) { providertest.Run(t, subject()) }

func TestAdapter_golden(t *testing.T) { providertest.Golden(t, subject(), "testdata/cases.txt") }

// Each word that means paid is declared unsafe, so that no single answer settles a sale.
func TestCapabilities_everyPaidWordIsUnsafe(t *testing.T) {
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := umbrellapag.New(provider.Deps{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	c := a.Capabilities()
	for _, w := range c.Words {
		if w.Status == provider.StatusPaid && !slices.Contains(c.Unsafe, w.Raw) {
			t.Errorf("%s means paid and is not unsafe", w.Raw)
		}
	}
	if c.Recheck <= 0 || c.Recheck < c.Poll.MinInterval {
		t.Errorf("recheck %s: want at least the interval %s between two looks", c.Recheck, c.Poll.MinInterval)
	}
}

func FuzzAdapter(f *testing.F) { providertest.Fuzz(f, subject()) }

func BenchmarkGetStatus(b *testing.B) { providertest.Bench(b, subject()) }
