package declarative_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/declarative"
)

// sent is the JSON that a file's creation sends for a request.
func sent(t *testing.T, text string, settings map[string]string, request provider.ChargeRequest) any {
	t.Helper()
	var body any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decoder := json.NewDecoder(r.Body)
		decoder.UseNumber()
		if err := decoder.Decode(&body); err != nil {
			t.Errorf("body is not json: %v", err)
		}
		_, _ = io.WriteString(w, `{"id":"x1","status":"waiting"}`)
	}))
	defer server.Close()
	a, err := declarative.Load(deps(t), "f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	account := provider.Account{BaseURL: server.URL, Settings: settings, Credentials: provider.Credentials{}}
	for _, f := range a.Capabilities().Credentials {
		account.Credentials[f.Name] = provider.NewSecret("secret-value")
	}
	if _, err := a.CreateCharge(context.Background(), account, request); err != nil {
		t.Fatal(err)
	}
	return body
}

const everyPlaceholder = `    amount: $amount
    hook: $webhook_url
    price: 12.5
    flags: [true, null, 7, "8", {}]
    shop: $setting.shop
    all: {ref: $reference, title: $title, text: $description, ip: $client_ip, days: $expires_in_days, tracking: $tracking}
    buyer:
      name: $customer.name
      email: $customer.email
      phones: [$customer.phone, $customer.local_phone]
      papers: {kind: person, number: $customer.document, type: $customer.document_type, TYPE: $customer.document_TYPE}
  expires_in_days: {min: 2, max: 5}
settings:
  - {name: shop, pt: loja, en: shop}
`

func TestCreateCharge_fillsEveryPlaceholder(t *testing.T) {
	text := strings.Replace(plain, "    amount: $amount\n    hook: $webhook_url\n", everyPlaceholder, 1)
	text = strings.Replace(text, "unit: centavos", "unit: reais", 1)
	request := provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso", WebhookURL: "https://b.example/w", ClientIP: "192.0.2.1",
		Tracking: map[string]string{"utm_source": "a"}, ExpiresIn: 73 * 60 * 60 * 1e9,
		Customer: provider.Customer{Name: "Ana", Email: "ana@example.com", Phone: "+55 (11) 90000-0000", Document: "000.000.001-91"}}
	got := sent(t, text, map[string]string{"shop": "s9"}, request)
	var want any
	decoder := json.NewDecoder(strings.NewReader(`{"amount":19.90,"hook":"https://b.example/w","price":12.5,"flags":[true,null,7,"8",{}],"shop":"s9",
		"all":{"ref":"BX1","title":"Curso","text":"Curso","ip":"192.0.2.1","days":4,"tracking":{"utm_source":"a"}},
		"buyer":{"name":"Ana","email":"ana@example.com","phones":["5511900000000","11900000000"],
			"papers":{"kind":"person","number":"00000000191","type":"cpf","TYPE":"CPF"}}}`))
	decoder.UseNumber()
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// What the buyer did not tell is absent, with whatever held nothing else: nothing is invented.
func TestCreateCharge_leavesOutWhatIsNotTold(t *testing.T) {
	text := strings.Replace(plain, "    amount: $amount\n    hook: $webhook_url\n", everyPlaceholder, 1)
	got := sent(t, text, nil, provider.ChargeRequest{Reference: "BX1", Amount: 1990})
	var want any
	decoder := json.NewDecoder(strings.NewReader(`{"amount":1990,"price":12.5,"flags":[true,null,7,"8",{}],"all":{"ref":"BX1","title":"BX1","days":2}}`))
	decoder.UseNumber()
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// The two shipped files send the field names of their providers.
func TestShipped_bodies(t *testing.T) {
	for name, want := range map[string]string{
		"aguia": `{"amount":1990,"paymentMethod":"PIX","externalRef":"BX1","postbackUrl":"https://baixa.example.com/webhook/payment/aguia/k_1/s_1",
			"customer":{"name":"Ana Exemplo","email":"ana@example.com","phone":"5511900000000","document":{"number":"00000000191","type":"cpf"}},
			"items":[{"title":"Curso","unitPrice":1990,"quantity":1}]}`,
		"babylon": `{"amount":1990,"paymentMethod":"PIX","description":"Curso","postbackUrl":"https://baixa.example.com/webhook/payment/babylon/k_1/s_1",
			"customer":{"name":"Ana Exemplo","email":"ana@example.com","phone":"11900000000","document":{"number":"00000000191","type":"CPF"}},
			"items":[{"title":"Curso","unitPrice":1990,"quantity":1,"externalRef":"BX1"}],"pix":{"expiresInDays":1}}`,
	} {
		text, err := os.ReadFile("shipped/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var expected any
		decoder := json.NewDecoder(strings.NewReader(want))
		decoder.UseNumber()
		if err := decoder.Decode(&expected); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(expected, sent(t, string(text), nil, request(name))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
