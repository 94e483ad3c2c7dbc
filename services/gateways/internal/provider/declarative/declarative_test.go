package declarative_test

import (
	"os"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/declarative"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
)

func load(name string) func(provider.Deps) (provider.Adapter, error) {
	return func(deps provider.Deps) (provider.Adapter, error) {
		text, err := os.ReadFile("shipped/" + name + ".yaml")
		if err != nil {
			return nil, err
		}
		a, err := declarative.Load(deps, name+".yaml", text)
		if err != nil {
			return nil, err
		}
		return a, nil
	}
}

func request(name string) provider.ChargeRequest {
	return provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso",
		Customer:   provider.Customer{Name: "Ana Exemplo", Email: "ana@example.com", Phone: "5511900000000", Document: "000.000.001-91"},
		WebhookURL: "https://baixa.example.com/webhook/payment/" + name + "/k_1/s_1"}
}

func aguia() providertest.Subject {
	return providertest.Subject{
		New:     load("aguia"),
		Ref:     provider.Ref{ID: "7c1d9a52-0b1e-4a7e-9f0b-1a2b3c4d5e6f"},
		Status:  `{"id":"7c1d9a52-0b1e-4a7e-9f0b-1a2b3c4d5e6f","status":"%s","amount":1990,"externalRef":"BX1"}`,
		Webhook: `{"data":{"transactionId":"7c1d9a52-0b1e-4a7e-9f0b-1a2b3c4d5e6f","providerReference":"BX1","status":"%s","amount":1990}}`,
		Request: request("aguia"),
		Created: `{"data":{"id":"7c1d9a52","status":"PENDING","amount":1990,"pix":{"qrcode":"%s"}}}`,
	}
}

func babylon() providertest.Subject {
	return providertest.Subject{
		New:     load("babylon"),
		Ref:     provider.Ref{ID: "0d1e2f30-aaaa-4bbb-8ccc-0123456789ab"},
		Status:  `{"id":"0d1e2f30-aaaa-4bbb-8ccc-0123456789ab","amount":1990,"status":"%s","pix":{"end2EndId":null}}`,
		Webhook: `{"id":"F92X","type":"transaction","objectId":"0d1e2f30-aaaa-4bbb-8ccc-0123456789ab","data":{"status":"%s","amount":1990}}`,
		Request: request("babylon"),
		Created: `{"id":"0d1e2f30","amount":1990,"status":"waiting_payment","pix":{"qrcode":"%s"}}`,
	}
}

func TestAguia_conformance(t *testing.T)   { providertest.Run(t, aguia()) }
func TestAguia_golden(t *testing.T)        { providertest.Golden(t, aguia(), "testdata/aguia.txt") }
func FuzzAguia(f *testing.F)               { providertest.Fuzz(f, aguia()) }
func TestBabylon_conformance(t *testing.T) { providertest.Run(t, babylon()) }
func TestBabylon_golden(t *testing.T)      { providertest.Golden(t, babylon(), "testdata/babylon.txt") }
func FuzzBabylon(f *testing.F)             { providertest.Fuzz(f, babylon()) }
func BenchmarkGetStatus(b *testing.B)      { providertest.Bench(b, babylon()) }
