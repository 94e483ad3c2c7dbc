package server_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

const atomoHook = `{"id":77,"hash":"h77","payment_status":"paid","amount":1990,"producer":{"hash":"prod-1"},"offer":{"hash":"offer-1"},"customer":{"document":"00000000191"}}`

func hook(provider, key, body string) *gatewaysv1.ParseWebhookRequest {
	return &gatewaysv1.ParseWebhookRequest{Provider: provider, AccountKey: key, Body: []byte(body), ContentType: "text/plain"}
}

func (r replica) parse(t *testing.T, req *gatewaysv1.ParseWebhookRequest) *gatewaysv1.ParseWebhookResponse {
	t.Helper()
	resp, err := r.gateways.ParseWebhook(t.Context(), req)
	if err != nil {
		t.Fatalf("parse webhook: %v", err)
	}
	return resp
}

func TestParseWebhook_saysWhatIsClaimed(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	want := &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, AccountId: a.GetId(), MerchantId: ana,
		Hints: []*gatewaysv1.Hint{{Ref: &gatewaysv1.ChargeRef{Id: "77", Hash: "h77"}, Claimed: gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID,
			ProviderStatus: "paid", Amount: brl(1990)}}}
	equal(t, "by key", want, w.parse(t, hook("Atomopay", a.GetAccountKey(), atomoHook)))
	want.AccountId, want.MerchantId = "", ""
	equal(t, "without a key", want, w.parse(t, hook("atomopay", "", atomoHook)))
	equal(t, "with a wrong key", want, w.parse(t, hook("atomopay", "nobody", atomoHook)))
	form := w.parse(t, hook("pushynpay", a.GetAccountKey(), "id=9C29870C-9F69-4BB6-90D3-2DCE9453BB45&value=100&status=paid"))
	equal(t, "a form, by alias, with the key of another provider's account", &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS,
		Hints: []*gatewaysv1.Hint{{Ref: &gatewaysv1.ChargeRef{Id: "9c29870c-9f69-4bb6-90d3-2dce9453bb45"}, Claimed: gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID,
			ProviderStatus: "paid", Amount: brl(100)}}}, form)
}

func TestParseWebhook_findsTheAccountByWords(t *testing.T) {
	w := newWorld(t)
	configured := w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.Label, r.RoutingHashes = "configured", []string{"prod-1"} })
	if got := w.parse(t, hook("atomopay", "", atomoHook)); got.GetAccountId() != configured.GetId() || got.GetMerchantId() != ana {
		t.Errorf("by producer: %v", got)
	}
	other := w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) {
		r.MerchantId, r.RoutingHashes = beto, []string{"prod-1", "offer-1"}
	})
	if got := w.parse(t, hook("atomopay", "", atomoHook)); got.GetAccountId() != other.GetId() {
		t.Errorf("the producer is shared, the offer is not: %v", got)
	}
	if got := w.parse(t, hook("atomopay", configured.GetAccountKey(), atomoHook)); got.GetAccountId() != configured.GetId() {
		t.Errorf("the key beats the words: %v", got)
	}
	if got := w.parse(t, hook("paradise", "", `{"transaction_id":1,"status":"approved","producer":{"hash":"prod-1"}}`)); got.GetAccountId() != "" {
		t.Errorf("another provider's word: %v", got)
	}
}

func TestParseWebhook_learnsWordsFromCharges(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	if got := w.parse(t, hook("atomopay", "", atomoHook)); got.GetAccountId() != "" {
		t.Fatalf("before the first charge: %v", got)
	}
	w.on(says(201, charged(77, 1990))) // producer prod-1
	w.charge(t, order(a, "ref-1"))
	w.charge(t, order(a, "ref-2"))
	if got := w.serve().parse(t, hook("atomopay", "", atomoHook)); got.GetAccountId() != a.GetId() {
		t.Errorf("after it, at another replica: %v", got)
	}
}

func TestParseWebhook_demandsTheConfiguredSecret(t *testing.T) {
	w := newWorld(t)
	with := func(header string) *gatewaysv1.Account {
		return w.account("pushinpay", func(r *gatewaysv1.PutAccountRequest) {
			r.Label, r.WebhookHeader, r.WebhookSecret = "with"+header, header, " "+canary+"\n"
		})
	}
	body := `{"id":"a1","status":"paid","value":100}`
	for _, c := range []struct {
		name, header, sent, value string
		want                      gatewaysv1.Outcome
	}{
		{"own header", "x-loja", "x-loja", canary, gatewaysv1.Outcome_OUTCOME_STATUS},
		{"usual header", "", "x-pushinpay-token", canary, gatewaysv1.Outcome_OUTCOME_STATUS},
		{"wrong value", "x-loja", "x-loja", "guess", gatewaysv1.Outcome_OUTCOME_CREDENTIAL},
		{"wrong header", "x-loja", "x-pushinpay-token", canary, gatewaysv1.Outcome_OUTCOME_CREDENTIAL},
		{"no header", "x-loja", "", "", gatewaysv1.Outcome_OUTCOME_CREDENTIAL},
	} {
		a := with(c.header)
		req := hook("pushinpay", a.GetAccountKey(), body)
		if c.sent != "" {
			req.Headers = map[string]string{c.sent: c.value}
		}
		got := w.parse(t, req)
		if got.GetOutcome() != c.want || got.GetAccountId() != a.GetId() {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
		if c.want == gatewaysv1.Outcome_OUTCOME_CREDENTIAL && (len(got.GetHints()) != 0 || got.GetReason() == "") {
			t.Errorf("%s: %d hints, reason %q", c.name, len(got.GetHints()), got.GetReason())
		}
	}
	free := w.account("pushinpay", func(r *gatewaysv1.PutAccountRequest) { r.Label = "free" })
	req := hook("pushinpay", free.GetAccountKey(), body)
	req.Headers = map[string]string{"x-pushinpay-token": "whatever"}
	if got := w.parse(t, req); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
		t.Errorf("no secret configured: %v", got)
	}
}

func TestBatchParseWebhooks_badOnesHoldUpNobody(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	huge := strings.Repeat("x", 1<<20+1)
	reqs := []*gatewaysv1.ParseWebhookRequest{
		hook("atomopay", a.GetAccountKey(), atomoHook), hook("nosuch", a.GetAccountKey(), atomoHook), hook("supremuspay", "", atomoHook),
		hook("atomopay", a.GetAccountKey(), huge), hook("atomopay", "", `{"weather":"fine"}`), hook("atomopay", "", ``), hook("atomopay", "", `{"id":`),
		hook("paradise", "", `{"transaction_id":5,"status":"approved"}`),
	}
	resp, err := w.gateways.BatchParseWebhooks(t.Context(), &gatewaysv1.BatchParseWebhooksRequest{Requests: reqs})
	if err != nil {
		t.Fatal(err)
	}
	ok, not, no := gatewaysv1.Outcome_OUTCOME_STATUS, gatewaysv1.Outcome_OUTCOME_CONTRACT, gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST
	for i, want := range []gatewaysv1.Outcome{ok, no, no, no, not, no, not, ok} {
		got := resp.GetResults()[i]
		if got.GetOutcome() != want || (got.GetReason() == "") != (want == ok) || (len(got.GetHints()) > 0) != (want == ok) {
			t.Errorf("webhook %d: %v, want %s", i, got, want)
		}
	}
	_, err = w.gateways.ParseWebhook(t.Context(), hook("nosuch", "", atomoHook))
	wantCode(t, "unknown provider alone", err, codes.InvalidArgument, "provider", "atomopay")
	_, err = w.gateways.ParseWebhook(t.Context(), hook("atomopay", "", huge))
	wantCode(t, "too large alone", err, codes.InvalidArgument, "body")
	_, err = w.gateways.BatchParseWebhooks(t.Context(), &gatewaysv1.BatchParseWebhooksRequest{})
	wantCode(t, "none", err, codes.InvalidArgument, "requests")
}

// Whoever takes webhooks learns which headers to keep; merchants do not learn each other's.
func TestListProviders_tellsHeadersOfAccounts(t *testing.T) {
	w := newWorld(t)
	w.account("pushinpay", func(r *gatewaysv1.PutAccountRequest) { r.WebhookHeader, r.WebhookSecret = "X-Loja-Segredo", "s1" })
	w.account("pushinpay", func(r *gatewaysv1.PutAccountRequest) {
		r.MerchantId, r.WebhookHeader, r.WebhookSecret = beto, "x-loja-segredo", "s2"
	})
	w.account("atomopay")
	got, err := w.gateways.ListProviders(t.Context(), &gatewaysv1.ListProvidersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "headers for a service", []string{"x-loja-segredo"}, got.GetWebhookHeaders())
	if got, err = w.gateways.ListProviders(merchantCtx(t, ana), &gatewaysv1.ListProvidersRequest{}); err != nil || len(got.GetWebhookHeaders()) != 0 {
		t.Errorf("headers for a merchant: %v, %v", got.GetWebhookHeaders(), err)
	}
}
