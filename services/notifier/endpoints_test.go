package notifier_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

// taken is one webhook that the test's receiver took.
type taken struct {
	header http.Header
	body   []byte
}

func newEndpointReceiver(t *testing.T) (url string, requests chan taken) {
	t.Helper()
	requests = make(chan taken, 100)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- taken{r.Header.Clone(), body}
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func receive(t *testing.T, requests chan taken) taken {
	t.Helper()
	select {
	case r := <-requests:
		return r
	case <-time.After(90 * time.Second):
		t.Fatal("no webhook came")
		return taken{}
	}
}

func TestEndpoints_life(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	url, requests := newEndpointReceiver(t)
	merchant, bot := uuid.NewString(), uuid.NewString()
	put := &notifierv1.PutEndpointRequest{MerchantId: merchant, EndpointId: uuid.NewString(), Url: url, Description: "loja", EventTypes: []string{"payment_update"}}
	made, err := h.endpoints.PutEndpoint(service(t), put)
	if err != nil || !strings.HasPrefix(made.GetSecret(), "whsec_") || made.GetEndpoint().GetId() != put.GetEndpointId() {
		t.Fatalf("made %v, %v", made, err)
	}
	again, err := h.endpoints.PutEndpoint(service(t), put)
	if err != nil || again.GetSecret() != "" || again.GetEndpoint().GetSecrets() != 1 {
		t.Errorf("put again: %v, %v", again, err)
	}
	verify := func(secret string, r taken) {
		t.Helper()
		w, err := standardwebhooks.NewWebhook(secret)
		if err == nil {
			err = w.Verify(r.body, r.header)
		}
		if err != nil {
			t.Errorf("signature: %v", err)
		}
	}
	name := &notifierv1.SendTestEventRequest{EndpointId: put.GetEndpointId()}
	test, err := h.endpoints.SendTestEvent(as(t, merchant), name)
	if err != nil {
		t.Fatal(err)
	}
	r := receive(t, requests)
	verify(made.GetSecret(), r)
	if r.header.Get("webhook-id") != test.GetEventId() || !strings.Contains(string(r.body), `"type":"test"`) {
		t.Errorf("test event %s", r.body)
	}
	event := ownerEvent(merchant, bot, uuid.NewString())
	told, err := h.Notify(service(t), event)
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := h.endpoints.RotateSecret(as(t, merchant), &notifierv1.RotateSecretRequest{EndpointId: put.GetEndpointId(), Overlap: durationpb.New(time.Hour)})
	if err != nil || rotated.GetSecret() == made.GetSecret() {
		t.Fatalf("rotated %v, %v", rotated, err)
	}
	r = receive(t, requests)
	verify(made.GetSecret(), r)
	if r.header.Get("webhook-id") != told.GetNotification().GetId() || !strings.Contains(string(r.body), `"payment_id":812,"bot_id":44,"status":"paid","amount":19.90`) {
		t.Errorf("event %s", r.body)
	}
	if got, err := h.endpoints.Redeliver(as(t, merchant), &notifierv1.RedeliverRequest{EndpointId: put.GetEndpointId(), EventId: told.GetNotification().GetId()}); err != nil || got.GetEvents() != 1 {
		t.Fatalf("redeliver %v, %v", got, err)
	}
	r = receive(t, requests)
	verify(made.GetSecret(), r)
	verify(rotated.GetSecret(), r)
	var list *notifierv1.ListAttemptsResponse
	for len(list.GetAttempts()) < 3 { // the last result is written after its request was answered
		if list, err = h.endpoints.ListAttempts(as(t, merchant), &notifierv1.ListAttemptsRequest{EndpointId: put.GetEndpointId()}); err != nil {
			t.Fatal(err)
		}
	}
	if a := list.GetAttempts()[0]; a.GetEventId() != told.GetNotification().GetId() || a.GetNumber() != 2 || !a.GetDelivered() || a.GetHttpStatus() != 200 ||
		a.GetPaymentId() != event.GetPaymentId() || a.GetNextAttemptAt() != nil {
		t.Errorf("newest attempt %v", a)
	}
	var pages []string
	for token := ""; ; {
		page, err := h.endpoints.ListAttempts(as(t, merchant), &notifierv1.ListAttemptsRequest{EndpointId: put.GetEndpointId(), PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.GetAttempts() {
			pages = append(pages, fmt.Sprint(a.GetEventId(), a.GetNumber()))
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(pages) != 3 {
		t.Errorf("by pages: %v", pages)
	}
	if _, err := h.endpoints.DeleteEndpoint(as(t, merchant), &notifierv1.DeleteEndpointRequest{EndpointId: put.GetEndpointId()}); err != nil {
		t.Fatal(err)
	}
	if got, err := h.endpoints.ListEndpoints(as(t, merchant), &notifierv1.ListEndpointsRequest{}); err != nil || len(got.GetEndpoints()) != 0 {
		t.Errorf("after the end: %v, %v", got, err)
	}
}

func TestEndpoints_tenancyAndBadInput(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	mine := uuid.NewString()
	made, err := h.endpoints.PutEndpoint(as(t, mine), &notifierv1.PutEndpointRequest{Url: "https://93.184.215.14/hook"})
	if err != nil {
		t.Fatal(err)
	}
	one := made.GetEndpoint().GetId()
	event, err := h.Notify(as(t, mine), ownerEvent(mine, uuid.NewString(), uuid.NewString()))
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(ctx context.Context, merchant string) error{
		"PutEndpoint": func(ctx context.Context, m string) error {
			_, err := h.endpoints.PutEndpoint(ctx, &notifierv1.PutEndpointRequest{MerchantId: m, EndpointId: one, Url: "https://93.184.215.14/stolen"})
			return err
		},
		"ListEndpoints": func(ctx context.Context, m string) error {
			_, err := h.endpoints.ListEndpoints(ctx, &notifierv1.ListEndpointsRequest{MerchantId: m})
			return err
		},
		"RotateSecret": func(ctx context.Context, m string) error {
			_, err := h.endpoints.RotateSecret(ctx, &notifierv1.RotateSecretRequest{MerchantId: m, EndpointId: one})
			return err
		},
		"DeleteEndpoint": func(ctx context.Context, m string) error {
			_, err := h.endpoints.DeleteEndpoint(ctx, &notifierv1.DeleteEndpointRequest{MerchantId: m, EndpointId: one})
			return err
		},
		"ListAttempts": func(ctx context.Context, m string) error {
			_, err := h.endpoints.ListAttempts(ctx, &notifierv1.ListAttemptsRequest{MerchantId: m, EndpointId: one})
			return err
		},
		"Redeliver": func(ctx context.Context, m string) error {
			_, err := h.endpoints.Redeliver(ctx, &notifierv1.RedeliverRequest{MerchantId: m, EndpointId: one, EventId: event.GetNotification().GetId()})
			return err
		},
		"SendTestEvent": func(ctx context.Context, m string) error {
			_, err := h.endpoints.SendTestEvent(ctx, &notifierv1.SendTestEventRequest{MerchantId: m, EndpointId: one})
			return err
		},
	}
	if want := len(notifierv1.EndpointsService_ServiceDesc.Methods); len(calls) != want {
		t.Errorf("%d of %d RPCs are tried as the wrong merchant", len(calls), want)
	}
	theirs := uuid.NewString()
	for name, call := range calls {
		if err := call(as(t, theirs), mine); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s of another merchant: %v", name, err)
		}
		err := call(as(t, theirs), "")
		switch name {
		case "PutEndpoint", "ListEndpoints": // their own, whose ids say nothing about mine
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		default:
			// What they have put under my id is theirs; anything else is not found.
			if code := status.Code(err); code != codes.NotFound && code != codes.OK {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	got, err := h.endpoints.ListEndpoints(as(t, mine), &notifierv1.ListEndpointsRequest{})
	if err != nil || len(got.GetEndpoints()) != 1 || got.GetEndpoints()[0].GetUrl() != "https://93.184.215.14/hook" || got.GetEndpoints()[0].GetSecrets() != 1 {
		t.Errorf("mine: %v, %v", got, err)
	}
	put := func(change func(*notifierv1.PutEndpointRequest)) error {
		r := &notifierv1.PutEndpointRequest{Url: "https://93.184.215.14/"}
		change(r)
		_, err := h.endpoints.PutEndpoint(as(t, mine), r)
		return err
	}
	redeliver := func(r *notifierv1.RedeliverRequest) error {
		r.EndpointId = one
		_, err := h.endpoints.Redeliver(as(t, mine), r)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no url":      {put(func(r *notifierv1.PutEndpointRequest) { r.Url = "" }), "url: an absolute https address"},
		"private":     {put(func(r *notifierv1.PutEndpointRequest) { r.Url = "https://10.0.0.1/" }), "url: an address that the whole internet reaches"},
		"loopback":    {put(func(r *notifierv1.PutEndpointRequest) { r.Url = "http://127.0.0.1:9/" }), "url: https; plain http"},
		"type":        {put(func(r *notifierv1.PutEndpointRequest) { r.EventTypes = []string{"Payment Update"} }), "event_types[0]: lower case"},
		"bot":         {put(func(r *notifierv1.PutEndpointRequest) { r.BotIds = []string{"44"} }), "bot_ids[0]: a UUID"},
		"id":          {put(func(r *notifierv1.PutEndpointRequest) { r.EndpointId = "one" }), "endpoint_id: a UUID"},
		"description": {put(func(r *notifierv1.PutEndpointRequest) { r.Description = strings.Repeat("x", 201) }), "description: UTF-8"},
		"both":        {redeliver(&notifierv1.RedeliverRequest{EventId: uuid.NewString(), Since: timestamppb.Now()}), "event_id: exactly one"},
		"neither":     {redeliver(&notifierv1.RedeliverRequest{}), "event_id: exactly one"},
		"long ago":    {redeliver(&notifierv1.RedeliverRequest{Since: timestamppb.New(time.Now().Add(-40 * 24 * time.Hour))}), "since: a time within"},
		"overlap": {func() error {
			_, err := h.endpoints.RotateSecret(as(t, mine), &notifierv1.RotateSecretRequest{EndpointId: one, Overlap: durationpb.New(-time.Second)})
			return err
		}(), "overlap: 0s to"},
		"page": {func() error {
			_, err := h.endpoints.ListAttempts(as(t, mine), &notifierv1.ListAttemptsRequest{EndpointId: one, PageToken: "x"})
			return err
		}(), "page_token:"},
	} {
		if status.Code(c.err) != codes.InvalidArgument || !strings.Contains(fmt.Sprint(c.err), c.want) {
			t.Errorf("%s: %v, want %q", name, c.err, c.want)
		}
	}
	if err := redeliver(&notifierv1.RedeliverRequest{EventId: uuid.NewString()}); status.Code(err) != codes.NotFound {
		t.Errorf("an unknown event: %v", err)
	}
	for range 19 {
		if err := put(func(*notifierv1.PutEndpointRequest) {}); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(func(*notifierv1.PutEndpointRequest) {}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("the 21st endpoint: %v", err)
	}
}
