package main

import (
	"context"
	"os"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/hooks"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
)

type endpointCmd struct {
	Put       endpointPutCmd       `cmd:"" help:"Make an endpoint and print its secret, once; with --id change one, and enable it."`
	List      endpointListCmd      `cmd:"" help:"List the endpoints."`
	Attempts  endpointAttemptsCmd  `cmd:"" help:"List what was sent to an endpoint, newest first."`
	Test      endpointTestCmd      `cmd:"" help:"Send a test event and wait for what becomes of it."`
	Redeliver endpointRedeliverCmd `cmd:"" help:"Send one event again, or with --since everything that did not arrive."`
	Rotate    endpointRotateCmd    `cmd:"" help:"Make a new secret and print it, once; the old ones sign along for a while."`
	Delete    endpointDeleteCmd    `cmd:"" help:"Forget an endpoint."`
}

type endpointFlags struct {
	client.Flags
	Merchant string `help:"The merchant; only an operator's key needs it." placeholder:"ID"`
}

// do opens the client for one command.
func (f endpointFlags) do(call func(d hooks.Desk) error) error {
	cl, err := f.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	return client.Explain(call(hooks.Desk{Endpoints: cl.Endpoints, Merchant: f.Merchant, Out: os.Stdout}), f.Address)
}

type endpointPutCmd struct {
	endpointFlags
	ID          string   `help:"The endpoint to change." placeholder:"ID"`
	URL         string   `arg:"" help:"https address."`
	Description string   `help:"Your own words."`
	Type        []string `help:"Only these types of events, such as payment_update." placeholder:"TYPE"`
	Bot         []string `help:"Only these bots' events." placeholder:"ID"`
}

// Run makes or changes an endpoint.
func (c endpointPutCmd) Run(ctx context.Context) error {
	return c.do(func(d hooks.Desk) error {
		return d.Put(ctx, &notifierv1.PutEndpointRequest{EndpointId: c.ID, Url: c.URL, Description: c.Description, EventTypes: c.Type, BotIds: c.Bot})
	})
}

type endpointListCmd struct{ endpointFlags }

// Run lists endpoints.
func (c endpointListCmd) Run(ctx context.Context) error {
	return c.do(func(d hooks.Desk) error { return d.List(ctx) })
}

type endpointAttemptsCmd struct {
	endpointFlags
	ID     string `arg:"" help:"The endpoint."`
	Event  string `help:"Only this event's." placeholder:"ID"`
	Failed bool   `help:"Only those that failed."`
	Limit  int32  `default:"50" help:"How many, 1 to 500."`
}

// Run lists attempts.
func (c endpointAttemptsCmd) Run(ctx context.Context) error {
	return c.do(func(d hooks.Desk) error {
		return d.Attempts(ctx, &notifierv1.ListAttemptsRequest{EndpointId: c.ID, EventId: c.Event, Failed: c.Failed, PageSize: c.Limit})
	})
}

type endpointTestCmd struct {
	endpointFlags
	ID string `arg:"" help:"The endpoint."`
}

// Run sends a test event.
func (c endpointTestCmd) Run(ctx context.Context) error {
	return c.do(func(d hooks.Desk) error { return d.Test(ctx, c.ID) })
}

type endpointRedeliverCmd struct {
	endpointFlags
	ID    string        `arg:"" help:"The endpoint."`
	Event string        `arg:"" optional:"" help:"The event, by its webhook-id."`
	Since time.Duration `help:"Everything of so long that did not arrive, such as 24h." placeholder:"TIME"`
}

// Run sends again.
func (c endpointRedeliverCmd) Run(ctx context.Context) error {
	return c.do(func(d hooks.Desk) error { return d.Redeliver(ctx, c.ID, c.Event, c.Since) })
}

type endpointRotateCmd struct {
	endpointFlags
	ID      string        `arg:"" help:"The endpoint."`
	Overlap time.Duration `default:"24h" help:"How long the old secrets sign along, at most 168h."`
}

// Run rotates the secret.
func (c endpointRotateCmd) Run(ctx context.Context) error {
	return c.do(func(d hooks.Desk) error { return d.Rotate(ctx, c.ID, c.Overlap) })
}

type endpointDeleteCmd struct {
	endpointFlags
	ID string `arg:"" help:"The endpoint."`
}

// Run deletes an endpoint.
func (c endpointDeleteCmd) Run(ctx context.Context) error {
	return c.do(func(d hooks.Desk) error { return d.Delete(ctx, c.ID) })
}
