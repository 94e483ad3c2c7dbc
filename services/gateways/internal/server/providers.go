package server

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/registry"
)

// ListProviders implements GatewaysService.
func (s gateways) ListProviders(ctx context.Context, _ *gatewaysv1.ListProvidersRequest) (*gatewaysv1.ListProvidersResponse, error) {
	m, err := scope(ctx, "")
	if err != nil {
		return nil, err
	}
	out := &gatewaysv1.ListProvidersResponse{}
	if m.IsZero() {
		if out.WebhookHeaders, err = s.c.Store.WebhookHeaders(ctx); err != nil {
			return nil, err
		}
	}
	for _, a := range s.c.Registry.All() {
		out.Providers = append(out.Providers, describe(a.Capabilities(), s.c.Registry.Versions(a.Name())))
	}
	for name, why := range registry.Refused() {
		out.Providers = append(out.Providers, &gatewaysv1.Provider{Name: string(name), RefusedBecause: why})
	}
	slices.SortFunc(out.Providers, func(a, b *gatewaysv1.Provider) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out, nil
}

func describe(c provider.Capabilities, versions []string) *gatewaysv1.Provider {
	out := &gatewaysv1.Provider{
		Name: string(c.Name), Title: c.Title, AmountUnit: string(c.Unit), WebhookTrust: string(c.Webhook.Trust),
		MinIntervalPerSale: durationpb.New(c.Poll.MinInterval), Cadence: durationpb.New(c.Poll.Cadence), CallsPerMinute: int32(c.Poll.CallsPerMinute),
		PollingUnsafeStatuses: c.Unsafe, CanList: c.List, CanRefund: c.Refund, CanSplit: c.Split,
		MinCentavos: int64(c.MinAmount), MaxCentavos: int64(c.MaxAmount), Confidence: string(confidence(c)), Versions: versions,
	}
	for _, alias := range c.Aliases {
		out.Aliases = append(out.Aliases, string(alias))
	}
	for _, id := range c.Identifiers {
		out.Identifiers = append(out.Identifiers, string(id.Kind))
	}
	for _, final := range c.Final {
		out.FinalStatuses = append(out.FinalStatuses, string(final))
	}
	for _, f := range slices.Concat(c.Credentials, c.Settings) {
		out.Credentials = append(out.Credentials, &gatewaysv1.CredentialField{Name: f.Name, Required: f.Required, Secret: f.Secret,
			Meaning: f.PT + " / " + f.EN})
	}
	for _, n := range c.Notes {
		out.Notes = append(out.Notes, n.Text+" (confidence: "+string(n.Confidence)+")")
	}
	return out
}

// confidence is that of what decides about money: the first identifier's and the surest word for paid, whichever is less.
func confidence(c provider.Capabilities) provider.Confidence {
	order := []provider.Confidence{provider.High, provider.Medium, provider.Low}
	worst, paid := 0, len(order)-1
	if len(c.Identifiers) > 0 {
		worst = max(slices.Index(order, c.Identifiers[0].Confidence), 0)
	}
	for _, w := range c.Words {
		if i := slices.Index(order, w.Confidence); w.Status == provider.StatusPaid && i >= 0 {
			paid = min(paid, i)
		}
	}
	return order[max(worst, paid)]
}
