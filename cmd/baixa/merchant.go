package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type merchantCmd struct {
	List   merchantListCmd   `cmd:"" help:"The merchants that the API key may see, and their parts of the looks."`
	Weight merchantWeightCmd `cmd:"" help:"Set a merchant's part of the looks when more are due than can be made."`
}

type merchantListCmd struct {
	client.Flags
	JSON bool `help:"Print the answer as JSON."`
}

// Run prints a line a merchant.
func (c merchantListCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Merchants.ListMerchants(ctx, &paymentsv1.ListMerchantsRequest{})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if c.JSON {
		return printJSON(r)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "id\tname\tyour id\tweight\tsince")
	for _, m := range r.GetMerchants() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", m.GetId(), screen.Clean(m.GetName()), screen.Clean(m.GetExternalId()), m.GetLookWeight(),
			m.GetCreatedAt().AsTime().Local().Format(time.DateOnly))
	}
	return w.Flush()
}

type merchantWeightCmd struct {
	client.Flags
	Merchant string `arg:"" help:"The merchant, by our id."`
	Weight   int32  `arg:"" help:"1 to 100; twice the weight is twice the looks."`
}

// Run sets the weight and says what it is now.
func (c merchantWeightCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Merchants.SetLookWeight(ctx, &paymentsv1.SetLookWeightRequest{MerchantId: c.Merchant, LookWeight: c.Weight})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	_, err = fmt.Printf("%s: weight %d\n", screen.Clean(r.GetMerchant().GetName()), r.GetMerchant().GetLookWeight())
	return err
}
