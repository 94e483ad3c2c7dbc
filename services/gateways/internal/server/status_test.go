package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

func TestGetPaymentStatus_readsWhatTheProviderSays(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	w.on(says(200, `{"success":true,"data":{"id":77,"hash":"h1","payment_status":"paid","amount":1990,"paid_at":"2026-05-01T12:00:00Z"}}`))
	got := w.look(t, a, hash("h1"))
	if got.GetElapsed().AsDuration() <= 0 || got.GetExcerpt() == "" {
		t.Errorf("elapsed %s, excerpt %q", got.GetElapsed().AsDuration(), got.GetExcerpt())
	}
	got.Elapsed, got.Excerpt = nil, ""
	equal(t, "result", &gatewaysv1.PollResult{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, HttpStatus: 200, ProviderCalls: 1, Endpoint: "GET /transactions/{hash}",
		Reading: &gatewaysv1.Reading{Status: gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, ProviderStatus: "paid", Amount: brl(1990),
			Ref: &gatewaysv1.ChargeRef{Hash: "h1", Id: "77"}, PaidAt: timestamppb.New(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))}}, got)
}

func TestGetPaymentStatus_triesTheNextIdentifier(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/77") {
			says(200, `{"id":77,"hash":"h1","payment_status":"waiting_payment"}`)(rw, r)
			return
		}
		says(404, `{"message":"not found"}`)(rw, r)
	})
	got := w.look(t, a, &gatewaysv1.ChargeRef{Hash: "h1", Id: "77"})
	if got.GetReading().GetStatus() != gatewaysv1.ChargeStatus_CHARGE_STATUS_PENDING || got.GetProviderCalls() != 2 {
		t.Errorf("%s after %d calls, want PENDING after 2", got.GetReading().GetStatus(), got.GetProviderCalls())
	}
}

func TestGetPaymentStatus_everyOutcome(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   gatewaysv1.Outcome
		code   int32
	}{
		{"unknown word", says(200, `{"hash":"h1","payment_status":"teleported"}`), gatewaysv1.Outcome_OUTCOME_STATUS, 200},
		{"not found", says(404, `{}`), gatewaysv1.Outcome_OUTCOME_NOT_FOUND, 404},
		{"5xx", says(503, `{}`), gatewaysv1.Outcome_OUTCOME_TRANSIENT, 503},
		{"web page", says(200, `<!doctype html><html>busy</html>`), gatewaysv1.Outcome_OUTCOME_TRANSIENT, 200},
		{"error inside", says(200, `{"success":false,"message":"try later"}`), gatewaysv1.Outcome_OUTCOME_TRANSIENT, 200},
		{"hung up", func(rw http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, gatewaysv1.Outcome_OUTCOME_TRANSIENT, 0},
		{"another shape", says(200, `{"weather":"fine"}`), gatewaysv1.Outcome_OUTCOME_CONTRACT, 200},
		{"malformed", says(422, `{"message":"bad hash"}`), gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, 422},
		{"credentials", says(401, `{"message":"Unauthenticated."}`), gatewaysv1.Outcome_OUTCOME_CREDENTIAL, 401},
		{"too often", says(429, `{}`, "Retry-After", "7"), gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, 429},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.Label = c.name })
			w.on(c.answer)
			got := w.look(t, a, hash("h1"))
			// A connection that breaks is tried once more by the HTTP client itself, which counts.
			most := int32(1)
			if c.code == 0 {
				most = 2
			}
			if n := got.GetProviderCalls(); got.GetOutcome() != c.want || got.GetHttpStatus() != c.code || n < 1 || n > most {
				t.Errorf("outcome %s, HTTP %d, %d calls, want %s, %d, 1", got.GetOutcome(), got.GetHttpStatus(), got.GetProviderCalls(), c.want, c.code)
			}
			if got.GetReading() != nil != (c.want == gatewaysv1.Outcome_OUTCOME_STATUS) {
				t.Errorf("reading %v", got.GetReading())
			}
			if s := got.GetReading().GetStatus(); s == gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID {
				t.Error("paid out of nothing")
			}
			if wait := got.GetRetryAfter().AsDuration(); c.code == 429 && wait != 7*time.Second {
				t.Errorf("retry after %s, want 7s", wait)
			}
		})
	}
}

func TestGetPaymentStatus_refusesBadQuestions(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	ask := func(ctx context.Context, r *gatewaysv1.GetPaymentStatusRequest) error {
		_, err := w.gateways.GetPaymentStatus(ctx, r)
		return err
	}
	wantCode(t, "no identifier", ask(t.Context(), question(a, nil)), codes.InvalidArgument, "ref")
	wantCode(t, "no merchant", ask(t.Context(), &gatewaysv1.GetPaymentStatusRequest{AccountId: a.GetId(), Ref: hash("h")}), codes.InvalidArgument, "merchant_id")
	wantCode(t, "no UUID", ask(t.Context(), &gatewaysv1.GetPaymentStatusRequest{MerchantId: ana, AccountId: "x", Ref: hash("h")}), codes.InvalidArgument, "account_id")
	foreign := question(a, hash("h"))
	foreign.MerchantId = beto
	wantCode(t, "another merchant's account", ask(t.Context(), foreign), codes.NotFound)
	got := w.look(t, a, &gatewaysv1.ChargeRef{Reference: "only-ours"})
	if got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST || got.GetProviderCalls() != 0 {
		t.Errorf("an identifier that the provider does not take: %v", got)
	}
	if n := w.count(); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
}

func TestBatchGetPaymentStatus_answersInOrder(t *testing.T) {
	w := newWorld(t)
	a, b := w.account("atomopay"), w.account("paradise", func(r *gatewaysv1.PutAccountRequest) { r.MerchantId = beto })
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, "/transactions/"); ok {
			says(200, fmt.Sprintf(`{"hash":%q,"payment_status":"paid","amount":%d}`, name, len(name)))(rw, r)
			return
		}
		says(200, fmt.Sprintf(`{"id":%s,"status":"approved","amount":500}`, r.URL.Query().Get("id")))(rw, r)
	})
	req := &gatewaysv1.BatchGetPaymentStatusRequest{}
	for i := range 200 {
		switch {
		case i%50 == 7:
			req.Requests = append(req.Requests, &gatewaysv1.GetPaymentStatusRequest{MerchantId: ana, AccountId: b.GetId(), Ref: hash("h")})
		case i%50 == 8:
			req.Requests = append(req.Requests, question(a, nil))
		case i%2 == 0:
			req.Requests = append(req.Requests, question(a, hash(strings.Repeat("x", i+1))))
		default:
			req.Requests = append(req.Requests, question(b, &gatewaysv1.ChargeRef{Id: fmt.Sprint(1000 + i)}))
		}
	}
	resp, err := w.gateways.BatchGetPaymentStatus(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.GetResults()) != 200 {
		t.Fatalf("%d results", len(resp.GetResults()))
	}
	for i, got := range resp.GetResults() {
		switch {
		case i%50 == 7 || i%50 == 8:
			if got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST || got.GetProviderCalls() != 0 {
				t.Errorf("result %d: %v", i, got)
			}
		case i%2 == 0:
			if got.GetReading().GetAmount().GetCentavos() != int64(i+1) {
				t.Errorf("result %d: %v", i, got)
			}
		default:
			if got.GetReading().GetRef().GetId() != fmt.Sprint(1000+i) {
				t.Errorf("result %d: %v", i, got)
			}
		}
	}
	for n, bad := range map[string]*gatewaysv1.BatchGetPaymentStatusRequest{"none": {}, "501": {Requests: make([]*gatewaysv1.GetPaymentStatusRequest, 501)}} {
		for i := range bad.Requests {
			bad.Requests[i] = question(a, hash("h"))
		}
		_, err := w.gateways.BatchGetPaymentStatus(t.Context(), bad)
		wantCode(t, n, err, codes.InvalidArgument, "requests")
	}
}

func TestBatchGetPaymentStatus_boundsTheCallsOfAnAccount(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	var now, most atomic.Int64
	full, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		if n == 32 {
			once.Do(func() { close(full) })
		}
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-gate
		says(200, `{"payment_status":"pending"}`)(rw, r)
	})
	req := &gatewaysv1.BatchGetPaymentStatusRequest{}
	for i := range 100 {
		req.Requests = append(req.Requests, question(a, hash(fmt.Sprintf("h%d", i))))
	}
	done := make(chan error, 1)
	go func() {
		_, err := w.gateways.BatchGetPaymentStatus(context.Background(), req)
		done <- err
	}()
	select {
	case <-full:
	case <-time.After(never):
		t.Errorf("%d calls at once after %s, want 32", now.Load(), never)
	}
	close(gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := most.Load(); n != 32 {
		t.Errorf("%d calls at once, want 32", n)
	}
	if n := w.count(); n != 100 {
		t.Errorf("%d calls, want 100", n)
	}
}

// A slow provider costs its own items, never the answers of the others.
func TestBatchGetPaymentStatus_bringsHomeWhatIsThere(t *testing.T) {
	w := newWorld(t, func(s *tuning) { s.callTimeout = time.Hour })
	slow, quick := w.account("atomopay"), w.account("paradise")
	hang := make(chan struct{})
	defer close(hang)
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/transactions/") {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
			return
		}
		says(200, `{"id":1,"status":"approved"}`)(rw, r)
	})
	req := &gatewaysv1.BatchGetPaymentStatusRequest{Requests: []*gatewaysv1.GetPaymentStatusRequest{question(quick, &gatewaysv1.ChargeRef{Id: "1"})}}
	for i := range 50 {
		req.Requests = append(req.Requests, question(slow, hash(fmt.Sprint("h", i))))
	}
	var resp *gatewaysv1.BatchGetPaymentStatusResponse
	var err error
	for _, patience := range []time.Duration{4 * time.Second, 10 * time.Second, 25 * time.Second} { // a busy machine may need more for the way home
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		resp, err = w.gateways.BatchGetPaymentStatus(ctx, req)
		cancel()
		if status.Code(err) != codes.DeadlineExceeded {
			break
		}
	}
	if err != nil {
		t.Fatalf("the whole batch is lost: %v", err)
	}
	for i, got := range resp.GetResults() {
		want := gatewaysv1.Outcome_OUTCOME_TRANSIENT
		if i == 0 {
			want = gatewaysv1.Outcome_OUTCOME_STATUS
		}
		if got.GetOutcome() != want {
			t.Errorf("result %d: %v, want %s", i, got, want)
		}
		if i > 0 && got.GetProviderCalls() == 0 && got.GetRetryAfter() == nil {
			t.Errorf("result %d was not asked and does not say when to ask again", i)
		}
	}
}

// An impatient caller says nothing about the provider, which has had less than its fair time of three seconds: the breaker stays closed.
func TestBatchGetPaymentStatus_impatienceIsNotAFailure(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	w.on(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	req := &gatewaysv1.BatchGetPaymentStatusRequest{}
	for i := range 50 {
		req.Requests = append(req.Requests, question(a, hash(fmt.Sprint("h", i))))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := w.gateways.BatchGetPaymentStatus(ctx, req); err != nil && status.Code(err) != codes.DeadlineExceeded {
		t.Fatal(err)
	}
	if a := w.find(t, a.GetId()); a.GetBreaker() != "closed" {
		t.Errorf("breaker %s after a caller's short deadline", a.GetBreaker())
	}
}

func TestGetPaymentStatus_saysWhichPaidNeedsASecondLook(t *testing.T) {
	w := newWorld(t)
	w.on(says(200, `{"id":"u1","status":"PAID","amount":1990,"hash":"u1","payment_status":"paid"}`))
	for provider, want := range map[string]bool{"umbrellapag": true, "atomopay": false} {
		a := w.account(provider)
		got := w.look(t, a, &gatewaysv1.ChargeRef{Id: "u1", Hash: "u1"}).GetReading()
		if got.GetStatus() != gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID || got.GetUnsafe() != want {
			t.Errorf("%s: %v, want unsafe %v", provider, got, want)
		}
	}
}
