package rest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/door"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestAPI_writesNamesOfTheContractAndZeroes(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	key, merchant := h.newKey(t, false)
	a := h.do(t, "POST", "/v1/payments", strings.NewReader(`{"idempotency_key":"k","botId":"b","amount":{"centavos":2990},"tracking":null}`), "Authorization", "Bearer "+key)
	var got map[string]any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	p, _ := got["payment"].(map[string]any)
	amount, _ := p["amount"].(map[string]any)
	if amount["centavos"] != "2990" || p["status"] != "PAYMENT_STATUS_PENDING" {
		t.Errorf("payment: %s", a.body)
	}
	if created, there := got["created"]; !there || created != false {
		t.Errorf("a false is not there: %s", a.body)
	}
	if _, there := p["paid_at"]; there {
		t.Errorf("a message that is not set is there: %s", a.body)
	}
	if a := h.do(t, "GET", "/v1/payments", nil, "Authorization", "Bearer "+key); a.status != 200 || !strings.Contains(a.body, `"payments":[]`) {
		t.Errorf("an empty list: %d %s", a.status, a.body)
	}
	if a := h.do(t, "GET", "/v1/payments/"+merchant, nil, "Authorization", "Bearer "+key); a.status != 200 || !strings.Contains(a.body, merchant) ||
		!strings.HasPrefix(a.header.Get("Content-Type"), "application/json") || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("get: %d %s %v", a.status, a.body, a.header)
	}
}

func TestAPI_namesWhatIsWrongInABody(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	key, _ := h.newKey(t, false)
	for name, c := range map[string]struct{ path, body, field, expected string }{
		"unknown field":         {"/v1/payments", `{"amuont":{"centavos":1}}`, "amuont", "no such field; there are merchant_id, idempotency_key, bot_id"},
		"unknown field, deep":   {"/v1/payments", "{\"bot_id\":\"é\",\n \"amount\": {\"centavos\": 1,\n  \"cents\": 2}}", "amount.cents", "no such field; there are centavos, currency"},
		"unknown, in a list":    {"/v1/payments:batchRegister", `{"requests":[{"bot_id":"a"},{"charge":{"hsah":"x"}}]}`, "requests[1].charge.hsah", "no such field"},
		"a fraction":            {"/v1/payments", `{"amount":{"centavos":29.9}}`, "amount.centavos", "a whole number"},
		"a word for a number":   {"/v1/payments", `{"amount":{"centavos":"s3cr3t"}}`, "amount.centavos", "a whole number"},
		"a number for a text":   {"/v1/payments", `{"idempotency_key": 12}`, "idempotency_key", "a text"},
		"a number for an array": {"/v1/payments:batchRegister", `{"requests":7}`, "requests", "a list"},
		"a text in a list":      {"/v1/payments:batchRegister", `{"requests":[{},"x"]}`, "requests[1]", "an object"},
		"a text for an object":  {"/v1/payments", `{"amount":"R$ 29,90"}`, "amount", "an object"},
		"no time":               {"/v1/payments:register", `{"created_at":"yesterday"}`, "created_at", "a time such as"},
		"no such word":          {"/v1/payments/p:review", `{"decision":"MAYBE"}`, "decision", "one of REVIEW_DECISION_ACCEPT"},
		"a text for a switch":   {"/v1/payments:register", `{"delivered_elsewhere":"yes"}`, "delivered_elsewhere", "true or false"},
		"given twice":           {"/v1/payments", `{"bot_id":"a","botId":"b"}`, "botId", "given once"},
		"a number in a map":     {"/v1/accounts", `{"credentials":{"token":5}}`, "credentials.token", "a text"},
		"no object":             {"/v1/payments", `[1]`, "body", "one JSON object"},
		"no JSON":               {"/v1/payments", "{\"bot_id\":\"a\",\n  bot:1}", "body", "line 2, column 3"},
		"cut short":             {"/v1/payments", `{"bot_id":"a"`, "body", "well-formed JSON"},
		"a form":                {"/v1/payments", "bot_id=a", "body", "well-formed JSON"},
		"something behind it":   {"/v1/payments", `{"bot_id":"a"} {}`, "body", "well-formed JSON"},
		"not UTF-8":             {"/v1/payments", "{\"bot_id\":\"\xff\"}", "body", "UTF-8"},
		"the service's own":     {"/v1/payments", `{"bot_id":"a"}`, "amount.centavos", "above zero"},
		"nothing":               {"/v1/payments", "", "amount.centavos", "above zero"},
	} {
		a := h.do(t, "POST", c.path, strings.NewReader(c.body), "Authorization", "Bearer "+key)
		p := a.problem(t)
		if a.status != 400 || p.Code != "INVALID_ARGUMENT" || len(p.Fields) == 0 || p.Fields[0].Field != c.field || !strings.Contains(p.Fields[0].Expected, c.expected) {
			t.Errorf("%s: got %d %s\nwant %s: %s", name, a.status, a.body, c.field, c.expected)
		}
		if strings.Contains(a.body, "s3cr3t") || p.TraceID == "" {
			t.Errorf("%s: repeats what was sent, or has no trace: %s", name, a.body)
		}
	}
	for name, body := range map[string][]byte{"says so": bytes.Repeat([]byte(" "), MaxBody+1)} {
		if a := h.do(t, "POST", "/v1/payments", bytes.NewReader(body), "Authorization", "Bearer "+key); a.status != 413 || a.problem(t).Fields[0].Field != "body" {
			t.Errorf("too large, %s: %d %s", name, a.status, a.body)
		}
	}
}

func TestAPI_namesWhatIsWrongInAQuery(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	key, merchant := h.newKey(t, false)
	for query, want := range map[string]string{
		"/v1/payments?sutck=true":                   "sutck: no such query parameter; there are merchant_id, status,",
		"/v1/payments?page_size=many":               "page_size: a whole number",
		"/v1/payments?page_size=99999999999":        "page_size: a whole number",
		"/v1/payments?stuck=maybe":                  "stuck: true or false",
		"/v1/payments?status=PAGO":                  "status: one of PAYMENT_STATUS_PENDING",
		"/v1/payments?created_from=23/11/2026":      "created_from: a time such as",
		"/v1/payments?created_from.seconds=1":       "created_from.seconds: no such",
		"/v1/payments?provider=a&provider=b":        "provider: given once",
		"/v1/payments?%zz":                          "query: name=value",
		"/v1/payments/" + merchant + "?payment_id=": "payment_id: no such query parameter; there are none here",
		"/v1/payments/" + merchant + "?verbose":     "verbose: no such query parameter; there are none here",
	} {
		a := h.do(t, "GET", query, nil, "Authorization", "Bearer "+key)
		p := a.problem(t)
		if a.status != 400 || len(p.Fields) != 1 || !strings.HasPrefix(p.Fields[0].Field+": "+p.Fields[0].Expected, want) {
			t.Errorf("%s: got %d %s, want %s", query, a.status, a.body, want)
		}
	}
	if a := h.do(t, "POST", "/v1/payments?merchant_id="+merchant, strings.NewReader("{}"), "Authorization", "Bearer "+key); a.status != 400 || a.problem(t).Fields[0].Field != "merchant_id" {
		t.Errorf("a query beside a body: %d %s", a.status, a.body)
	}
	a := h.do(t, "GET", "/v1/payments?pageSize=7&status=PAYMENT_STATUS_PAID&stuck=true&created_from=2026-11-23T00:00:00-03:00&bot_id=b+1", nil, "Authorization", "Bearer "+key)
	l := h.fake.listed
	if a.status != 200 || l.GetPageSize() != 7 || l.GetStatus().String() != "PAYMENT_STATUS_PAID" || !l.GetStuck() || l.GetCreatedFrom().AsTime().Hour() != 3 || l.GetBotId() != "b 1" {
		t.Errorf("what is right: %d %s, %v", a.status, a.body, l)
	}
}

func TestAPI_knowsItsCallers(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	key, merchant := h.newKey(t, false)
	_, other := h.newKey(t, false)
	var first string
	for name, header := range map[string][]string{
		"none":                 nil,
		"forged":               {"Authorization", "Bearer " + key[:len(key)-3] + "___"},
		"garbage":              {"Authorization", "Bearer bxk_1"},
		"metadata in a header": {"Grpc-Metadata-Authorization", "Bearer " + key},
		"principal in header":  {"Grpc-Metadata-Baixa-Principal", "o...zzzzzz.AAAA", "Baixa-Principal", "o...zzzzzz.AAAA"},
	} {
		a := h.do(t, "GET", "/v1/payments/"+merchant, nil, header...)
		p := a.problem(t)
		if a.status != 401 || a.header.Get("WWW-Authenticate") == "" || p.Code != "UNAUTHENTICATED" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if first == "" {
			first = p.Message
		}
		if p.Message != first {
			t.Errorf("%s is told apart: %q and %q", name, p.Message, first)
		}
	}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"another's sale":          {"GET", "/v1/payments/" + other, "", 404, "NOT_FOUND"},
		"another's sales":         {"GET", "/v1/payments?merchant_id=" + other, "", 403, "PERMISSION_DENIED"},
		"a sale in another's":     {"POST", "/v1/payments", `{"merchant_id":"` + other + `"}`, 403, "PERMISSION_DENIED"},
		"own sale":                {"GET", "/v1/payments/" + merchant, "", 200, ""},
		"own sale, path escaped":  {"GET", "/v1/payments/" + strings.ReplaceAll(merchant, "-", "%2D"), "", 200, ""},
		"a path in an identifier": {"GET", "/v1/payments/..%2F" + merchant, "", 404, "NOT_FOUND"},
	} {
		a := h.do(t, c.method, c.path, strings.NewReader(c.body), "Authorization", "Bearer "+key)
		if a.status != c.status || c.code != "" && a.problem(t).Code != c.code {
			t.Errorf("%s: got %d %s, want %d %s", name, a.status, a.body, c.status, c.code)
		}
	}
}

func TestAPI_passesOnlyWhatItMust(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	key, merchant := h.newKey(t, false)
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	a := h.do(t, "GET", "/v1/payments/"+merchant, nil, "Authorization", "Bearer "+key, "Grpc-Metadata-X-Evil", "1", "Grpc-Metadata-"+door.ClientAddrKey, "127.0.0.1",
		"X-Forwarded-For", "10.0.0.1, 203.0.113.4", "traceparent", "00-"+traceID+"-00f067aa0ba902b7-01", "Grpc-Timeout", "5S")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if d := cmp.Diff([]string{"203.0.113.4"}, h.fake.md.Get(door.ClientAddrKey)); d != "" || len(h.fake.md.Get("x-evil")) != 0 {
		t.Errorf("client address (-want +got):\n%s\nx-evil: %v", d, h.fake.md.Get("x-evil"))
	}
	for name := range h.fake.md {
		if strings.HasPrefix(name, "grpcgateway-") {
			t.Errorf("the client's header %s became metadata", name)
		}
	}
	if h.fake.trace != traceID {
		t.Errorf("the service works under trace %s, want the caller's %s", h.fake.trace, traceID)
	}
	for name := range a.header {
		if strings.HasPrefix(name, "Grpc-") {
			t.Errorf("header %s reached the client", name)
		}
	}

	// A provider's trace is not ours: the webhook's own trace is another one.
	h.do(t, "POST", webhookPath+"/atomopay", strings.NewReader("{}"), "traceparent", "00-"+traceID+"-00f067aa0ba902b7-01")
	if got := h.hooks(t)[0].Headers["traceparent"]; got == "" || strings.Contains(got, traceID) {
		t.Errorf("webhook's traceparent is %q", got)
	}
}

// Every URL of the contracts is served, and every other is refused in the same form.
func TestAPI_servesItsContracts(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	key, _ := h.newKey(t, true)
	table, err := newRoutes("baixa.payments.v1.PaymentsService", "baixa.payments.v1.MerchantsService", "baixa.gateways.v1.AccountsService",
		"baixa.gateways.v1.GatewaysService", "baixa.delivery.v1.PixelsService", "baixa.delivery.v1.LinksService", "baixa.notifier.v1.NotifierService", "baixa.notifier.v1.TemplatesService", "baixa.payments.v1.AlertsService")
	must(t, err)
	if len(table.list) < 34 {
		t.Errorf("%d routes, there were 34: a contract lost one", len(table.list))
	}
	for _, way := range table.list {
		path := variable.ReplaceAllString(way.path, "x1")
		a := h.do(t, way.method, path, nil, "Authorization", "Bearer "+key)
		switch {
		case a.status == 200, a.status == 400 && a.problem(t).Code == "INVALID_ARGUMENT":
		case a.status == 501 && strings.Contains(a.body, "not implemented"): // the fake's
		default:
			t.Errorf("%s %s: %d %s", way.method, path, a.status, a.body)
		}
		a = h.do(t, "DELETE", path, nil, "Authorization", "Bearer "+key)
		if a.status != 405 || !strings.Contains(a.header.Get("Allow"), way.method) || a.problem(t).Code != "UNIMPLEMENTED" {
			t.Errorf("DELETE %s: %d %s, Allow %q", path, a.status, a.body, a.header.Get("Allow"))
		}
	}
	// A form post is not a GET in disguise, whatever it says.
	a := h.do(t, "POST", "/v1/payments/x1", strings.NewReader("a=b"), "Authorization", "Bearer "+key, "Content-Type", "application/x-www-form-urlencoded",
		"X-HTTP-Method-Override", "GET")
	if a.status != 405 || a.header.Get("Allow") != "GET" {
		t.Errorf("a form post where only GET is: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/v1/", "/v1/nothing", "/v1/payments/a/b/c", "/v2/payments", "/", "/favicon.ico"} {
		if a := h.do(t, "GET", path, nil, "Authorization", "Bearer "+key); a.status != 404 || a.problem(t).Code != "NOT_FOUND" {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
}
