// Package providertest is what every adapter must do, as tests: one conformance suite, golden cases read from a text
// file, and fuzz bodies. A new adapter passes all three before it is registered.
//
// It refuses to know any provider: what differs comes in a Subject.
package providertest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Canary is the value of every secret in the suite's accounts. It holds characters that URLs, JSON and HTML write
// differently, and must not be found in anything that an adapter gives back.
const Canary = "canary|7/f9+secret&0b4=d1"

// Code is a PIX code with a right checksum and invented contents.
const Code = "00020126330014br.gov.bcb.pix0111baixa-teste520400005303986540519.905802BR5909LOJA BOTS6009SAO PAULO62100506BAIXA16304"

// Subject is one adapter under test.
type Subject struct {
	// New builds it.
	New func(provider.Deps) (provider.Adapter, error)
	// Settings of the account.
	Settings map[string]string
	// Ref is a charge by every kind of identifier that the provider accepts.
	Ref provider.Ref
	// Status is a status answer in the provider's own shape about Ref, with %s where the raw word stands.
	Status string
	// Webhook is a body that names Ref, with %s where the raw word stands.
	Webhook string
	// Request is a charge that the provider would accept, Created the answer to it with %s for the PIX code.
	Request provider.ChargeRequest
	Created string
	// Pages are the answers to a listing, in order; needed where Capabilities.List.
	Pages []ListPage
	// Intercept answers calls other than the one under test, such as a token exchange; nil for none.
	Intercept func(w http.ResponseWriter, r *http.Request) bool
}

// bench is one adapter, its fake provider and everything that it wrote.
type bench struct {
	adapter provider.Adapter
	account provider.Account
	spans   *tracetest.SpanRecorder
	server  *httptest.Server
	seen    []provider.Exchange
}

// newBench serves handler as the provider. Connections are closed when the test ends.
func (s Subject) newBench(t testing.TB, handler http.HandlerFunc) *bench {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Intercept == nil || !s.Intercept(w, r) {
			handler(w, r)
		}
	}))
	t.Cleanup(server.Close)
	b := &bench{spans: tracetest.NewSpanRecorder(), server: server}
	transport := provider.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	client, err := provider.NewClient(provider.ClientConfig{
		Transport: transport, Timeout: 30 * time.Second,
		Tracer: trace.NewTracerProvider(trace.WithSpanProcessor(b.spans)),
		Now:    func() time.Time { return Now },
	})
	if err != nil {
		t.Fatalf("new client: %v", err)
	}
	if b.adapter, err = s.New(provider.Deps{Client: client}); err != nil {
		t.Fatalf("new adapter: %v", err)
	}
	b.account = s.account(b.adapter.Capabilities())
	b.account.BaseURL = server.URL + "/sub/path"
	return b
}

// Now is the suite's clock for Retry-After dates.
var Now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func (s Subject) account(c provider.Capabilities) provider.Account {
	account := provider.Account{ID: "acc_1", MerchantID: "mer_1", AccountKey: "k_1", Settings: map[string]string{},
		Credentials: provider.Credentials{}}
	for _, field := range c.Credentials {
		if field.Secret {
			account.Credentials[field.Name] = provider.NewSecret("  " + Canary + "\n")
		} else {
			account.Credentials[field.Name] = provider.NewSecret("plain-" + field.Name)
		}
	}
	for name, value := range s.Settings {
		account.Settings[name] = value
	}
	return account
}

// answer is a handler that gives the same answer to everything.
func answer(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// only is Subject.Ref with one kind of identifier.
func (s Subject) only(kind provider.IDKind) provider.Ref {
	return provider.Ref{}.With(kind, s.Ref.Get(kind))
}

func (s Subject) first(c provider.Capabilities) (provider.IDKind, provider.Ref) {
	kind := c.Identifiers[0].Kind
	return kind, s.only(kind)
}

func fillWord(template, word string) string { return strings.ReplaceAll(template, "%s", word) }

// ValidCode is Code with its checksum.
func ValidCode() string { return withChecksum(Code) }
