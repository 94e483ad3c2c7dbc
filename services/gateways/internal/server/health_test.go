package server_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

func TestPause_stopsCallsUntilCredentialsArePut(t *testing.T) {
	w := newWorld(t)
	other := w.serve()
	a := w.account("atomopay")
	w.on(says(401, `{"message":"Unauthenticated."}`))
	if got := w.look(t, a, hash("h1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_CREDENTIAL || got.GetProviderCalls() != 1 {
		t.Fatalf("first look: %v", got)
	}
	paused := w.find(t, a.GetId())
	if paused.GetState() != gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED || paused.GetStateReason() != "atomopay refused the credentials with HTTP 401 at GET /transactions/{hash}" {
		t.Errorf("account: %s, %q", paused.GetState(), paused.GetStateReason())
	}
	for i, r := range []replica{w.replica, other} {
		got := r.look(t, a, hash("h1"))
		if got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_CREDENTIAL || got.GetProviderCalls() != 0 || got.GetRetryAfter().AsDuration() != time.Minute {
			t.Errorf("replica %d asks with a paused account: %v", i, got)
		}
	}
	if n := w.count(); n != 1 {
		t.Errorf("the provider was asked %d times, want 1", n)
	}
	w.on(says(200, `{"payment_status":"pending"}`))
	if resumed := w.account("atomopay"); resumed.GetId() != a.GetId() || resumed.GetState() != gatewaysv1.AccountState_ACCOUNT_STATE_ACTIVE {
		t.Fatalf("put again: %v", resumed)
	}
	if got := w.look(t, a, hash("h1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
		t.Errorf("after new credentials: %v", got)
	}
	for start := time.Now(); ; { // 2 s by the book's clock, which its own tests hold in their hands
		if other.look(t, a, hash("h1")).GetOutcome() == gatewaysv1.Outcome_OUTCOME_STATUS {
			break
		}
		if time.Since(start) > never {
			t.Fatalf("another replica still uses the old account after %s", never)
		}
	}
}

func TestVerifyAccount_resumesAndPauses(t *testing.T) {
	w := newWorld(t)
	a := w.account("pushinpay")
	verify := func(want gatewaysv1.Outcome, code int32, state gatewaysv1.AccountState) {
		t.Helper()
		resp, err := w.accounts.VerifyAccount(t.Context(), &gatewaysv1.VerifyAccountRequest{MerchantId: ana, AccountId: a.GetId()})
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetOutcome() != want || resp.GetHttpStatus() != code || resp.GetAccount().GetState() != state {
			t.Errorf("%s, HTTP %d, %s, want %s, %d, %s", resp.GetOutcome(), resp.GetHttpStatus(), resp.GetAccount().GetState(), want, code, state)
		}
		if (resp.GetReason() != "") != (want != gatewaysv1.Outcome_OUTCOME_STATUS) {
			t.Errorf("reason %q with %s", resp.GetReason(), want)
		}
	}
	active, refused := gatewaysv1.AccountState_ACCOUNT_STATE_ACTIVE, gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED
	w.on(says(403, `{"message":"Forbidden"}`))
	verify(gatewaysv1.Outcome_OUTCOME_CREDENTIAL, 403, refused)
	w.on(says(502, ``))
	verify(gatewaysv1.Outcome_OUTCOME_TRANSIENT, 502, refused)
	w.on(says(200, `{"id":"x","name":"Loja"}`))
	verify(gatewaysv1.Outcome_OUTCOME_STATUS, 200, active)
	if got := w.look(t, a, &gatewaysv1.ChargeRef{Id: "1"}); got.GetProviderCalls() != 1 {
		t.Errorf("after the success: %v", got)
	}
}

func TestRetryAfter_silencesTheWholeAccountEverywhere(t *testing.T) {
	w := newWorld(t)
	other := w.serve()
	a, b := w.account("atomopay"), w.account("paradise")
	w.on(says(429, `{"message":"slow down"}`, "Retry-After", "90"))
	if got := w.look(t, a, hash("h1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_RATE_LIMITED || got.GetHttpStatus() != 429 || got.GetRetryAfter().AsDuration() != 90*time.Second {
		t.Fatalf("first look: %v", got)
	}
	w.on(says(200, `{"id":1,"status":"approved"}`))
	for i, r := range []replica{w.replica, other} {
		got := r.look(t, a, hash("h2"))
		if wait := got.GetRetryAfter().AsDuration(); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_RATE_LIMITED || got.GetProviderCalls() != 0 || wait > 90*time.Second || wait < 60*time.Second {
			t.Errorf("replica %d: %v", i, got)
		}
	}
	resp, err := w.accounts.VerifyAccount(t.Context(), &gatewaysv1.VerifyAccountRequest{MerchantId: ana, AccountId: a.GetId()})
	if err != nil || resp.GetOutcome() != gatewaysv1.Outcome_OUTCOME_RATE_LIMITED {
		t.Errorf("verify during the silence: %v, %v", resp, err)
	}
	if got := other.look(t, b, &gatewaysv1.ChargeRef{Id: "1"}); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
		t.Errorf("another account: %v", got)
	}
	if n := w.count(); n != 2 {
		t.Errorf("the providers were asked %d times, want 2", n)
	}
}

func TestRetryAfter_endsWhenItSays(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	w.on(says(429, ``, "Retry-After", "1"))
	start := time.Now()
	w.look(t, a, hash("h1"))
	w.on(says(200, `{"payment_status":"paid"}`))
	for w.look(t, a, hash("h1")).GetProviderCalls() == 0 {
		if time.Since(start) > never {
			t.Fatalf("still silent after %s", never)
		}
	}
	if took := time.Since(start); took < time.Second {
		t.Errorf("asked again after %s", took)
	}
}

func TestBreaker_opensProbesAndCloses(t *testing.T) {
	tune := func(s *tuning) {
		s.Failures, s.BreakerFirst, s.BreakerLimit, s.ProbeLease = 5, time.Hour, time.Hour, time.Hour
	}
	w := newWorld(t, tune)
	other := w.serve(tune)
	a := w.account("atomopay")
	w.on(says(500, `oops`))
	req := &gatewaysv1.BatchGetPaymentStatusRequest{}
	for i := range 200 {
		req.Requests = append(req.Requests, question(a, hash(fmt.Sprint("h", i))))
	}
	resp, err := w.gateways.BatchGetPaymentStatus(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range resp.GetResults() {
		if got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_TRANSIENT || (got.GetProviderCalls() == 0) != (got.GetRetryAfter() != nil) {
			t.Errorf("result %d: %v", i, got)
		}
	}
	// Those in flight when it opened still count: at most the five and what ran beside them.
	asked := w.count()
	if asked < 5 || asked > 5+32 {
		t.Errorf("a failing provider was asked %d times", asked)
	}
	if err := w.gate.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.find(t, a.GetId()); got.GetBreaker() == "closed" || got.GetLastFailureAt() == nil {
		t.Errorf("account: breaker %s, last failure %v", got.GetBreaker(), got.GetLastFailureAt())
	}
	// When its time is over one probe goes out, however many ask in both replicas.
	if _, err := w.db.Admin(t).Exec(t.Context(), `UPDATE gateways.health SET retry_at = clock_timestamp()`); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		<-release
		says(200, `{"payment_status":"pending"}`)(rw, r)
	})
	var wg sync.WaitGroup
	var probed atomic.Int64
	stop := make(chan struct{})
	for _, r := range []replica{w.replica, other} {
		for range 4 {
			wg.Go(func() {
				for {
					resp, err := r.gateways.GetPaymentStatus(t.Context(), question(a, hash("h1")))
					if err != nil {
						t.Error(err)
						return
					}
					if resp.GetResult().GetProviderCalls() > 0 {
						probed.Add(1)
						return
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
	}
	w.wait(t, asked+1)
	if got := w.find(t, a.GetId()); got.GetBreaker() != "half-open" {
		t.Errorf("breaker %s during the probe", got.GetBreaker())
	}
	for range 20 { // others keep asking meanwhile
		if got := other.look(t, a, hash("h9")); got.GetProviderCalls() != 0 {
			t.Errorf("a second call beside the probe: %v", got)
		}
	}
	if n := w.count(); n != asked+1 {
		t.Errorf("%d probes, want 1", n-asked)
	}
	close(release)
	close(stop)
	wg.Wait()
	if probed.Load() == 0 {
		t.Error("nobody got the probe's answer")
	}
	if got := w.find(t, a.GetId()); got.GetBreaker() != "closed" {
		t.Errorf("breaker %s after the probe's success", got.GetBreaker())
	}
	if got := other.look(t, a, hash("h1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
		t.Errorf("after closing: %v", got)
	}
}

func TestBudget_grantsInTheOrderOfTheQuestions(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.CallsPerMinute = 60 }) // six at once, then one every 1.1 s
	w.on(says(200, `{"payment_status":"pending"}`))
	req := &gatewaysv1.BatchGetPaymentStatusRequest{}
	for i := range 20 {
		req.Requests = append(req.Requests, question(a, hash(fmt.Sprint("h", i))))
	}
	resp, err := w.gateways.BatchGetPaymentStatus(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range resp.GetResults() {
		if i < 6 && got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
			t.Errorf("question %d: %v", i, got)
		}
		if wait := got.GetRetryAfter().AsDuration(); i >= 6 && (got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_RATE_LIMITED || got.GetProviderCalls() != 0 || wait <= 0 || wait > 1100*time.Millisecond) {
			t.Errorf("question %d beyond the budget: %v", i, got)
		}
	}
	if n := w.find(t, a.GetId()).GetCallsLastMinute(); n != 0 {
		t.Errorf("%d calls in the last minute before the counters were written", n)
	}
	if err := w.gate.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.find(t, a.GetId()); got.GetCallsLastMinute() != 6 || got.GetLastSuccessAt() == nil {
		t.Errorf("%d calls, last success %v", got.GetCallsLastMinute(), got.GetLastSuccessAt())
	}
}

func TestBudget_holdsOverThreeReplicas(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.CallsPerMinute = 3000 }) // 300 at once, then 45 a second
	w.on(says(404, `{}`))
	replicas := []replica{w.replica, w.serve(), w.serve()}
	start := time.Now()
	var wg sync.WaitGroup
	for _, r := range replicas {
		wg.Go(func() {
			for i := 0; i < 10 || time.Since(start) < time.Second || w.count() < 300; i++ {
				req := &gatewaysv1.BatchGetPaymentStatusRequest{}
				for j := range 20 { // two identifiers, both not found: two calls a look
					req.Requests = append(req.Requests, question(a, &gatewaysv1.ChargeRef{Hash: fmt.Sprint("h", i, j), Id: fmt.Sprint(i, j)}))
				}
				if _, err := r.gateways.BatchGetPaymentStatus(t.Context(), req); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	bound := 300 + int(time.Since(start).Seconds()*45.1) + 1
	// What a look costs beyond one call is settled with the account's next question: each replica may be one batch ahead.
	if n := w.count(); n > bound+3*20 || n < 300 {
		t.Errorf("%d calls were made, the bound is %d", n, bound)
	}
	t.Logf("%d calls of a bound of %d in %s", w.count(), bound, time.Since(start))
}
