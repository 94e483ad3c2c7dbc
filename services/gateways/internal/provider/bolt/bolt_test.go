package bolt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/bolt"
	"github.com/baixapay/baixa/services/gateways/internal/provider/providertest"
)

func subject() providertest.Subject {
	return providertest.Subject{
		New:     func(d provider.Deps) (provider.Adapter, error) { return bolt.New(d) },
		Ref:     provider.Ref{ID: "5b5b5b5b-0000-4111-8222-333333333333"},
		Status:  `{"id":"5b5b5b5b-0000-4111-8222-333333333333","amount":1990,"status":"%s","pix":{"endToEndId":null}}`,
		Webhook: `{"id":"evt_1","objectId":"5b5b5b5b-0000-4111-8222-333333333333","data":{"status":"%s","amount":1990}}`,
		Request: provider.ChargeRequest{Reference: "BX1", Amount: 1990, Description: "Curso",
			Customer:   provider.Customer{Name: "Ana Exemplo", Email: "ana@example.com", Phone: "5511900000000", Document: "00000000191"},
			WebhookURL: "https://baixa.example.com/webhook/payment/bolt/k_1/s_1"},
		Created: `{"id":"5b5b5b5b","amount":1990,"status":"waiting_payment","pix":{"qrcodeText":"%s"}}`,
		Pages: []providertest.ListPage{
			{Body: list(1, 100, `,"pagination":{"page":1,"totalPages":3}`), Inside: 100},
			{Body: `{"data":[{"id":"old","amount":1,"status":"paid","createdAt":"2020-01-01T00:00:00Z"},{"id":"undated","amount":1,"status":"paid"}],"pagination":{"page":2,"totalPages":3}}`, Inside: 1},
			{Body: `{"data":[],"pagination":{"page":3,"totalPages":3}}`},
		},
	}
}

func list(from, n int, tail string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"id":"c%d","amount":1990,"status":"paid","createdAt":"2026-11-23T11:00:00Z"}`, from+i))
	}
	return `{"data":[` + strings.Join(all, ",") + `]` + tail + `}`
}

// Without a number of pages, a full page has a next one and a page that is not full is the last.
func TestAdapter_listWithoutPagination(t *testing.T) {
	s := subject()
	s.Pages = []providertest.ListPage{{Body: list(1, 100, ""), Inside: 100}, {Body: list(101, 3, ""), Inside: 3}}
	providertest.List(t, s)
}

func TestAdapter_conformance(t *testing.T) { providertest.Run(t, subject()) }

func TestAdapter_golden(t *testing.T) { providertest.Golden(t, subject(), "testdata/cases.txt") }

func FuzzAdapter(f *testing.F) { providertest.Fuzz(f, subject()) }

func BenchmarkGetStatus(b *testing.B) { providertest.Bench(b, subject()) }
