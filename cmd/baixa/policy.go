package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type policyCmd struct {
	Show  policyShowCmd  `cmd:"" help:"Every setting, its value and where it comes from."`
	Set   policySetCmd   `cmd:"" help:"Set settings for an account, a merchant or (operators) a provider."`
	Unset policyUnsetCmd `cmd:"" help:"Let settings come from the weaker place again."`
}

type policyPlace struct {
	client.Flags
	Merchant string `help:"The merchant's id; a merchant's key needs none." placeholder:"ID"`
	Account  string `help:"One account of the merchant." placeholder:"ID"`
	Provider string `help:"A provider's name." placeholder:"NAME"`
	JSON     bool   `help:"Print the answer as JSON."`
}

func (p policyPlace) print(r *paymentsv1.GetPolicyResponse) error {
	if p.JSON {
		return printJSON(r)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tFROM\tDEFAULT\tSET\t")
	for _, f := range r.GetFields() {
		by := ""
		if f.GetSetAt() != nil {
			by = f.GetSetAt().AsTime().Local().Format(time.DateTime) + " by " + screen.Clean(f.GetSetBy())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", f.GetName(), f.GetValue(), f.GetOrigin(), f.GetDefaultValue(), by)
	}
	if len(r.GetIgnored()) > 0 {
		fmt.Fprintln(w, "\nNo longer makes sense together with the rest and does not count: what was set for", strings.Join(r.GetIgnored(), ", "))
	}
	return w.Flush()
}

type policyShowCmd struct{ policyPlace }

// Run shows the policy of a place.
func (c policyShowCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Policies.GetPolicy(ctx, &paymentsv1.GetPolicyRequest{MerchantId: c.Merchant, AccountId: c.Account, Provider: c.Provider})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	return c.print(r)
}
