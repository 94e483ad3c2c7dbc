package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/money"
)

type statisticsCmd struct {
	Show       statisticsShowCmd    `cmd:"" help:"Sums of what was paid, given back and remains."`
	Prove      statisticsProveCmd   `cmd:"" help:"Prove that they equal the history; exit 1 when they do not."`
	Rebuild    statisticsRebuildCmd `cmd:"" help:"Make a merchant's equal the history again, and keep what was found."`
	Commission commissionCmd        `cmd:"" help:"Set the rate that a merchant or a bot pays from a day on."`
}

type statisticsShowCmd struct {
	client.Flags
	Merchant string   `help:"Only this merchant." placeholder:"ID"`
	Bot      string   `help:"Only this bot, by our id or its external id." placeholder:"ID"`
	By       []string `help:"Split by any of merchant, bot, provider, campaign, day." placeholder:"DIMENSION"`
	From     string   `help:"First day, YYYY-MM-DD in America/Sao_Paulo." placeholder:"DAY"`
	To       string   `help:"Last day." placeholder:"DAY"`
	JSON     bool     `help:"Print the answer as JSON."`
}

// Run shows the sums.
func (c statisticsShowCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Payments.GetStatistics(ctx, &paymentsv1.GetStatisticsRequest{MerchantId: c.Merchant, BotId: c.Bot, GroupBy: c.By, FromDay: c.From, ToDay: c.To})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if c.JSON {
		return printJSON(r)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "DAY\tMERCHANT\tBOT\tPROVIDER\tCAMPAIGN\tPAID\tGROSS\tBACK\tREVERSED\tNET\tCOMMISSION\t")
	for _, l := range r.GetLines() {
		commission := "-"
		if l.GetCommission() != nil {
			commission = money.Amount(l.GetCommission().GetCentavos()).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\t%s\t\n", l.GetDay(), l.GetMerchantId(), l.GetBotId(), l.GetProvider(), screen.Clean(l.GetCampaign()),
			l.GetPaidCount(), money.Amount(l.GetGross().GetCentavos()), l.GetReversedCount(), money.Amount(l.GetReversed().GetCentavos()),
			money.Amount(l.GetNet().GetCentavos()), commission)
	}
	return w.Flush()
}
