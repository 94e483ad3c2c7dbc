package payments

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

// providers knows the providers' names and aliases, as the gateways tell them. Until they have been asked every well-formed
// name is taken, for a webhook must not be lost because another service is away.
type providers struct {
	client gatewaysv1.GatewaysServiceClient
	learn  func(headers []string) // told which headers accounts name for their secrets
	known  atomic.Pointer[names]
}

type names struct {
	canonical map[string]string // by name and alias
	titles    map[string]string // by name and alias
	supported []string
}

const (
	askSoon  = time.Second
	askAgain = 30 * time.Second // also how soon the inbox keeps a header that an account names
)

// run keeps the names fresh until ctx is done.
func (p *providers) run(ctx context.Context) error {
	for {
		wait := askAgain
		if err := p.ask(ctx); err != nil {
			slog.DebugContext(ctx, "providers not listed yet", slog.Any("error", err))
			wait = askSoon
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (p *providers) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := p.client.ListProviders(ctx, &gatewaysv1.ListProvidersRequest{})
	if err != nil {
		return err
	}
	n := &names{canonical: map[string]string{}, titles: map[string]string{}}
	for _, provider := range resp.GetProviders() {
		if provider.GetRefusedBecause() != "" {
			continue
		}
		n.supported = append(n.supported, provider.GetName())
		for _, name := range append(provider.GetAliases(), provider.GetName()) {
			n.canonical[strings.ToLower(name)] = provider.GetName()
			n.titles[strings.ToLower(name)] = provider.GetTitle()
		}
	}
	slices.Sort(n.supported)
	p.known.Store(n)
	if p.learn != nil {
		p.learn(resp.GetWebhookHeaders())
	}
	return nil
}

// resolve is the canonical name of a name or alias, in any case.
func (p *providers) resolve(name string) (string, bool) {
	name = strings.ToLower(name)
	if n := p.known.Load(); n != nil {
		canonical, ok := n.canonical[name]
		return canonical, ok
	}
	return name, name != "" && len(name) <= 40 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// title is how the provider of a name or alias writes itself, for people; one that is not known by its name, with a capital.
func (p *providers) title(name string) string {
	if n := p.known.Load(); n != nil && n.titles[strings.ToLower(name)] != "" {
		return n.titles[strings.ToLower(name)]
	}
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// list names those that are supported, for whoever asked for another.
func (p *providers) list() []string {
	if n := p.known.Load(); n != nil {
		return n.supported
	}
	return nil
}
