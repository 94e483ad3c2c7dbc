package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

func TestPutAccount_createsAndKeepsIdentity(t *testing.T) {
	w := newWorld(t)
	req := w.putRequest("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.Provider, r.CallsPerMinute = "ATOMOPAY", 120 })
	first, err := w.accounts.PutAccount(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	a := first.GetAccount()
	if !first.GetCreated() || len(a.GetAccountKey()) < 26 || a.GetCreatedAt() == nil || a.GetUpdatedAt() == nil {
		t.Errorf("created: %v", first)
	}
	a.CreatedAt, a.UpdatedAt = nil, nil
	equal(t, "account", &gatewaysv1.Account{Id: a.GetId(), MerchantId: ana, Provider: "atomopay", Label: "default", AccountKey: a.GetAccountKey(), BaseUrl: w.url,
		CallsPerMinute: 120, State: gatewaysv1.AccountState_ACCOUNT_STATE_ACTIVE, Breaker: "closed",
		CredentialNames: []string{"api_token", "offer_hash", "product_hash"}}, a)
	req.Credentials["api_token"], req.CallsPerMinute = "other-token", 0
	second, err := w.accounts.PutAccount(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if b := second.GetAccount(); second.GetCreated() || b.GetId() != a.GetId() || b.GetAccountKey() != a.GetAccountKey() || b.GetCallsPerMinute() != 0 {
		t.Errorf("put again: %v", second)
	}
	if c := w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.Label = "loja 2" }); c.GetId() == a.GetId() || c.GetAccountKey() == a.GetAccountKey() {
		t.Errorf("another label: %v", c)
	}
}

func TestPutAccount_concurrentCallsMakeOne(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	ids, made := map[string]bool{}, 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			resp, err := w.accounts.PutAccount(t.Context(), w.putRequest("paradise"))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[resp.GetAccount().GetId()] = true
			if resp.GetCreated() {
				made++
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || made != 1 {
		t.Errorf("%d accounts, created %d times", len(ids), made)
	}
	w.on(says(200, `{"id":1,"status":"approved"}`))
	for id := range ids { // whichever was last, its secrets open
		if got := w.look(t, &gatewaysv1.Account{Id: id, MerchantId: ana}, &gatewaysv1.ChargeRef{Id: "1"}); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
			t.Errorf("look: %v", got)
		}
	}
}

func TestPutAccount_namesEveryWrongField(t *testing.T) {
	w := newWorld(t)
	put := func(change func(*gatewaysv1.PutAccountRequest), names ...string) {
		t.Helper()
		_, err := w.accounts.PutAccount(t.Context(), w.putRequest("atomopay", change))
		wantCode(t, names[0], err, codes.InvalidArgument, names...)
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error repeats a value: %v", names[0], err)
		}
	}
	put(func(r *gatewaysv1.PutAccountRequest) { r.Provider = "nosuch" }, "provider", "atomopay, ", "pushinpay")
	put(func(r *gatewaysv1.PutAccountRequest) { r.Provider = "supremuspay" }, "provider", "plain http on a bare address")
	put(func(r *gatewaysv1.PutAccountRequest) { r.Credentials = nil }, "credentials.api_token", "required")
	put(func(r *gatewaysv1.PutAccountRequest) { r.Credentials["api_token"] = " \n" }, "credentials.api_token", "required")
	put(func(r *gatewaysv1.PutAccountRequest) { r.Credentials["api_tokn"] = canary }, "credentials", "api_tokn", "api_token, offer_hash")
	put(func(r *gatewaysv1.PutAccountRequest) { r.Credentials[canary] = "x" }, "credentials", "of that name")
	put(func(r *gatewaysv1.PutAccountRequest) { r.BaseUrl = "http://provider.example.test" }, "base_url", "https")
	put(func(r *gatewaysv1.PutAccountRequest) { r.BaseUrl = "https://user:" + canary + "@x.test" }, "base_url")
	put(func(r *gatewaysv1.PutAccountRequest) { r.CallsPerMinute = -1 }, "calls_per_minute")
	put(func(r *gatewaysv1.PutAccountRequest) { r.Label = strings.Repeat("x", 101) }, "label")
	put(func(r *gatewaysv1.PutAccountRequest) { r.RoutingHashes = []string{""} }, "routing_hashes")
	put(func(r *gatewaysv1.PutAccountRequest) { r.WebhookSecret = canary }, "webhook_secret", "sends no secret")
	put(func(r *gatewaysv1.PutAccountRequest) {
		r.Provider, r.Credentials, r.WebhookHeader = "pushinpay", map[string]string{"token": "t"}, "x-loja"
	}, "webhook_secret", "value")
	put(func(r *gatewaysv1.PutAccountRequest) {
		r.Provider, r.Credentials, r.WebhookHeader, r.WebhookSecret = "pushinpay", map[string]string{"token": "t"}, "x loja:", canary
	}, "webhook_header")
	put(func(r *gatewaysv1.PutAccountRequest) { r.MerchantId = "ana" }, "merchant_id")
	if list, err := w.accounts.ListAccounts(t.Context(), &gatewaysv1.ListAccountsRequest{}); err != nil || len(list.GetAccounts()) != 0 {
		t.Errorf("stored all the same: %v, %v", list, err)
	}
}

func TestPutAccount_merchantsStayWithinTheProvidersRules(t *testing.T) {
	w := newWorld(t)
	put := func(change func(*gatewaysv1.PutAccountRequest)) error {
		_, err := w.accounts.PutAccount(merchantCtx(t, ana), w.putRequest("atomopay", func(r *gatewaysv1.PutAccountRequest) {
			r.MerchantId, r.BaseUrl, r.CallsPerMinute = "", "", 0
			change(r)
		}))
		return err
	}
	wantCode(t, "elsewhere", put(func(r *gatewaysv1.PutAccountRequest) { r.BaseUrl = "https://intranet.example.test" }), codes.PermissionDenied, "base_url")
	wantCode(t, "above the budget", put(func(r *gatewaysv1.PutAccountRequest) { r.CallsPerMinute = 1001 }), codes.InvalidArgument, "calls_per_minute")
	wantCode(t, "for another", put(func(r *gatewaysv1.PutAccountRequest) { r.MerchantId = beto }), codes.PermissionDenied)
	wantCode(t, "as documented", put(func(r *gatewaysv1.PutAccountRequest) { r.CallsPerMinute = 1000 }), codes.OK)
}

func TestListAccounts_filters(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 3 {
		want = append(want, w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.Label = fmt.Sprint("l", i) }).GetId())
	}
	p := w.account("pushinpay").GetId()
	b := w.account("paradise", func(r *gatewaysv1.PutAccountRequest) { r.MerchantId = beto }).GetId()
	for _, c := range []struct {
		name string
		req  *gatewaysv1.ListAccountsRequest
		want []string
	}{
		{"all", &gatewaysv1.ListAccountsRequest{}, append(append([]string{}, want...), p, b)},
		{"one merchant", &gatewaysv1.ListAccountsRequest{MerchantId: beto}, []string{b}},
		{"by alias", &gatewaysv1.ListAccountsRequest{Provider: "pushynpay"}, []string{p}},
		{"both", &gatewaysv1.ListAccountsRequest{MerchantId: ana, Provider: "atomopay"}, want},
	} {
		resp, err := w.accounts.ListAccounts(t.Context(), c.req)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range resp.GetAccounts() {
			got = append(got, a.GetId())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	_, err := w.accounts.ListAccounts(t.Context(), &gatewaysv1.ListAccountsRequest{Provider: "nosuch"})
	wantCode(t, "unknown provider", err, codes.InvalidArgument, "provider")
}

func TestListProviders_tellsAllAndWhyNot(t *testing.T) {
	w := newWorld(t)
	resp, err := w.gateways.ListProviders(t.Context(), &gatewaysv1.ListProvidersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]*gatewaysv1.Provider{}
	last := ""
	for _, p := range resp.GetProviders() {
		by[p.GetName()] = p
		if p.GetName() <= last {
			t.Errorf("%s after %s: not alphabetical", p.GetName(), last)
		}
		last = p.GetName()
		if supported := p.GetRefusedBecause() == ""; supported != (p.GetTitle() != "") {
			t.Errorf("%s writes itself %q", p.GetName(), p.GetTitle())
		}
	}
	if !strings.Contains(by["supremuspay"].GetRefusedBecause(), "plain http") {
		t.Errorf("supremuspay: %v", by["supremuspay"])
	}
	p := by["pushinpay"]
	if p.GetTitle() != "PushinPay" || p.GetMinIntervalPerSale().GetSeconds() != 60 || p.GetAmountUnit() != "centavos" || p.GetConfidence() != "high" || p.GetWebhookTrust() != "header" ||
		!cmp.Equal(p.GetAliases(), []string{"pushynpay"}) || !cmp.Equal(p.GetIdentifiers(), []string{"id"}) || len(p.GetNotes()) == 0 {
		t.Errorf("pushinpay: %v", p)
	}
	if c := p.GetCredentials(); len(c) == 0 || c[0].GetName() != "token" || !c[0].GetRequired() || !c[0].GetSecret() || c[0].GetMeaning() == "" {
		t.Errorf("pushinpay's credentials: %v", c)
	}
	if by["atomopay"].GetCallsPerMinute() != 1000 || by["paradise"].GetCadence().GetSeconds() != 300 {
		t.Errorf("atomopay %v, paradise %v", by["atomopay"].GetCallsPerMinute(), by["paradise"].GetCadence())
	}
}
