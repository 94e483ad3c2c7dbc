package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// thrower is an adapter that fails in the worst way: it throws what it was told.
type thrower struct{}

func (thrower) Name() provider.Name { return "thrower" }
func (thrower) Capabilities() provider.Capabilities {
	return provider.Capabilities{Name: "thrower", Identifiers: []provider.Identifier{{Kind: provider.ByID}}, Create: true, List: true, Unit: provider.Centavos,
		Credentials: []provider.Field{{Name: "token", Required: true, Secret: true}}}
}
func (thrower) GetStatus(_ context.Context, a provider.Account, _ provider.Ref) (provider.Reading, error) {
	panic("token " + a.Credentials.Get("token").Reveal())
}
func (thrower) ParseWebhook(w provider.Webhook) ([]provider.Hint, error) {
	panic(fmt.Errorf("body %s", w.Body))
}
func (thrower) CreateCharge(_ context.Context, a provider.Account, _ provider.ChargeRequest) (provider.Charge, error) {
	panic(a.Credentials.Get("token").Reveal())
}
func (thrower) VerifyAccount(_ context.Context, a provider.Account) (provider.AccountInfo, error) {
	panic([]string{a.Credentials.Get("token").Reveal()})
}
func (thrower) ListTransactions(_ context.Context, a provider.Account, _, _ time.Time, _ string) (provider.Page, error) {
	panic(struct{ Token string }{a.Credentials.Get("token").Reveal()})
}

// The secret of an account, through every provider and every way in which a call can go wrong, is in nothing that is written.
func TestSecrets_everyProviderAndFault(t *testing.T) {
	var logs log
	spans := tracetest.NewInMemoryExporter()
	reader := sdkmetric.NewManualReader()
	w := newWorld(t, func(s *tuning) {
		s.Log, s.client = logs.logger(), provider.ClientConfig{Tracer: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), MaxBody: 64 << 10}
		s.meter, s.adapters, s.callTimeout = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), []provider.Adapter{thrower{}}, 300*time.Millisecond
		s.hedge, s.Failures, s.Quiet = 100*time.Millisecond, 1000, time.Millisecond
	})
	secretOf := func(r *http.Request) string {
		body := make([]byte, 4<<10)
		n, _ := r.Body.Read(body)
		return r.URL.String() + " " + fmt.Sprint(r.Header) + " " + string(body[:n])
	}
	tls := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(rw, secretOf(r)) }))
	t.Cleanup(tls.Close)
	tls.Config.ErrorLog = nil
	faults := map[string]http.HandlerFunc{
		"html": func(rw http.ResponseWriter, r *http.Request) { says(502, "<html>"+secretOf(r)+"</html>")(rw, r) },
		"text": func(rw http.ResponseWriter, r *http.Request) { says(200, secretOf(r))(rw, r) },
		"truncated": func(rw http.ResponseWriter, r *http.Request) {
			says(200, fmt.Sprintf(`{"message":%q,"status":`, secretOf(r)))(rw, r)
		},
		"word": func(rw http.ResponseWriter, r *http.Request) {
			says(200, fmt.Sprintf(`{"id":"x1","hash":"x1","status":%q}`, secretOf(r)))(rw, r)
		},
		"token": says(200, fmt.Sprintf(`{"id":"x1","hash":"x1","status":%q,"payment_status":%q,"state":%q}`, canary, canary, canary)),
		"keys":  says(200, fmt.Sprintf(`{%q:{%q:[%q]},"data":{"id":%q,"status":"paid","amount":%q}}`, canary, canary, canary, canary, canary)),
		"huge": func(rw http.ResponseWriter, r *http.Request) {
			says(200, `{"a":"`+strings.Repeat(canary+" ", 8<<10)+`"}`)(rw, r)
		},
		"redirect": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "/again?token="+canary, http.StatusFound)
		},
		"elsewhere": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, tls.URL+"/?token="+canary, http.StatusFound)
		},
		"broken": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"length": func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Length", "9000")
			says(200, secretOf(r)[:1])(rw, r)
		},
		"hang": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"limited": func(rw http.ResponseWriter, r *http.Request) {
			says(429, fmt.Sprintf(`{"message":%q}`, secretOf(r)))(rw, r)
		},
		"refused": func(rw http.ResponseWriter, r *http.Request) {
			says(401, fmt.Sprintf(`{"message":%q}`, secretOf(r)))(rw, r)
		},
		"tls": nil, "away": nil,
	}
	var told strings.Builder
	say := func(m fmt.Stringer, err error) { _, _ = fmt.Fprintf(&told, "%v %v\n", m, err) }
	listed, err := w.gateways.ListProviders(t.Context(), &gatewaysv1.ListProvidersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, p := range listed.GetProviders() {
		if p.GetRefusedBecause() != "" {
			continue
		}
		for name, answer := range faults {
			w.on(answer)
			a := w.account(p.GetName(), func(r *gatewaysv1.PutAccountRequest) {
				r.Label, r.Credentials = name, map[string]string{}
				for _, f := range p.GetCredentials() {
					if f.GetRequired() {
						r.Credentials[f.GetName()] = canary
					}
				}
				if p.GetWebhookTrust() != "none" && p.GetWebhookTrust() != "" {
					r.WebhookSecret = canary
				}
				r.BaseUrl = map[string]string{"tls": tls.URL, "away": "http://127.0.0.1:1"}[name]
				if r.BaseUrl == "" {
					r.BaseUrl = w.url
				}
			})
			asked++
			resp, err := w.gateways.GetPaymentStatus(t.Context(), question(a, &gatewaysv1.ChargeRef{Hash: "x1", Id: "x1", Reference: "x1"}))
			say(resp, err)
			v, err := w.accounts.VerifyAccount(t.Context(), &gatewaysv1.VerifyAccountRequest{MerchantId: ana, AccountId: a.GetId()})
			say(v, err)
			if name != "hang" {
				c, err := w.gateways.CreateCharge(t.Context(), order(a, "ref"))
				say(c, err)
			}
			if p.GetCanList() {
				l, err := w.gateways.ListTransactions(t.Context(), list(a, ""))
				say(l, err)
			}
			h, err := w.gateways.ParseWebhook(t.Context(), hook(p.GetName(), a.GetAccountKey(), `{"token":"`+canary+`","event":"`+canary+`","status":"`+canary+`"}`))
			say(h, err)
		}
	}
	all, err := w.accounts.ListAccounts(t.Context(), &gatewaysv1.ListAccountsRequest{})
	say(all, err)
	var measured metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &measured); err != nil {
		t.Fatal(err)
	}
	var traced strings.Builder
	for _, s := range spans.GetSpans() {
		_, _ = fmt.Fprintf(&traced, "%s %v %v %v %v\n", s.Name, s.Attributes, s.Events, s.Status, s.SpanContext.TraceState())
	}
	metrics := fmt.Sprintf("%+v", measured)
	if asked < 150 || len(spans.GetSpans()) < 300 || strings.Count(logs.String(), "adapter panicked") < 5*len(faults)-1 || !strings.Contains(metrics, "provider_calls") {
		t.Fatalf("the test proves nothing: %d accounts, %d spans, %d panics", asked, len(spans.GetSpans()), strings.Count(logs.String(), "adapter panicked"))
	}
	for where, text := range map[string]string{"answers": told.String(), "logs": logs.String(), "spans": traced.String(), "metrics": metrics} {
		for _, secret := range slices.Compact([]string{canary, url.QueryEscape(canary)}) {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s hold %q: …%s…", where, secret, text[max(0, at-300):min(len(text), at+60)])
			}
		}
	}
}
