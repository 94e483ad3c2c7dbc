package server_test

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

// secondPushinpay reads PushinPay otherwise: "approved" is new to it, and it looks for the amount elsewhere.
const secondPushinpay = `name: pushinpay
version: v2
title: PushinPay, second reading
base_url: https://api.pushinpay.com.br/api
auth: {kind: bearer, credentials: [token]}
identifiers: [{kind: id, path: "/transactions/{id}", meaning: the id, confidence: low}]
lower_case_ids: true
unit: centavos
answer: {status: [status], id: [id], amount: [amount_cents, value]}
webhook: {trust: none, formats: [json]}
words: {paid: {high: [paid]}, pending: {high: [created]}, expired: {low: [expired]}}
poll: {min_interval: 60s, cadence: 60s, calls_per_minute: 60, confidence: low}
credentials: [{name: token, required: true, pt: chave, en: token}]
`

func TestShadow_readsBesideAndDecidesNothing(t *testing.T) {
	out := &log{}
	w := newWorld(t, func(s *tuning) { s.more, s.Log = []string{secondPushinpay}, out.logger() })
	a := w.account("pushinpay", func(r *gatewaysv1.PutAccountRequest) { r.Shadow = "v2" })
	if a.GetShadow() != "v2" {
		t.Fatalf("put with shadow %q", a.GetShadow())
	}
	answers := map[string]http.HandlerFunc{
		"a": says(200, `{"id":"a","status":"paid","value":1990}`),
		"b": says(200, `{"id":"b","status":"approved","value":1990}`),
		"c": says(200, `{"id":"c","status":"paid","value":1990,"amount_cents":5}`),
		"d": says(200, `{"data":{"id":"d","status":"paid","value":1990}}`),
		"e": says(404, `null`),
		"f": says(200, `{"id":"f","status":"`+canary+`","value":1990}`),
	}
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		answers[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]](rw, r)
	})
	for id, want := range map[string]gatewaysv1.ChargeStatus{"a": gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, "b": gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID,
		"c": gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, "d": gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, "e": gatewaysv1.ChargeStatus_CHARGE_STATUS_UNSPECIFIED,
		"f": gatewaysv1.ChargeStatus_CHARGE_STATUS_UNKNOWN} {
		got := w.look(t, a, &gatewaysv1.ChargeRef{Id: id})
		if got.GetReading().GetStatus() != want || got.GetProviderCalls() != 1 {
			t.Errorf("%s: %s after %d calls; the first decides %s, and the shadow makes no call", id, got.GetReading().GetStatus(), got.GetProviderCalls(), want)
		}
	}
	if n := w.count(); n != len(answers) {
		t.Errorf("%d calls, want %d", n, len(answers))
	}
	got, err := w.accounts.ListShadowDifferences(t.Context(), &gatewaysv1.ListShadowDifferencesRequest{MerchantId: ana, AccountId: a.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetVersion() != "v2" || got.GetLooks() != 6 || got.GetDiffering() != 3 {
		t.Errorf("%s: %d of %d answers differ, want 3 of 6", got.GetVersion(), got.GetDiffering(), got.GetLooks())
	}
	found := map[string]string{}
	for _, d := range got.GetDifferences() {
		found[d.GetRef()+" "+d.GetField()] = d.GetDecided() + " / " + d.GetShadow()
	}
	equal(t, "differences", map[string]string{"id:b status": "paid / unknown", "id:c amount": "R$ 19,90 BRL / R$ 0,05 BRL", "id:d outcome": "status / contract"}, found)
	if listed := w.find(t, a.GetId()); listed.GetShadowLooks() != 6 || listed.GetShadowDifferences() != 3 {
		t.Errorf("listed with %d of %d", listed.GetShadowDifferences(), listed.GetShadowLooks())
	}
	if strings.Contains(out.String(), canary) {
		t.Error("a secret in the log")
	}
}

func TestShadow_mustExistAndBeContent(t *testing.T) {
	more := strings.NewReplacer("version: v2", "version: v3", "name: token,", "name: another,", "credentials: [token]", "credentials: [another]").Replace(secondPushinpay)
	w := newWorld(t, func(s *tuning) { s.more = []string{secondPushinpay, more} })
	for version, says := range map[string]string{"v9": "there are v2, v3", "v3": "needs another"} {
		_, err := w.accounts.PutAccount(t.Context(), w.putRequest("pushinpay", func(r *gatewaysv1.PutAccountRequest) { r.Shadow = version }))
		wantCode(t, version, err, codes.InvalidArgument, "shadow", says)
	}
	_, err := w.accounts.PutAccount(t.Context(), w.putRequest("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.Shadow = "v2" }))
	wantCode(t, "another provider's", err, codes.InvalidArgument, "shadow", "only the one that decides")
	list, err := w.gateways.ListProviders(t.Context(), &gatewaysv1.ListProvidersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list.GetProviders() {
		if want := map[string]string{"pushinpay": "v2 v3"}[p.GetName()]; strings.Join(p.GetVersions(), " ") != want {
			t.Errorf("%s has versions %v, want %q", p.GetName(), p.GetVersions(), want)
		}
	}
	// A replica without the file goes on without the shadow.
	a := w.account("pushinpay", func(r *gatewaysv1.PutAccountRequest) { r.Shadow = "v2" })
	w.on(says(200, `{"id":"a","status":"paid","value":1990}`))
	if got := w.serve().look(t, a, &gatewaysv1.ChargeRef{Id: "a"}); got.GetReading().GetStatus() != gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID {
		t.Errorf("without the file: %v", got)
	}
}
