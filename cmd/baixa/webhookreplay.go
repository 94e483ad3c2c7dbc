package main

import (
	"context"
	"fmt"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type webhookShowCmd struct {
	client.Flags
	ID string `arg:"" help:"The webhook's id."`
}

// Run shows one webhook.
func (c webhookShowCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Inbox.GetWebhook(ctx, &paymentsv1.GetWebhookRequest{WebhookId: c.ID})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	return printJSON(r.GetWebhook())
}

type webhookReplayCmd struct {
	webhookWindow
	DryRun bool     `help:"Only count."`
	IDs    []string `arg:"" optional:"" help:"Webhooks' ids; without them --from and --to."`
}

// Run makes webhooks be read again.
func (c webhookReplayCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Inbox.ReplayWebhooks(ctx, &paymentsv1.ReplayWebhooksRequest{WebhookIds: c.IDs, MerchantId: c.Merchant, State: c.State, Provider: c.Provider,
		ReceivedFrom: timeOrNil(c.From), ReceivedTo: timeOrNil(c.To), DryRun: c.DryRun})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if c.JSON {
		return printJSON(r)
	}
	fmt.Printf("%d are read again, %d were purged and cannot be\n", r.GetReplayed(), r.GetPurged())
	return nil
}
