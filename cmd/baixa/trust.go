package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type trustCmd struct {
	client.Flags
	Merchant string `help:"Only this merchant, by our id. Default: everything that the API key may see." placeholder:"ID"`
	Provider string `help:"Only this provider." placeholder:"NAME"`
	Account  string `help:"Only this account." placeholder:"ID"`
	JSON     bool   `help:"Print the answer as JSON."`
}

// Run prints a line for each account that had a paid sale in 30 days.
func (c trustCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Payments.ListTrust(ctx, &paymentsv1.ListTrustRequest{MerchantId: c.Merchant, Provider: c.Provider, AccountId: c.Account})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if c.JSON {
		return printJSON(r)
	}
	if len(r.GetAccounts()) == 0 {
		fmt.Println("no account had a paid sale in 30 days")
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "account\tprovider\tscore\tpaid\twith webhook\tp50\tp95\tdoubles\tfalse\tlate\tsilent since")
	for _, t := range r.GetAccounts() {
		score, since := "-", "-"
		if t.GetScore() >= 0 {
			score = fmt.Sprint(t.GetScore())
		}
		if t.GetSilentSince() != nil {
			since = t.GetSilentSince().AsTime().Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t%s\n", t.GetAccountId(), screen.Clean(t.GetProvider()), score, t.GetSales(), t.GetHinted(),
			brief(t.GetDelayP50()), brief(t.GetDelayP95()), t.GetDuplicates(), t.GetFalsePaid(), t.GetLatePaid(), since)
	}
	return w.Flush()
}

func brief(d *durationpb.Duration) string {
	if d == nil {
		return "-"
	}
	return d.AsDuration().Round(100 * time.Millisecond).String()
}
