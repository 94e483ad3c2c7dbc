package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type webhookCmd struct {
	List   webhookListCmd   `cmd:"" help:"What providers posted and what became of it, newest first."`
	Show   webhookShowCmd   `cmd:"" help:"One webhook; its bytes are sealed and not shown."`
	Replay webhookReplayCmd `cmd:"" help:"Read webhooks again, by their ids or a window."`
}

// webhookWindow narrows a list or a replay.
type webhookWindow struct {
	client.Flags
	Merchant string    `help:"Only this merchant's." placeholder:"ID"`
	State    string    `help:"new, matched, parked, not_understood, ignored, refused or unmatched." placeholder:"STATE"`
	Provider string    `help:"Only this provider's." placeholder:"NAME"`
	From     time.Time `help:"Received from, such as 2026-11-23T15:00:00-03:00." placeholder:"TIME"`
	To       time.Time `help:"Received before." placeholder:"TIME"`
	JSON     bool      `help:"Print the answer as JSON."`
}

func timeOrNil(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

type webhookListCmd struct {
	webhookWindow
	Sale  string `help:"Only those of this sale, by our id." placeholder:"ID"`
	Limit int32  `default:"50" help:"Most webhooks, up to 500."`
	Page  string `help:"Continue behind the page before." placeholder:"TOKEN"`
}

// Run lists webhooks.
func (c webhookListCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Inbox.ListWebhooks(ctx, &paymentsv1.ListWebhooksRequest{MerchantId: c.Merchant, State: c.State, Provider: c.Provider,
		ReceivedFrom: timeOrNil(c.From), ReceivedTo: timeOrNil(c.To), PaymentId: c.Sale, PageSize: c.Limit, PageToken: c.Page})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if c.JSON {
		return printJSON(r)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "RECEIVED\tID\tPROVIDER\tSTATE\tCOPIES\tCLAIMED\tSALE\tWHY\t")
	for _, h := range r.GetWebhooks() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t\n", h.GetReceivedAt().AsTime().Local().Format(time.DateTime), h.GetId(), h.GetProvider(), h.GetState(),
			h.GetCopies(), h.GetClaimed(), h.GetPaymentId(), screen.Clean(h.GetReason()))
	}
	if r.GetNextPageToken() != "" {
		fmt.Fprintln(w, "\nmore: --page", r.GetNextPageToken())
	}
	return w.Flush()
}
