// Package hooks is what `baixa endpoint` does: it asks for endpoints and shows them as lines of a terminal. It decides nothing.
package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
)

// testWait is how long Test waits for the first attempt's end: longer than an endpoint may take to answer.
const (
	testWait  = 30 * time.Second
	testPause = 200 * time.Millisecond
)

// Desk has what the commands need. Merchant is empty for a merchant's own key.
type Desk struct {
	Endpoints notifierv1.EndpointsServiceClient
	Merchant  string
	Out       io.Writer
}

// Put makes or changes an endpoint and prints it, with the secret of a new one.
func (d Desk) Put(ctx context.Context, r *notifierv1.PutEndpointRequest) error {
	r.MerchantId = d.Merchant
	got, err := d.Endpoints.PutEndpoint(ctx, r)
	if err != nil {
		return err
	}
	text := got.GetEndpoint().GetId() + "\n"
	if got.GetSecret() != "" {
		text += got.GetSecret() + "\nkeep the secret: it is not shown again\n"
	}
	return d.print(text)
}

// List prints a line for each endpoint.
func (d Desk) List(ctx context.Context) error {
	got, err := d.Endpoints.ListEndpoints(ctx, &notifierv1.ListEndpointsRequest{MerchantId: d.Merchant})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(d.Out, 0, 0, 2, ' ', 0)
	for _, e := range got.GetEndpoints() {
		state := "enabled"
		switch {
		case e.GetState() == notifierv1.EndpointState_ENDPOINT_STATE_DISABLED:
			state = "disabled: " + e.GetReason()
		case e.GetFailingSince() != nil:
			state = "failing since " + local(e.GetFailingSince())
		}
		fmt.Fprintf(w, "%s\t%s\t%d waiting\t%s\t%s\n", e.GetId(), state, e.GetWaiting(), screen.Clean(e.GetUrl()), screen.Clean(strings.Join(e.GetEventTypes(), ",")))
	}
	return w.Flush()
}

// Attempts prints a line for each.
func (d Desk) Attempts(ctx context.Context, r *notifierv1.ListAttemptsRequest) error {
	r.MerchantId = d.Merchant
	got, err := d.Endpoints.ListAttempts(ctx, r)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(d.Out, 0, 0, 2, ' ', 0)
	for _, a := range got.GetAttempts() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d.\t%s\t%d ms\t%s\n", local(a.GetAt()), a.GetEventId(), a.GetEventType(), a.GetNumber(), outcome(a), a.GetElapsedMs(), next(a))
	}
	return w.Flush()
}

// Test sends a test event and prints how its first attempt ended.
func (d Desk) Test(ctx context.Context, endpoint string) error {
	sent, err := d.Endpoints.SendTestEvent(ctx, &notifierv1.SendTestEventRequest{MerchantId: d.Merchant, EndpointId: endpoint})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, testWait)
	defer cancel()
	tick := time.NewTicker(testPause)
	defer tick.Stop()
	for {
		got, err := d.Endpoints.ListAttempts(ctx, &notifierv1.ListAttemptsRequest{MerchantId: d.Merchant, EndpointId: endpoint, EventId: sent.GetEventId()})
		if err != nil {
			return err
		}
		if list := got.GetAttempts(); len(list) > 0 {
			a := list[len(list)-1]
			if !a.GetDelivered() {
				return fmt.Errorf("the test event did not arrive: %s", outcome(a))
			}
			return d.print(fmt.Sprintf("%s delivered: %s in %d ms\n", sent.GetEventId(), outcome(a), a.GetElapsedMs()))
		}
		select {
		case <-ctx.Done():
			return errors.New("nothing was sent within " + testWait.String() + "; see `baixa endpoint attempts`")
		case <-tick.C:
		}
	}
}

// Redeliver sends one event again, or everything of so long that did not arrive.
func (d Desk) Redeliver(ctx context.Context, endpoint, event string, since time.Duration) error {
	r := &notifierv1.RedeliverRequest{MerchantId: d.Merchant, EndpointId: endpoint, EventId: event}
	if since > 0 {
		r.Since = timestamppb.New(time.Now().Add(-since))
	}
	for total := 0; ; {
		got, err := d.Endpoints.Redeliver(ctx, r)
		if err != nil {
			return err
		}
		if total += int(got.GetEvents()); !got.GetMore() {
			return d.print(fmt.Sprintf("%d events are on their way\n", total))
		}
	}
}

// Rotate makes a new secret and prints it.
func (d Desk) Rotate(ctx context.Context, endpoint string, overlap time.Duration) error {
	got, err := d.Endpoints.RotateSecret(ctx, &notifierv1.RotateSecretRequest{MerchantId: d.Merchant, EndpointId: endpoint, Overlap: durationpb.New(overlap)})
	if err != nil {
		return err
	}
	return d.print(fmt.Sprintf("%s\nkeep the secret: it is not shown again; the old ones sign until %s\n", got.GetSecret(), local(got.GetOldUntil())))
}

// Delete forgets an endpoint.
func (d Desk) Delete(ctx context.Context, endpoint string) error {
	_, err := d.Endpoints.DeleteEndpoint(ctx, &notifierv1.DeleteEndpointRequest{MerchantId: d.Merchant, EndpointId: endpoint})
	return err
}

func (d Desk) print(text string) error {
	_, err := io.WriteString(d.Out, text)
	return err
}

func outcome(a *notifierv1.Attempt) string {
	switch {
	case a.GetDelivered():
		return fmt.Sprintf("HTTP %d", a.GetHttpStatus())
	case a.GetHttpStatus() != 0:
		return fmt.Sprintf("HTTP %d (%s)", a.GetHttpStatus(), a.GetReason())
	}
	return a.GetReason()
}

func next(a *notifierv1.Attempt) string {
	if a.GetNextAttemptAt() == nil {
		return ""
	}
	return "again " + local(a.GetNextAttemptAt())
}

func local(t *timestamppb.Timestamp) string { return t.AsTime().Local().Format(time.DateTime) }
