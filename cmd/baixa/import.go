package main

import (
	"context"
	"fmt"
	"os"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/grimbots"
	"github.com/baixapay/baixa/cmd/baixa/internal/importer"
)

type importCmd struct {
	client.Flags
	From      string            `required:"" enum:"grimbots-csv" help:"Which system the file comes from: grimbots-csv."`
	Merchant  string            `help:"Whose sales they are: our id or the external id. Default: the API key's merchant." placeholder:"ID"`
	Bots      string            `type:"existingfile" help:"Export of the bots (id, name, token, access_link, meta_pixel_id, meta_access_token)." placeholder:"FILE"`
	AccessURL string            `help:"Where the buyer's access is, for bots that name no link." placeholder:"URL"`
	Account   map[string]string `help:"Account for a provider, where there are several." placeholder:"PROVIDER=ID"`
	Resend    bool              `help:"Also deliver paid sales for which the other system had made a token."`
	File      string            `arg:"" type:"existingfile" help:"Export of the payments table."`
}

// Run imports the good rows and lists the bad ones; exit 1 when there are any.
func (c importCmd) Run(ctx context.Context) error {
	o := importer.Options{Merchant: c.Merchant, AccessURL: c.AccessURL, Accounts: c.Account, Resend: c.Resend}
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	var problems, botProblems []grimbots.Problem
	if o.Rows, problems, err = grimbots.ReadPayments(file); err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if c.Bots != "" {
		bots, err := os.Open(c.Bots)
		if err != nil {
			return err
		}
		defer bots.Close()
		if o.Bots, botProblems, err = grimbots.ReadBots(bots); err != nil {
			return fmt.Errorf("%s: %w", c.Bots, err)
		}
	}
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	report, err := importer.Run(ctx, cl, o)
	for _, p := range botProblems {
		fmt.Fprintf(os.Stderr, "%s: %v\n", c.Bots, p)
	}
	problems = append(problems, report.Problems...)
	for _, p := range problems {
		fmt.Fprintf(os.Stderr, "%s: %v\n", c.File, p)
	}
	if err != nil {
		return client.Explain(err, c.Address)
	}
	fmt.Printf("%d new, %d known before, %d refused\n", report.Created, report.Existing, len(problems))
	if len(problems)+len(botProblems) > 0 {
		return exitCode(1)
	}
	return nil
}
