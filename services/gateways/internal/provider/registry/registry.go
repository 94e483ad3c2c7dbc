// Package registry knows every provider by name: the adapter, its aliases, and why some are refused.
//
// It refuses to guess: an unknown name is an error that lists the known ones, never a default provider.
package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/atomopay"
	"github.com/baixapay/baixa/services/gateways/internal/provider/bolt"
	"github.com/baixapay/baixa/services/gateways/internal/provider/declarative"
	"github.com/baixapay/baixa/services/gateways/internal/provider/orionpay"
	"github.com/baixapay/baixa/services/gateways/internal/provider/paradise"
	"github.com/baixapay/baixa/services/gateways/internal/provider/pushinpay"
	"github.com/baixapay/baixa/services/gateways/internal/provider/sigilopay"
	"github.com/baixapay/baixa/services/gateways/internal/provider/syncpay"
	"github.com/baixapay/baixa/services/gateways/internal/provider/umbrellapag"
	"github.com/baixapay/baixa/services/gateways/internal/provider/wiinpay"
)

// What Lookup reports.
var (
	ErrUnknown = errors.New("unknown provider")
	ErrRefused = errors.New("provider refused")
)

// refused providers, with the reason that people are told.
var refused = map[provider.Name]string{
	"supremuspay": "its API is plain http on a bare address: credentials and buyers' data would travel unencrypted",
	"supremus":    "its API is plain http on a bare address: credentials and buyers' data would travel unencrypted",
}

// Registry is a fixed set of adapters. It is immutable and safe for concurrent use.
type Registry struct {
	byName   map[provider.Name]provider.Adapter
	names    []provider.Name
	versions map[provider.Name]map[string]provider.Adapter
}

// New builds every adapter that this system ships, those of the declarative files among them, and adds more (such as
// what declarative.LoadFS made of an operator's own files). A name that occurs twice is an error, unless all but one of
// them have a version.
func New(deps provider.Deps, more ...provider.Adapter) (*Registry, error) {
	adapters, err := declarative.Shipped(deps)
	if err != nil {
		return nil, fmt.Errorf("shipped providers: %w", err)
	}
	adapters = append(adapters, more...)
	for _, build := range []func(provider.Deps) (provider.Adapter, error){
		adapter(atomopay.New), adapter(bolt.New), adapter(orionpay.New), adapter(paradise.New), adapter(pushinpay.New),
		adapter(sigilopay.New), adapter(syncpay.New), adapter(umbrellapag.New), adapter(wiinpay.New),
	} {
		a, err := build(deps)
		if err != nil {
			return nil, err
		}
		adapters = append(adapters, a)
	}
	return Of(adapters...)
}

func adapter[A provider.Adapter](build func(provider.Deps) (A, error)) func(provider.Deps) (provider.Adapter, error) {
	return func(deps provider.Deps) (provider.Adapter, error) { return build(deps) }
}

// Of makes a registry of the given adapters. A name or alias that occurs twice is an error, and so is a version of a
// provider that there is not.
func Of(adapters ...provider.Adapter) (*Registry, error) {
	r := &Registry{byName: map[provider.Name]provider.Adapter{}, versions: map[provider.Name]map[string]provider.Adapter{}}
	for _, a := range adapters {
		if version := a.Capabilities().Version; version != "" {
			if r.versions[a.Name()] == nil {
				r.versions[a.Name()] = map[string]provider.Adapter{}
			}
			if r.versions[a.Name()][version] != nil {
				return nil, fmt.Errorf("registry: version %s of provider %s twice", version, a.Name())
			}
			r.versions[a.Name()][version] = a
			continue
		}
		r.names = append(r.names, a.Name())
		for _, name := range append([]provider.Name{a.Name()}, a.Capabilities().Aliases...) {
			if _, twice := r.byName[name]; twice {
				return nil, fmt.Errorf("registry: provider %s twice", name)
			}
			r.byName[name] = a
		}
	}
	slices.Sort(r.names)
	for name := range r.versions {
		if !slices.Contains(r.names, name) {
			return nil, fmt.Errorf("registry: a version of %s, which is no provider's name here: known are %s", name, r.known())
		}
	}
	return r, nil
}

// Version finds another adapter of a provider; ErrUnknown lists those that there are.
func (r *Registry) Version(name provider.Name, version string) (provider.Adapter, error) {
	if a := r.versions[name][version]; a != nil {
		return a, nil
	}
	if known := r.Versions(name); len(known) > 0 {
		return nil, fmt.Errorf("%w: version %q of %s: there are %s", ErrUnknown, version, name, strings.Join(known, ", "))
	}
	return nil, fmt.Errorf("%w: version %q of %s: it has only the one that decides", ErrUnknown, version, name)
}

// Versions are the names of a provider's other adapters, sorted.
func (r *Registry) Versions(name provider.Name) []string {
	return slices.Sorted(maps.Keys(r.versions[name]))
}

func (r *Registry) known() string {
	known := make([]string, len(r.names))
	for i, n := range r.names {
		known[i] = string(n)
	}
	return strings.Join(known, ", ")
}

// Lookup finds an adapter by name or alias, in any case. The error wraps ErrUnknown and lists the known names, or
// wraps ErrRefused and says why.
func (r *Registry) Lookup(name string) (provider.Adapter, error) {
	folded := provider.Name(strings.ToLower(strings.TrimSpace(name)))
	if a, ok := r.byName[folded]; ok {
		return a, nil
	}
	if reason, ok := refused[folded]; ok {
		return nil, fmt.Errorf("%w: %s: %s", ErrRefused, folded, reason)
	}
	return nil, fmt.Errorf("%w %q: known are %s", ErrUnknown, name, r.known())
}

// Canonical is the provider's own name for a name or alias; "" when unknown.
func (r *Registry) Canonical(name string) provider.Name {
	a, err := r.Lookup(name)
	if err != nil {
		return ""
	}
	return a.Name()
}

// All lists the adapters by name.
func (r *Registry) All() []provider.Adapter {
	all := make([]provider.Adapter, len(r.names))
	for i, n := range r.names {
		all[i] = r.byName[n]
	}
	return all
}

// Refused lists what is refused and why.
func Refused() map[provider.Name]string {
	out := make(map[provider.Name]string, len(refused))
	for name, why := range refused {
		out[name] = why
	}
	return out
}
