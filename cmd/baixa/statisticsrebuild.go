package main

import (
	"context"
	"fmt"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/money"
)

type statisticsProveCmd struct{ proveCmd }

// Run proves the statistics alone.
func (c statisticsProveCmd) Run(ctx context.Context) error {
	c.SkipLeaves = true
	return c.prove(ctx, func(kind string) bool { return kind == "statistics_differ" || kind == "entries_differ" })
}

type statisticsRebuildCmd struct {
	client.Flags
	Merchant string `required:"" help:"Whose." placeholder:"ID"`
	Note     string `required:"" help:"Why; kept."`
	JSON     bool   `help:"Print the answer as JSON."`
}

// Run rebuilds.
func (c statisticsRebuildCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Proof.RebuildStatistics(ctx, &paymentsv1.RebuildStatisticsRequest{MerchantId: c.Merchant, Note: c.Note})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if c.JSON {
		return printJSON(r)
	}
	for _, x := range r.GetCorrections() {
		fmt.Printf("%s %s %s %q %s: %d and %s were, %d and %s are\n", x.GetDay(), x.GetBotId(), x.GetProvider(), x.GetCampaign(), x.GetMetric(),
			x.GetCountBefore(), money.Amount(x.GetCentavosBefore()), x.GetCountAfter(), money.Amount(x.GetCentavosAfter()))
	}
	fmt.Printf("%d lines read, %d corrected %s\n", r.GetLinesRead(), len(r.GetCorrections()), r.GetRebuildId())
	return nil
}

type commissionCmd struct {
	client.Flags
	Merchant    string `required:"" help:"Whose." placeholder:"ID"`
	Bot         string `help:"One bot; without it all that have no rate of their own." placeholder:"ID"`
	From        string `required:"" help:"First day, YYYY-MM-DD." placeholder:"DAY"`
	BasisPoints int32  `arg:"" help:"Hundredths of a percent: 250 is 2.5 %."`
}

// Run sets a rate.
func (c commissionCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Proof.SetCommission(ctx, &paymentsv1.SetCommissionRequest{MerchantId: c.Merchant, BotId: c.Bot, FromDay: c.From, BasisPoints: c.BasisPoints})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	return printJSON(r.GetCommission())
}
