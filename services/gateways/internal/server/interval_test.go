package server_test

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"sync/atomic"
	"testing"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

func TestSaleInterval_isKeptOverReplicas(t *testing.T) {
	w := newWorld(t)
	other := w.serve()
	a := w.account("pushinpay")
	w.on(says(200, `{"id":"abc","status":"created","value":100}`))
	if got := w.look(t, a, &gatewaysv1.ChargeRef{Id: "ABC"}); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
		t.Fatalf("first look: %v", got)
	}
	for i, r := range []replica{w.replica, other} {
		got := r.look(t, a, &gatewaysv1.ChargeRef{Id: "abc"})
		if wait := got.GetRetryAfter().AsDuration(); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_RATE_LIMITED || got.GetProviderCalls() != 0 || !got.GetSaleAlone() || wait < 50*time.Second || wait > time.Minute {
			t.Errorf("replica %d asks within the minute: %v", i, got)
		}
	}
	resp, err := w.gateways.BatchGetPaymentStatus(t.Context(), &gatewaysv1.BatchGetPaymentStatusRequest{Requests: []*gatewaysv1.GetPaymentStatusRequest{
		question(a, &gatewaysv1.ChargeRef{Id: "abc"}), question(a, &gatewaysv1.ChargeRef{Id: "def"}), question(a, &gatewaysv1.ChargeRef{Id: "DEF"})}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int32{0, 1, 0} {
		if got := resp.GetResults()[i]; got.GetProviderCalls() != want {
			t.Errorf("result %d: %v, want %d calls", i, got, want)
		}
	}
	if n := w.count(); n != 2 {
		t.Errorf("the provider was asked %d times, want 2", n)
	}
}

// A look may wait for its turn at the account's provider, on a busy machine for seconds: the interval counts from the call that was made,
// not from the claim of the right to make it.
func TestSaleInterval_countsFromTheCall(t *testing.T) {
	w := newWorld(t)
	a := w.account("pushinpay", func(r *gatewaysv1.PutAccountRequest) { r.CallsPerMinute = 6000 })
	const atOnce, more = 32, 5
	var arrived atomic.Int64
	full, release := make(chan struct{}), make(chan struct{})
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		if arrived.Add(1) == atOnce {
			close(full)
		}
		<-release
		says(200, fmt.Sprintf(`{"id":%q,"status":"created","value":100}`, path.Base(r.URL.Path)))(rw, r)
	})
	req := &gatewaysv1.BatchGetPaymentStatusRequest{}
	for i := range atOnce + more {
		req.Requests = append(req.Requests, question(a, &gatewaysv1.ChargeRef{Id: fmt.Sprint("s", i)}))
	}
	var resp *gatewaysv1.BatchGetPaymentStatusResponse
	done := make(chan error, 1)
	go func() {
		var err error
		resp, err = w.gateways.BatchGetPaymentStatus(context.Background(), req)
		done <- err
	}()
	select {
	case <-full:
	case <-time.After(never):
		t.Fatalf("%d calls at once after %s, want %d", arrived.Load(), never, atOnce)
	}
	<-time.After(600 * time.Millisecond) // longer than a call may be late without being settled
	admin := w.db.Admin(t)
	var before int64 // the other calls are made later than this
	if err := admin.QueryRow(t.Context(), `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`).Scan(&before); err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var free, kept int64
	if err := admin.QueryRow(t.Context(), `SELECT min(free_us), count(*) FROM gateways.sale_looks`).Scan(&free, &kept); err != nil {
		t.Fatal(err)
	}
	if early := time.Duration(before+time.Minute.Microseconds()-free) * time.Microsecond; early > 0 || kept != atOnce+more {
		t.Errorf("of %d sales one may be asked about %s too early", kept, early)
	}
	for i, got := range resp.GetResults() {
		if wait := got.GetRetryAfter().AsDuration(); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS || wait <= time.Minute {
			t.Errorf("result %d: %s, again after %s, want more than a minute", i, got.GetOutcome(), wait)
		}
	}
}
