package server_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

// firstHangs answers every request but the first, which waits until its caller leaves.
func firstHangs(answer http.HandlerFunc) (http.HandlerFunc, *atomic.Int32) {
	var n atomic.Int32
	return func(rw http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			<-r.Context().Done()
			return
		}
		answer(rw, r)
	}, &n
}

func TestHedge_whereReadsAreFree(t *testing.T) {
	w := newWorld(t, func(s *tuning) { s.hedge, s.callTimeout = 20*time.Millisecond, 20*time.Second })
	a := w.account("atomopay")
	answer, asked := firstHangs(says(200, `{"hash":"h1","payment_status":"paid","amount":1990}`))
	w.on(answer)
	got := w.look(t, a, hash("h1"))
	if got.GetReading().GetStatus() != gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID || got.GetProviderCalls() != 2 || asked.Load() != 2 {
		t.Errorf("%v after %d requests, want PAID after two", got, asked.Load())
	}
	w.gate.Flush(t.Context())
	if n := w.find(t, a.GetId()).GetCallsLastMinute(); n != 2 {
		t.Errorf("%d calls counted, want both", n)
	}
	// A failure that comes before the second request is not hedged.
	w.on(says(503, `{}`))
	patient := w.serve(func(s *tuning) { s.hedge, s.callTimeout = time.Hour, 2*time.Hour })
	if got := patient.look(t, a, hash("h2")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_TRANSIENT || got.GetHttpStatus() != 503 || got.GetProviderCalls() != 1 {
		t.Errorf("an ill provider that is quick: %v, want one call", got)
	}
}

// PushinPay blocks accounts that ask often: a slow answer is waited for.
func TestHedge_notWhereReadsCost(t *testing.T) {
	w := newWorld(t, func(s *tuning) { s.hedge, s.callTimeout = 20*time.Millisecond, 3*time.Second })
	a := w.account("pushinpay")
	answer, asked := firstHangs(says(200, `{"id":"p1","status":"paid","value":1990}`))
	w.on(answer)
	if got := w.look(t, a, &gatewaysv1.ChargeRef{Id: "p1"}); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_TRANSIENT || got.GetProviderCalls() != 1 || asked.Load() != 1 {
		t.Errorf("%v after %d requests, want one that timed out", got, asked.Load())
	}
}
