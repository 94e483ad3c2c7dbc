package orionpay_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/orionpay"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
)

func subject() providertest.Subject {
	return providertest.Subject{
		New:     func(d provider.Deps) (provider.Adapter, error) { return orionpay.New(d) },
		Ref:     provider.Ref{ID: "2531", Hash: "019a93"},
		Status:  `{"success":true,"data":{"transactionId":2531,"id":"019a93","status":"%s","amount":19.90}}`,
		Webhook: `{"event":"payment.updated","data":{"purchaseId":"pur_1","transactionId":2531,"status":"%s","price":19.90}}`,
		Request: provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso",
			Customer:   provider.Customer{Name: "Ana Exemplo", Email: "ana@example.com"},
			WebhookURL: "https://baixa.example.com/webhook/payment/orionpay/k_1/s_1"},
		Created: `{"success":true,"data":{"transactionId":2531,"id":"019a93","pixCode":"%s","amount":19.90}}`,
	}
}

func TestAdapter_conformance(t *testing.T) { providertest.Run(t, subject()) }

func TestAdapter_golden(t *testing.T) { providertest.Golden(t, subject(), "testdata/cases.txt") }

// The secret is compared as it is, in whatever case the header's name comes.
func TestCheckWebhook_secretHeader(t *testing.T) {
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := orionpay.New(provider.Deps{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	rule := a.Capabilities().Webhook
	account := provider.Account{Credentials: provider.Credentials{provider.CredentialWebhookSecret: provider.NewSecret("whsec-1")}}
	for value, want := range map[string]error{"whsec-1": nil, "whsec-2": provider.ErrWebhookSecret, "": provider.ErrWebhookSecret} {
		h := http.Header{}
		h.Set("x-webhook-secret", value)
		if err := provider.CheckWebhook(rule, account, provider.Webhook{Headers: h}, nil); !errors.Is(err, want) {
			t.Errorf("header %q: got %v, want %v", value, err, want)
		}
	}
	if err := provider.CheckWebhook(rule, provider.Account{}, provider.Webhook{}, nil); err != nil {
		t.Errorf("no secret configured and none sent: %v", err)
	}
}

func FuzzAdapter(f *testing.F) { providertest.Fuzz(f, subject()) }

func BenchmarkGetStatus(b *testing.B) { providertest.Bench(b, subject()) }
