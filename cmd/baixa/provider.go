package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

// knownProvider is a provider's name as it is known here, or an error that lists those that are: a name that nobody knows would match nothing
// and look like an answer. An account must be one of that provider's. Empty names are not asked about.
func knownProvider(ctx context.Context, cl *client.Client, l langFlag, provider, account, merchant string) (string, error) {
	provider = strings.ToLower(strings.TrimSpace(provider))
	if provider != "" {
		r, err := cl.Gateways.ListProviders(ctx, &gatewaysv1.ListProvidersRequest{})
		if err != nil {
			return "", err
		}
		var names []string
		known := false
		for _, p := range r.GetProviders() {
			names = append(names, p.GetName())
			known = known || p.GetName() == provider
		}
		if !known {
			return "", fmt.Errorf(l.say("--provider: não conheço %q; há %s", "--provider: %q is not known; there are %s"), screen.Clean(provider), strings.Join(names, ", "))
		}
	}
	if account == "" {
		return provider, nil
	}
	r, err := cl.Accounts.ListAccounts(ctx, &gatewaysv1.ListAccountsRequest{MerchantId: merchant})
	if err != nil {
		return "", err
	}
	for _, a := range r.GetAccounts() {
		if a.GetId() != strings.ToLower(account) {
			continue
		}
		if provider != "" && a.GetProvider() != provider {
			return "", fmt.Errorf(l.say("--account: esta conta é de %s, não de %s", "--account: this account is at %s, not at %s"), a.GetProvider(), provider)
		}
		return provider, nil
	}
	return "", errors.New(l.say("--account: não há conta com este id; veja GET /v1/accounts", "--account: there is no account of this id; see GET /v1/accounts"))
}
