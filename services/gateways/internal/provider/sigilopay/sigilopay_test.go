package sigilopay_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
	"github.com/baixapay/baixa/services/gateways/internal/provider/sigilopay"
)

func subject() providertest.Subject {
	return providertest.Subject{
		New:     func(d provider.Deps) (provider.Adapter, error) { return sigilopay.New(d) },
		Ref:     provider.Ref{ID: "cm1abc"},
		Status:  `{"id":"cm1abc","identifier":"BX1","status":"%s","amount":1990}`,
		Webhook: `{"event":"TRANSACTION_UPDATED","token":"tok-1","transaction":{"id":"cm1abc","identifier":"BX1","status":"%s","amount":1990}}`,
		Request: provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso",
			Customer:   provider.Customer{Name: "Ana Exemplo", Email: "ana@example.com", Phone: "5511900000000", Document: "00000000191"},
			WebhookURL: "https://baixa.example.com/webhook/payment/sigilopay/k_1/s_1"},
		Created: `{"transactionId":"cm1abc","status":"OK","pix":{"code":"%s"}}`,
	}
}

func TestAdapter_conformance(t *testing.T) { providertest.Run(t, subject()) }

func TestAdapter_golden(t *testing.T) { providertest.Golden(t, subject(), "testdata/cases.txt") }

func FuzzAdapter(f *testing.F) { providertest.Fuzz(f, subject()) }

func BenchmarkGetStatus(b *testing.B) { providertest.Bench(b, subject()) }

// The account says the unit, in what is sent and in what is read; a code that asks for another amount shows a wrong one.
func TestAdapter_unitIsTheAccounts(t *testing.T) {
	var sent struct {
		Amount json.Number `json:"amount"`
	}
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &sent)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := sigilopay.New(provider.Deps{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	account := provider.Account{BaseURL: server.URL, Credentials: provider.Credentials{
		"public_key": provider.NewSecret("pk-1"), "secret_key": provider.NewSecret("sk-1")}}
	for unit, want := range map[string]struct {
		sent json.Number
		read int64
	}{"": {"1990", 20}, "centavos": {"1990", 20}, "reais": {"19.90", 2000}} {
		account.Settings = map[string]string{"amount_unit": unit}
		answer = `{"transactionId":"cm1abc","pix":{"code":"` + providertest.ValidCode() + `"}}`
		if _, err := a.CreateCharge(context.Background(), account, subject().Request); err != nil || sent.Amount != want.sent {
			t.Errorf("unit %q: sent %s, %v; want %s", unit, sent.Amount, err, want.sent)
		}
		answer = `{"id":"cm1abc","status":"PAID","amount":20}`
		reading, err := a.GetStatus(context.Background(), account, provider.Ref{ID: "cm1abc"})
		if err != nil || reading.Amount == nil || int64(*reading.Amount) != want.read {
			t.Errorf("unit %q: read %v, %v; want %d centavos", unit, reading.Amount, err, want.read)
		}
	}
	account.Settings = map[string]string{"amount_unit": "dolares"}
	if _, err := a.GetStatus(context.Background(), account, provider.Ref{ID: "cm1abc"}); provider.KindOf(err) != provider.KindInvalidRequest {
		t.Errorf("unit dolares: got %v, want invalid_request", err)
	}
}

func TestCheckWebhook_bodyToken(t *testing.T) {
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := sigilopay.New(provider.Deps{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	account := provider.Account{Credentials: provider.Credentials{provider.CredentialWebhookSecret: provider.NewSecret("tok-1")}}
	for body, want := range map[string]error{
		`{"event":"TRANSACTION_PAID","token":"tok-1","transaction":{"id":"x"}}`: nil,
		`{"event":"TRANSACTION_PAID","token":"tok-2","transaction":{"id":"x"}}`: provider.ErrWebhookSecret,
		`{"event":"TRANSACTION_PAID","transaction":{"id":"x"}}`:                 provider.ErrWebhookSecret,
	} {
		hints, err := a.ParseWebhook(provider.Webhook{Body: []byte(body)})
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if err := provider.CheckWebhook(a.Capabilities().Webhook, account, provider.Webhook{}, hints); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", body, err, want)
		}
	}
}
