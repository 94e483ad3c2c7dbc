package main

import (
	"context"
	"os"

	"github.com/baixapay/baixa/cmd/baixa/internal/checkup"
	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type doctorCmd struct {
	client.Flags
	Merchant string `help:"Only this merchant, by our id. Default: everything that the API key may see." placeholder:"ID"`
	Lang     string `env:"BAIXA_LANG" default:"pt-BR" enum:"pt-BR,en" help:"pt-BR or en."`
	JSON     bool   `help:"Print the answer as JSON."`
}

// Run prints the report; the exit code is 1 when something is wrong.
func (c doctorCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	resp, err := cl.Payments.Diagnose(ctx, &paymentsv1.DiagnoseRequest{MerchantId: c.Merchant, Lang: c.Lang})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if c.JSON {
		err = printJSON(resp)
	} else {
		err = checkup.Write(os.Stdout, resp, c.Lang, terminal(os.Stdout))
	}
	if err == nil && !resp.GetHealthy() {
		return exitCode(1)
	}
	return err
}
