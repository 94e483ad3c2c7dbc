package hooks

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
)

// answers is a service that answers what a test says; methods that no test uses are nil.
type answers struct {
	notifierv1.EndpointsServiceClient
	attempts []*notifierv1.Attempt
	batches  []int32
	asked    *notifierv1.RedeliverRequest
}

func (a *answers) ListEndpoints(context.Context, *notifierv1.ListEndpointsRequest, ...grpc.CallOption) (*notifierv1.ListEndpointsResponse, error) {
	return &notifierv1.ListEndpointsResponse{Endpoints: []*notifierv1.Endpoint{
		{Id: "one", Url: "https://a.example/\x1b[2J", State: notifierv1.EndpointState_ENDPOINT_STATE_ENABLED, Waiting: 3},
		{Id: "two", Url: "https://b.example/", State: notifierv1.EndpointState_ENDPOINT_STATE_DISABLED, Reason: "gone"},
		{Id: "three", Url: "https://c.example/", FailingSince: timestamppb.Now()}}}, nil
}

func (a *answers) SendTestEvent(context.Context, *notifierv1.SendTestEventRequest, ...grpc.CallOption) (*notifierv1.SendTestEventResponse, error) {
	return &notifierv1.SendTestEventResponse{EventId: "ev"}, nil
}

func (a *answers) ListAttempts(context.Context, *notifierv1.ListAttemptsRequest, ...grpc.CallOption) (*notifierv1.ListAttemptsResponse, error) {
	return &notifierv1.ListAttemptsResponse{Attempts: a.attempts}, nil
}

func (a *answers) Redeliver(_ context.Context, r *notifierv1.RedeliverRequest, _ ...grpc.CallOption) (*notifierv1.RedeliverResponse, error) {
	a.asked = r
	n := a.batches[0]
	a.batches = a.batches[1:]
	return &notifierv1.RedeliverResponse{Events: n, More: len(a.batches) > 0}, nil
}

func TestDesk_saysWhatThereIs(t *testing.T) {
	var out strings.Builder
	a := &answers{batches: []int32{10_000, 7}}
	d := Desk{Endpoints: a, Merchant: "m", Out: &out}
	if err := d.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one    enabled", "3 waiting", "disabled: gone", "failing since 20"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.ContainsRune(out.String(), 0x1b) {
		t.Error("an address steers the terminal")
	}
	out.Reset()
	if err := d.Redeliver(t.Context(), "one", "", time.Hour); err != nil || out.String() != "10007 events are on their way\n" || a.asked.GetMerchantId() != "m" || a.asked.GetSince() == nil {
		t.Errorf("%q of %v, %v", out.String(), a.asked, err)
	}
	out.Reset()
	a.attempts = []*notifierv1.Attempt{{EventId: "ev", Number: 1, HttpStatus: 500, Reason: "status"}}
	if err := d.Test(t.Context(), "one"); err == nil || !strings.Contains(err.Error(), "HTTP 500 (status)") {
		t.Errorf("a test that fails: %v", err)
	}
	a.attempts = []*notifierv1.Attempt{{EventId: "ev", Number: 2, Reason: "timeout"}, {EventId: "ev", Number: 1, HttpStatus: 204, Delivered: true, ElapsedMs: 12}}
	if err := d.Test(t.Context(), "one"); err != nil || out.String() != "ev delivered: HTTP 204 in 12 ms\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := d.Attempts(t.Context(), &notifierv1.ListAttemptsRequest{}); err != nil || strings.Count(out.String(), "\n") != 2 || !strings.Contains(out.String(), "timeout") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
