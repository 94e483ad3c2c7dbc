package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type policySetCmd struct {
	policyPlace
	Values []string `arg:"" help:"Settings as name=value, such as late=ask grace=15m."`
}

// Run sets settings.
func (c policySetCmd) Run(ctx context.Context) error {
	set := map[string]string{}
	for _, text := range c.Values {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := set[name]; !ok || name == "" || twice {
			return fmt.Errorf("%q: expected name=value, each name once; `baixa policy show` lists the names", text)
		}
		set[name] = value
	}
	return c.change(ctx, set, nil)
}

type policyUnsetCmd struct {
	policyPlace
	Names []string `arg:"" help:"Names of settings."`
}

// Run unsets settings.
func (c policyUnsetCmd) Run(ctx context.Context) error { return c.change(ctx, nil, c.Names) }

func (p policyPlace) change(ctx context.Context, set map[string]string, unset []string) error {
	cl, err := p.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Policies.ChangePolicy(ctx, &paymentsv1.ChangePolicyRequest{MerchantId: p.Merchant, AccountId: p.Account, Provider: p.Provider,
		Set: set, Unset: unset})
	if err != nil {
		return client.Explain(err, p.Address)
	}
	return p.print(r.GetPolicy())
}
