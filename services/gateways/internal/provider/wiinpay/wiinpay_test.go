package wiinpay_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
	"github.com/baixapay/baixa/services/gateways/internal/provider/wiinpay"
)

func subject() providertest.Subject {
	return providertest.Subject{
		New:     func(d provider.Deps) (provider.Adapter, error) { return wiinpay.New(d) },
		Ref:     provider.Ref{ID: "11112222-aaaa-4bbb-8ccc-ddddeeee0000"},
		Status:  `[{"id":"11112222-aaaa-4bbb-8ccc-ddddeeee0000","status":"%s","value":19.9}]`,
		Webhook: `{"id":"11112222-aaaa-4bbb-8ccc-ddddeeee0000","status":"%s","value":19.9,"metadata":{"payment_id":"BX1"}}`,
		Request: provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso",
			Customer:   provider.Customer{Name: "Ana Exemplo", Email: "ana@example.com"},
			WebhookURL: "https://baixa.example.com/webhook/payment/wiinpay/k_1/s_1"},
		Created: `{"paymentId":"11112222","qr_code":"%s","status":"pending","value":19.9}`,
	}
}

func TestAdapter_conformance(t *testing.T) { providertest.Run(t, subject()) }

func TestAdapter_golden(t *testing.T) { providertest.Golden(t, subject(), "testdata/cases.txt") }

func FuzzAdapter(f *testing.F) { providertest.Fuzz(f, subject()) }

func BenchmarkGetStatus(b *testing.B) { providertest.Bench(b, subject()) }

// A split to the key's own user, to two receivers or of ten centavos is refused without a call; a good one is sent in reais.
func TestCreateCharge_splits(t *testing.T) {
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = append(sent, string(body))
		_, _ = io.WriteString(w, strings.ReplaceAll(subject().Created, "%s", providertest.ValidCode()))
	}))
	defer server.Close()
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := wiinpay.New(provider.Deps{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	key := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"userId":"user-me"}`)) + ".sig"
	account := provider.Account{BaseURL: server.URL, Credentials: provider.Credentials{"api_key": provider.NewSecret(key)}}
	for name, splits := range map[string][]provider.Split{
		"to itself":  {{AccountID: "user-me", Amount: 100}},
		"two":        {{AccountID: "user-a", Amount: 100}, {AccountID: "user-b", Amount: 100}},
		"ten cents":  {{AccountID: "user-a", Amount: 10}},
		"everything": {{AccountID: "user-a", Amount: 2000}},
	} {
		request := subject().Request
		request.Splits = splits
		if _, err := a.CreateCharge(context.Background(), account, request); provider.KindOf(err) != provider.KindInvalidRequest {
			t.Errorf("%s: got %v, want invalid_request", name, err)
		}
	}
	if len(sent) != 0 {
		t.Fatalf("%d calls for splits that would be refused", len(sent))
	}
	request := subject().Request
	request.Splits = []provider.Split{{AccountID: "user-a", Amount: 150}}
	if _, err := a.CreateCharge(context.Background(), account, request); err != nil || len(sent) != 1 {
		t.Fatalf("good split: %v, %d calls", err, len(sent))
	}
	for _, want := range []string{`"split":{"value":1.50,"user_id":"user-a"}`, `"value":19.90`, `"api_key":"` + key + `"`, `"metadata":{"payment_id":"BX1"}`} {
		if !strings.Contains(sent[0], want) {
			t.Errorf("sent without %s", want)
		}
	}
}
