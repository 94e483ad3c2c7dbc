package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/rpc"
)

func newMessage(t *testing.T, name protoreflect.FullName) proto.Message {
	t.Helper()
	m, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return m.New().Interface()
}

// unsigned is a connection to the server of memory whose calls carry no principal.
func unsigned(t *testing.T, memory *rpc.Memory) *grpc.ClientConn {
	t.Helper()
	conn, err := rpc.Dial(rpc.ClientConfig{Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// The canary stands in URL, header and body of what providers see and echo; nothing that leaves the service may hold it.
func TestSecrets_reachNoLogErrorOrSpan(t *testing.T) {
	var logs log
	spans := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	w := newWorld(t, func(s *tuning) {
		s.Log, s.client.Tracer, s.Quiet = logs.logger(), traces, time.Millisecond
		s.Failures = 3
	})
	echo := func(code int) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			token := r.URL.Query().Get("api_token") + r.Header.Get("X-Api-Key") + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			if token == "" {
				t.Error("the provider did not get the token")
			}
			says(code, fmt.Sprintf(`{"message":"key %s of cpf 000.000.001-91 at %s","debug":%q,"token":%q}`, token, url.QueryEscape(token), r.URL.String(), token))(rw, r)
		}
	}
	var told strings.Builder
	say := func(m fmt.Stringer, err error) { _, _ = fmt.Fprintf(&told, "%v %v\n", m, err) }
	for _, name := range []string{"atomopay", "paradise", "pushinpay"} {
		for _, code := range []int{200, 400, 401, 403, 404, 418, 422, 429, 500} {
			a := w.account(name, func(r *gatewaysv1.PutAccountRequest) { r.Label = fmt.Sprint(code) })
			w.on(echo(code))
			for range 4 {
				resp, err := w.gateways.GetPaymentStatus(t.Context(), question(a, &gatewaysv1.ChargeRef{Hash: "h1", Id: fmt.Sprint(code)}))
				say(resp, err)
			}
			c, err := w.gateways.CreateCharge(t.Context(), order(a, "ref"))
			say(c, err)
			v, err := w.accounts.VerifyAccount(t.Context(), &gatewaysv1.VerifyAccountRequest{MerchantId: ana, AccountId: a.GetId()})
			say(v, err)
		}
		p, err := w.gateways.ParseWebhook(t.Context(), hook(name, "", `{"token":"`+canary+`","status":"`+canary+`"}`))
		say(p, err)
		away := w.account(name, func(r *gatewaysv1.PutAccountRequest) { r.Label, r.BaseUrl = "away", "http://127.0.0.1:1" })
		resp, err := w.gateways.GetPaymentStatus(t.Context(), question(away, &gatewaysv1.ChargeRef{Hash: "h1", Id: "1"}))
		say(resp, err)
	}
	list, err := w.accounts.ListAccounts(t.Context(), &gatewaysv1.ListAccountsRequest{})
	say(list, err)
	var rows string
	if err := w.db.Admin(t).QueryRow(t.Context(), `SELECT string_agg(a::text, ' ') || encode(string_agg(sealed, ''), 'escape') FROM gateways.accounts a`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	var traced strings.Builder
	for _, s := range spans.GetSpans() {
		_, _ = fmt.Fprintf(&traced, "%s %v %v %v\n", s.Name, s.Attributes, s.Events, s.Status)
	}
	if len(spans.GetSpans()) < 50 || !strings.Contains(logs.String(), "account paused") || !strings.Contains(told.String(), "OUTCOME_CREDENTIAL") {
		t.Fatalf("the test proves nothing: %d spans, log %d bytes", len(spans.GetSpans()), len(logs.String()))
	}
	for where, text := range map[string]string{"answers": told.String(), "logs": logs.String(), "spans": traced.String(), "rows": rows} {
		for _, secret := range []string{canary, url.QueryEscape(canary), "000.000.001-91", "00000000191"} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s hold %q: …%s…", where, secret, text[max(0, at-120):min(len(text), at+60)])
			}
		}
	}
}

// The provider's call is a span of the sale's own trace, whoever asks.
func TestTraces_callsBelongToTheSale(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	w := newWorld(t, func(s *tuning) { s.client.Tracer = traces })
	a := w.account("atomopay")
	w.on(says(200, `{"payment_status":"pending"}`))
	req := &gatewaysv1.BatchGetPaymentStatusRequest{}
	want := map[string]bool{}
	for i := range 5 {
		q := question(a, hash(fmt.Sprint("h", i)))
		id := fmt.Sprintf("%032x", i+1)
		q.Traceparent = "00-" + id + "-00000000000000aa-01"
		want[id] = true
		req.Requests = append(req.Requests, q)
	}
	if _, err := w.gateways.BatchGetPaymentStatus(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	for _, s := range spans.GetSpans() {
		if s.Name != "provider status" || s.Parent.SpanID().String() != "00000000000000aa" {
			t.Errorf("span %q under %s", s.Name, s.Parent.SpanID())
		}
		delete(want, s.SpanContext.TraceID().String())
	}
	if len(want) != 0 {
		t.Errorf("no span in the traces %v", want)
	}
}
