package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

var listedDay = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// list asks for the charges of one day.
func list(a *gatewaysv1.Account, token string) *gatewaysv1.ListTransactionsRequest {
	return &gatewaysv1.ListTransactionsRequest{MerchantId: a.GetMerchantId(), AccountId: a.GetId(), CreatedFrom: timestamppb.New(listedDay),
		CreatedTo: timestamppb.New(listedDay.AddDate(0, 0, 1)), PageToken: token}
}

// twoPages answers as Bolt does: a paid and an oddly worded charge, then a page of the day before.
func twoPages(rw http.ResponseWriter, r *http.Request) {
	body := `{"data":[
		{"id":"c1","amount":1990,"status":"paid","items":[{"externalRef":"BX1"}],"pix":{"endToEndId":"E123"},"createdAt":"2026-11-23T11:00:00Z","paidAt":"2026-11-23T11:01:00Z"},
		{"id":"c2","amount":50,"status":"teleported","createdAt":"2026-11-23T11:00:00Z"}],"pagination":{"page":1,"totalPages":2}}`
	if r.URL.Query().Get("page") == "2" {
		body = `{"data":[{"id":"c3","amount":1,"status":"paid","createdAt":"2026-11-22T11:00:00Z"}],"pagination":{"page":2,"totalPages":2}}`
	}
	says(200, body)(rw, r)
}

func TestListTransactions_pageByPage(t *testing.T) {
	w := newWorld(t)
	a := w.account("bolt")
	w.on(twoPages)
	got, err := w.gateways.ListTransactions(t.Context(), list(a, ""))
	if err != nil {
		t.Fatal(err)
	}
	next := got.GetNextPageToken()
	if next == "" || got.GetElapsed().AsDuration() <= 0 {
		t.Errorf("next %q, elapsed %s", next, got.GetElapsed().AsDuration())
	}
	got.NextPageToken, got.Elapsed = "", nil
	created := timestamppb.New(listedDay.Add(11 * time.Hour))
	equal(t, "first page", &gatewaysv1.ListTransactionsResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, HttpStatus: 200, ProviderCalls: 1,
		Endpoint: "GET /transactions?page={page}&limit={limit}", Transactions: []*gatewaysv1.Reading{
			{Status: gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, ProviderStatus: "paid", Amount: brl(1990), Ref: &gatewaysv1.ChargeRef{Id: "c1", Reference: "BX1"},
				CreatedAt: created, PaidAt: timestamppb.New(listedDay.Add(11*time.Hour + time.Minute)), EndToEndId: "E123"},
			{Status: gatewaysv1.ChargeStatus_CHARGE_STATUS_UNKNOWN, ProviderStatus: "teleported", Amount: brl(50), Ref: &gatewaysv1.ChargeRef{Id: "c2"}, CreatedAt: created},
		}}, got)

	got, err = w.gateways.ListTransactions(t.Context(), list(a, next))
	if err != nil {
		t.Fatal(err)
	}
	if got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS || len(got.GetTransactions()) != 0 || got.GetNextPageToken() != "" {
		t.Errorf("second page: %v, want an empty one that is the last", got)
	}
	w.gate.Flush(t.Context())
	if n := w.find(t, a.GetId()).GetCallsLastMinute(); n != 2 {
		t.Errorf("%d calls counted, want 2", n)
	}
}

// The end of a list without one is the first page's now for all of its pages.
func TestListTransactions_withoutAnEnd(t *testing.T) {
	w := newWorld(t)
	a := w.account("bolt")
	w.on(twoPages)
	ask := list(a, "")
	ask.CreatedTo = nil
	got, err := w.gateways.ListTransactions(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	ask.PageToken = got.GetNextPageToken()
	if got, err = w.gateways.ListTransactions(t.Context(), ask); err != nil || got.GetNextPageToken() != "" {
		t.Errorf("second page: %v, %v", got, err)
	}
}

func TestListTransactions_refusesBadQuestions(t *testing.T) {
	w := newWorld(t)
	a, other := w.account("bolt"), w.account("bolt", func(r *gatewaysv1.PutAccountRequest) { r.Label = "second" })
	w.on(twoPages)
	first, err := w.gateways.ListTransactions(t.Context(), list(a, ""))
	if err != nil {
		t.Fatal(err)
	}
	asked := w.count()
	for _, c := range []struct {
		name   string
		change func(*gatewaysv1.ListTransactionsRequest)
		want   codes.Code
		says   string
	}{
		{"no beginning", func(r *gatewaysv1.ListTransactionsRequest) { r.CreatedFrom = nil }, codes.InvalidArgument, "created_from"},
		{"no moment", func(r *gatewaysv1.ListTransactionsRequest) { r.CreatedFrom = &timestamppb.Timestamp{Nanos: -1} }, codes.InvalidArgument, "created_from"},
		{"an end before it", func(r *gatewaysv1.ListTransactionsRequest) { r.CreatedTo = timestamppb.New(listedDay.Add(-1)) }, codes.InvalidArgument, "created_to"},
		{"a strange token", func(r *gatewaysv1.ListTransactionsRequest) { r.PageToken = "2" }, codes.InvalidArgument, "page_token"},
		{"a long token", func(r *gatewaysv1.ListTransactionsRequest) { r.PageToken = strings.Repeat("a", 2000) }, codes.InvalidArgument, "page_token"},
		{"another account's token", func(r *gatewaysv1.ListTransactionsRequest) {
			r.AccountId, r.PageToken = other.GetId(), first.GetNextPageToken()
		}, codes.InvalidArgument, "page_token"},
		{"another time's token", func(r *gatewaysv1.ListTransactionsRequest) {
			r.CreatedFrom, r.PageToken = timestamppb.New(listedDay.Add(time.Second)), first.GetNextPageToken()
		}, codes.InvalidArgument, "page_token"},
		{"no account", func(r *gatewaysv1.ListTransactionsRequest) { r.AccountId = "x" }, codes.InvalidArgument, "account_id"},
		{"another's account", func(r *gatewaysv1.ListTransactionsRequest) { r.MerchantId = beto }, codes.NotFound, "account"},
	} {
		ask := list(a, "")
		c.change(ask)
		_, err := w.gateways.ListTransactions(t.Context(), ask)
		wantCode(t, c.name, err, c.want, c.says)
	}
	if w.count() != asked {
		t.Error("the provider was asked")
	}
}

func TestListTransactions_onlyWhereTheProviderLists(t *testing.T) {
	w := newWorld(t)
	listed, err := w.gateways.ListProviders(t.Context(), &gatewaysv1.ListProvidersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	can := map[string]bool{}
	for _, p := range listed.GetProviders() {
		can[p.GetName()] = p.GetCanList()
	}
	for _, name := range []string{"atomopay", "paradise", "pushinpay", "umbrellapag", "bolt"} {
		_, err := w.gateways.ListTransactions(t.Context(), list(w.account(name), ""))
		if can[name] != (name == "bolt") {
			t.Errorf("%s: can_list is %v", name, can[name])
		}
		if name == "bolt" {
			if err != nil {
				t.Errorf("bolt: %v", err)
			}
			continue
		}
		wantCode(t, name, err, codes.FailedPrecondition, name, "no listing", "can_list")
	}
}

// What the provider fails to say is data, and counts for the account as any other call.
func TestListTransactions_everyOutcome(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   gatewaysv1.Outcome
		code   int32
		wait   time.Duration
	}{
		{"empty", says(200, `{"data":[]}`), gatewaysv1.Outcome_OUTCOME_STATUS, 200, 0},
		{"5xx", says(503, `{}`), gatewaysv1.Outcome_OUTCOME_TRANSIENT, 503, 0},
		{"web page", says(200, `<!doctype html>`), gatewaysv1.Outcome_OUTCOME_TRANSIENT, 200, 0},
		{"another shape", says(200, `{"weather":"fine"}`), gatewaysv1.Outcome_OUTCOME_CONTRACT, 200, 0},
		{"malformed", says(422, `{"message":"limit"}`), gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, 422, 0},
		{"credentials", says(401, `{"message":"Unauthorized"}`), gatewaysv1.Outcome_OUTCOME_CREDENTIAL, 401, 0},
		{"too often", says(429, `{}`, "Retry-After", "7"), gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, 429, 7 * time.Second},
	} {
		a := w.account("bolt", func(r *gatewaysv1.PutAccountRequest) { r.Label = c.name })
		w.on(c.answer)
		got, err := w.gateways.ListTransactions(t.Context(), list(a, ""))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.GetOutcome() != c.want || got.GetHttpStatus() != c.code || got.GetRetryAfter().AsDuration() != c.wait || got.GetNextPageToken() != "" ||
			(got.GetReason() == "") != (c.want == gatewaysv1.Outcome_OUTCOME_STATUS) {
			t.Errorf("%s: %v, want %s, HTTP %d, wait %s", c.name, got, c.want, c.code, c.wait)
		}
		if strings.Contains(fmt.Sprint(got), canary) {
			t.Errorf("%s: a secret in the answer", c.name)
		}
		if c.want == gatewaysv1.Outcome_OUTCOME_CREDENTIAL || c.want == gatewaysv1.Outcome_OUTCOME_RATE_LIMITED { // the account is paused, silent
			before := w.count()
			got, err := w.gateways.ListTransactions(t.Context(), list(a, ""))
			if err != nil || got.GetOutcome() != c.want || got.GetProviderCalls() != 0 || w.count() != before {
				t.Errorf("%s, again: %v, %v; want the same without a call", c.name, got, err)
			}
		}
	}
}

func TestListTransactions_spendsTheBudget(t *testing.T) {
	w := newWorld(t)
	a := w.account("bolt", func(r *gatewaysv1.PutAccountRequest) { r.CallsPerMinute = 1 })
	w.on(twoPages)
	refused := 0
	for range 5 {
		got, err := w.gateways.ListTransactions(t.Context(), list(a, ""))
		if err != nil {
			t.Fatal(err)
		}
		if got.GetOutcome() == gatewaysv1.Outcome_OUTCOME_RATE_LIMITED && got.GetRetryAfter().AsDuration() > 0 && got.GetProviderCalls() == 0 {
			refused++
		}
	}
	if refused != 4 || w.count() != 1 {
		t.Errorf("%d of 5 refused, %d calls; a budget of one a minute lets one through", refused, w.count())
	}
}
