package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/baixapay/baixa/e2e/deployment"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/sim"
)

// inputStories are about what nobody should send. Every answer has the right code, names the field, and tells nothing else: the
// client looks for secrets and for programmers' words in each.
func inputStories() []story {
	return []story{{"bad webhooks", badWebhooks}, {"bad JSON", badJSON}, {"bad requests", badRequests}, {"bad accounts", badAccounts}}
}

func badWebhooks(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	anybody := deployment.NewClient(t, d, "")
	atomopay := "/webhook/payment/atomopay"
	for name, c := range map[string]struct {
		method, path string
		body         []byte
		kind         string
		code         int
		says         string
	}{
		"unknown provider":          {"POST", "/webhook/payment/pagaqui", []byte("{}"), "application/json", 404, "pagaqui"},
		"no name at all":            {"POST", "/webhook/payment/%3Cscript%3E", []byte("{}"), "application/json", 400, "provider"},
		"no provider":               {"POST", "/webhook/payment", []byte("{}"), "application/json", 404, "/webhook/payment/{provider}"},
		"too many parts":            {"POST", atomopay + "/a/b/c", []byte("{}"), "application/json", 404, "{sale_key}"},
		"empty body":                {"POST", atomopay, nil, "application/json", 400, "body"},
		"2 MB":                      {"POST", atomopay, bytes.Repeat([]byte(" "), 2<<20), "application/json", 413, "body"},
		"PUT":                       {"PUT", atomopay, []byte("{}"), "application/json", 405, "POST"},
		"a probe":                   {"GET", atomopay, nil, "", 200, ""},
		"invalid JSON":              {"POST", atomopay, []byte(`{"hash": "abc`), "application/json", 200, "received"},
		"no identifiers":            {"POST", atomopay, []byte(`{"status":"paid"}`), "application/json", 200, "received"},
		"wrong content type":        {"POST", atomopay, []byte(`{"hash":"abc1","status":"paid"}`), "text/html", 200, "received"},
		"form where JSON is usual":  {"POST", atomopay, []byte("hash=abc2&status=paid"), "application/x-www-form-urlencoded", 200, "received"},
		"bytes that are no text":    {"POST", atomopay, []byte{0xff, 0xfe, 0x00, 0x80}, "", 200, "received"},
		"a key that nobody has":     {"POST", atomopay + "/naoexiste", []byte(`{"hash":"abc3","status":"paid"}`), "application/json", 200, "received"},
		"a sale key that none has":  {"POST", shop.hookURL(sim.Atomopay, "atomopay", true) + "/naoexiste", []byte(`{"hash":"abc4","status":"paid"}`), "application/json", 200, "received"},
		"deep nesting":              {"POST", atomopay, []byte(strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)), "application/json", 200, "received"},
		"an amount that overflows":  {"POST", atomopay, []byte(`{"hash":"abc5","status":"paid","amount":99999999999999999999999}`), "application/json", 200, "received"},
		"the same key several ways": {"POST", atomopay, []byte(`{"hash":"abc6","hash":"abc7","status":"paid","status":"refunded"}`), "application/json", 200, "received"},
	} {
		a, err := anybody.Do(c.method, c.path, c.body, "Content-Type", c.kind)
		if err != nil {
			t.Errorf("%s: no answer: %v", name, err)
			continue
		}
		if a.Code != c.code || !strings.Contains(a.Body, c.says) {
			t.Errorf("%s: %d %s, want %d and %q", name, a.Code, a.Body, c.code, c.says)
		}
	}
	// All of it is read and nothing comes of it; what is true still settles.
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	shop.checkStatistics(t, 1)
}

// changed is a good request with one field of its JSON replaced; a path may have a dot.
func changed(t *testing.T, good proto.Message, path string, value any) []byte {
	t.Helper()
	raw, err := (protojson.MarshalOptions{UseProtoNames: true}).Marshal(good)
	must(t, err)
	var tree map[string]any
	must(t, json.Unmarshal(raw, &tree))
	at := tree
	parts := strings.Split(path, ".")
	for _, p := range parts[:len(parts)-1] {
		if _, ok := at[p].(map[string]any); !ok {
			at[p] = map[string]any{}
		}
		at = at[p].(map[string]any)
	}
	at[parts[len(parts)-1]] = value
	out, err := json.Marshal(tree)
	must(t, err)
	return out
}

// What only JSON can say wrongly.
func badJSON(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	good := shop.request(sim.Atomopay)
	for name, c := range map[string]struct {
		body  []byte
		field string
		code  int
	}{
		"not JSON":                {[]byte(`{"amount": `), "body", 400},
		"a form":                  {[]byte(`amount=19.90&bot_id=35`), "body", 400},
		"a list":                  {[]byte(`[]`), "body", 400},
		"2 MB":                    {bytes.Repeat([]byte(" "), 2<<20), "body", 413},
		"amount with a fraction":  {changed(t, good, "amount.centavos", 19.90), "amount.centavos", 400},
		"amount as words":         {changed(t, good, "amount.centavos", "dezenove"), "amount.centavos", 400},
		"amount as a number":      {changed(t, good, "amount", 1990), "amount", 400},
		"amount beyond 64 bits":   {changed(t, good, "amount.centavos", "99999999999999999999"), "amount.centavos", 400},
		"misspelt field":          {changed(t, good, "amout", 1), "amout", 400},
		"text for a whole number": {changed(t, good, "buyer.telegram_id", "ana"), "buyer.telegram_id", 400},
	} {
		a, err := shop.api.Do("POST", "/v1/payments", c.body, "Content-Type", "application/json")
		must(t, err)
		checkProblem(t, name, a, c.code, c.field)
	}
	for path, field := range map[string]string{"/v1/payments?page_size=muitos": "page_size", "/v1/payments?sttus=1": "sttus", "/v1/payments/nao-e-id": "payment_id",
		"/v1/statistics?group_by=cor": "group_by", "/v1/statistics?from_day=ontem": "from_day", "/v1/payments:explain": "query", "/v1/payments?page_token=x": "page_token"} {
		checkProblem(t, path, shop.api.REST("GET", path, nil, nil), 400, field)
	}
	if a := shop.api.REST("GET", "/v1/nada", nil, nil); a.Code != http.StatusNotFound || a.Problem().Code != "NOT_FOUND" {
		t.Errorf("an unknown path: %d %s", a.Code, a.Body)
	}
	if a := shop.api.REST("DELETE", "/v1/payments", nil, nil); a.Code != http.StatusMethodNotAllowed || a.Header.Get("Allow") == "" {
		t.Errorf("DELETE: %d %s %q", a.Code, a.Body, a.Header.Get("Allow"))
	}
}

// checkProblem compares an answer's code and the fields that it names.
func checkProblem(t *testing.T, name string, a deployment.Answer, code int, field string) {
	t.Helper()
	p := a.Problem()
	var named []string
	for _, f := range p.Fields {
		named = append(named, f.Field)
		if f.Expected == "" {
			t.Errorf("%s: %s is wrong, and what was expected is not said", name, f.Field)
		}
	}
	if a.Code != code || p.Code != "INVALID_ARGUMENT" || len(named) != 1 || named[0] != field {
		t.Errorf("%s: %d %s, want %d INVALID_ARGUMENT that names %s", name, a.Code, a.Body, code, field)
	}
}

// What gRPC and REST can both say wrongly.
func badRequests(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	for name, c := range map[string]struct {
		change func(*paymentsv1.CreatePaymentRequest)
		field  string
	}{
		"negative amount":          {func(r *paymentsv1.CreatePaymentRequest) { r.Amount.Centavos = -1990 }, "amount.centavos"},
		"zero":                     {func(r *paymentsv1.CreatePaymentRequest) { r.Amount.Centavos = 0 }, "amount.centavos"},
		"no amount":                {func(r *paymentsv1.CreatePaymentRequest) { r.Amount = nil }, "amount"},
		"more than anybody has":    {func(r *paymentsv1.CreatePaymentRequest) { r.Amount.Centavos = 1 << 60 }, "amount.centavos"},
		"dollars":                  {func(r *paymentsv1.CreatePaymentRequest) { r.Amount.Currency = "USD" }, "amount.currency"},
		"no idempotency key":       {func(r *paymentsv1.CreatePaymentRequest) { r.IdempotencyKey = "" }, "idempotency_key"},
		"idempotency key too long": {func(r *paymentsv1.CreatePaymentRequest) { r.IdempotencyKey = strings.Repeat("k", 101) }, "idempotency_key"},
		"no bot":                   {func(r *paymentsv1.CreatePaymentRequest) { r.BotId = "" }, "bot_id"},
		"account that is no id":    {func(r *paymentsv1.CreatePaymentRequest) { r.AccountId = "atomopay" }, "account_id"},
		"no product":               {func(r *paymentsv1.CreatePaymentRequest) { r.Product = nil }, "product.name"},
		"CPF of ten digits":        {func(r *paymentsv1.CreatePaymentRequest) { r.Buyer.Document = "1234567890" }, "buyer.document"},
		"link that is none":        {func(r *paymentsv1.CreatePaymentRequest) { r.Product.AccessUrl = "javascript:alert(1)" }, "product.access_url"},
	} {
		req := shop.request(sim.Atomopay)
		c.change(req)
		checkProblem(t, name, shop.api.REST("POST", "/v1/payments", req, nil), 400, c.field)
		_, err := paymentsv1.NewPaymentsServiceClient(shop.api.Conn()).CreatePayment(t.Context(), req)
		if status.Code(err) != codes.InvalidArgument || !names(err, c.field) {
			t.Errorf("%s over gRPC: %v, want INVALID_ARGUMENT that names %s", name, err, c.field)
		}
	}
	register := &paymentsv1.RegisterPaymentRequest{BotId: "35", AccountId: shop.accounts[sim.Atomopay].GetId(), Amount: &typev1.Money{Centavos: price},
		Product: &paymentsv1.Product{Name: "x"}}
	checkProblem(t, "no identifiers", shop.api.REST("POST", "/v1/payments:register", register, nil), 400, "charge")
	for name, change := range map[string]func(*paymentsv1.CreatePaymentRequest){
		"unknown bot":     func(r *paymentsv1.CreatePaymentRequest) { r.BotId = "36" },
		"unknown account": func(r *paymentsv1.CreatePaymentRequest) { r.AccountId = "01920000-0000-7000-8000-000000000000" },
	} {
		req := shop.request(sim.Atomopay)
		change(req)
		if a := shop.api.REST("POST", "/v1/payments", req, nil); a.Code != http.StatusNotFound || a.Problem().Code != "NOT_FOUND" {
			t.Errorf("%s: %d %s, want 404", name, a.Code, a.Body)
		}
	}
	list := &paymentsv1.ListPaymentsResponse{}
	if shop.api.Must("GET", "/v1/payments", nil, list); len(list.GetPayments()) != 0 {
		t.Errorf("bad requests left %d sales", len(list.GetPayments()))
	}
}

// names reports whether an error names a field.
func names(err error, field string) bool {
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				if v.GetField() == field {
					return true
				}
			}
		}
	}
	return false
}

func badAccounts(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	for name, c := range map[string]struct {
		in    *gatewaysv1.PutAccountRequest
		field string
	}{
		"unknown provider":   {&gatewaysv1.PutAccountRequest{Provider: "pagaqui", Credentials: map[string]string{"api_key": "x"}}, "provider"},
		"missing credential": {&gatewaysv1.PutAccountRequest{Provider: "atomopay"}, "credentials.api_token"},
		"unknown credential": {&gatewaysv1.PutAccountRequest{Provider: "atomopay", Credentials: map[string]string{"api_token": secret(d, ""), "senha": secret(d, "")}}, "credentials"},
		"too many calls":     {&gatewaysv1.PutAccountRequest{Provider: "atomopay", Credentials: map[string]string{"api_token": secret(d, "")}, CallsPerMinute: -1}, "calls_per_minute"},
	} {
		checkProblem(t, name, shop.api.REST("POST", "/v1/accounts", c.in, nil), 400, c.field)
	}
	elsewhere := &gatewaysv1.PutAccountRequest{MerchantId: shop.id, Provider: "atomopay", Credentials: map[string]string{"api_token": secret(d, "")}, BaseUrl: "http://exemplo.invalid"}
	checkProblem(t, "plain http to the world", shop.operator.REST("POST", "/v1/accounts", elsewhere, nil), 400, "base_url")
}
