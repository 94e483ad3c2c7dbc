package gateways

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Trial is one question to a provider, asked without a database and without any account stored.
type Trial struct {
	// Provider is its name or alias.
	Provider string
	// BaseURL replaces the documented one when not empty; https, or http on loopback.
	BaseURL string
	// Secrets is what the merchant pasted: the one secret that most providers have, or lines of name=value for several
	// credentials and settings.
	Secrets string
	// Kind of the identifier: hash, id or reference. Empty means the first that the provider takes.
	Kind string
	// Identifier of the charge.
	Identifier string
	// Timeout of the question; 0 means 10 s.
	Timeout time.Duration
	// Providers is a folder of further providers' files; "" is none.
	Providers string
}

// Finding is what came of a trial, in the words of the contract. Nothing in it is secret or personal.
type Finding struct {
	// Outcome is status, not_found, transient, rate_limited, credential, contract or invalid_request.
	Outcome string `json:"outcome"`
	// Status is ours; unknown when the provider's word is not known, and without one.
	Status         string            `json:"status"`
	ProviderStatus string            `json:"provider_status"`
	AmountCentavos *int64            `json:"amount_centavos"`
	Identifiers    map[string]string `json:"identifiers"`
	PaidAt         *time.Time        `json:"paid_at"`
	// RetryAfterSeconds is null when the provider did not say.
	RetryAfterSeconds *float64 `json:"retry_after_seconds"`
	HTTPStatus        int      `json:"http_status"`
	// Reason tells why there is no status.
	Reason string `json:"reason,omitempty"`
	// More are further charges that a webhook names.
	More []Finding `json:"more,omitempty"`
	// Calls are the requests made and their answers, for people.
	Calls []Call `json:"-"`
}

// Call is one request and its answer, redacted.
type Call struct {
	Method, URL, Request string
	HTTPStatus           int // 0 when no answer came
	Answer               string
	Err                  string
}

// Try asks a provider about one charge, once. An error means that nothing could be asked: an unknown or refused provider, a
// missing or unknown credential, a wrong kind of identifier. Whatever the provider did is in the Finding.
func Try(ctx context.Context, t Trial) (Finding, error) {
	adapter, err := adapterOf(t.Provider, t.Providers, nil)
	if err != nil {
		return Finding{}, err
	}
	c := adapter.Capabilities()
	account, err := t.account(c)
	if err != nil {
		return Finding{}, err
	}
	ref, err := t.ref(c)
	if err != nil {
		return Finding{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Timeout, 10*time.Second))
	defer cancel()
	var calls []Call
	ctx = provider.WithTap(ctx, func(x provider.Exchange) {
		call := Call{Method: x.Method, URL: x.URL, Request: x.RequestBody, HTTPStatus: x.HTTPStatus, Answer: x.Body}
		if x.Err != nil {
			call.Err = x.Err.Error()
		}
		calls = append(calls, call)
	})
	reading, err := adapter.GetStatus(ctx, account, ref)
	out := failure(err)
	if err == nil {
		out.set(reading.Status, reading.ProviderStatus, reading.Amount, reading.Identifiers, reading.PaidAt)
		out.HTTPStatus = reading.HTTPStatus
	}
	out.Calls = calls
	return out, nil
}

// adapterOf finds "name", or "name@version" for one that does not decide. transport nil is the network.
func adapterOf(name, folder string, transport http.RoundTripper) (provider.Adapter, error) {
	client, err := provider.NewClient(provider.ClientConfig{Transport: transport})
	if err != nil {
		return nil, err
	}
	known, err := registryOf(client, folder)
	if err != nil {
		return nil, err
	}
	name, version, versioned := strings.Cut(name, "@")
	adapter, err := known.Lookup(name)
	if err != nil || !versioned {
		return adapter, err
	}
	return known.Version(adapter.Name(), version)
}

// account sorts what was pasted. Its errors never repeat a value.
func (t Trial) account(c provider.Capabilities) (provider.Account, error) {
	a := provider.Account{ID: "trial", BaseURL: t.BaseURL, Credentials: provider.Credentials{}, Settings: map[string]string{}}
	if t.BaseURL != "" {
		if err := provider.CheckBaseURL(t.BaseURL); err != nil {
			return a, err
		}
	}
	names := func(fields []provider.Field) (out []string) {
		for _, f := range fields {
			out = append(out, f.Name)
		}
		return out
	}
	secrets, settings := names(c.Credentials), names(c.Settings)
	for line := range strings.Lines(t.Secrets) {
		name, value, pair := strings.Cut(strings.TrimSpace(line), "=")
		switch name = strings.TrimSpace(name); {
		case pair && slices.Contains(secrets, name):
			a.Credentials[name] = provider.NewSecret(value)
		case pair && slices.Contains(settings, name):
			a.Settings[name] = strings.TrimSpace(value)
		}
	}
	if len(a.Credentials)+len(a.Settings) == 0 && c.PrimarySecret() != "" {
		a.Credentials[c.PrimarySecret()] = provider.NewSecret(t.Secrets)
	}
	var missing []string
	for _, f := range c.Credentials {
		if f.Required && a.Credentials.Get(f.Name).IsZero() {
			missing = append(missing, f.Name)
		}
	}
	if len(missing) > 0 {
		return a, fmt.Errorf("%s needs %s: write one line name=value for each", c.Name, strings.Join(missing, ", "))
	}
	return a, nil
}

func (t Trial) ref(c provider.Capabilities) (provider.Ref, error) {
	if strings.TrimSpace(t.Identifier) == "" {
		return provider.Ref{}, errors.New("an identifier of the charge is needed")
	}
	kinds := make([]string, len(c.Identifiers))
	for i, id := range c.Identifiers {
		kinds[i] = string(id.Kind)
	}
	kind := t.Kind
	if kind == "" && len(kinds) > 0 {
		kind = kinds[0]
	}
	if !slices.Contains(kinds, kind) {
		return provider.Ref{}, fmt.Errorf("%s is asked by %s", c.Name, strings.Join(kinds, " or "))
	}
	return provider.Ref{}.With(provider.IDKind(kind), t.Identifier), nil
}

// failure is the finding of an error, or of none.
func failure(err error) Finding {
	out := Finding{Outcome: "status", Status: string(provider.StatusUnknown), Identifiers: map[string]string{}}
	if err == nil {
		return out
	}
	out.Outcome, out.Reason = string(provider.KindOf(err)), err.Error()
	var e *provider.Error
	if errors.As(err, &e) {
		out.HTTPStatus = e.HTTPStatus
		if e.RetryAfter > 0 {
			s := e.RetryAfter.Seconds()
			out.RetryAfterSeconds = &s
		}
	}
	return out
}

func (f *Finding) set(s provider.Status, word string, amount *money.Amount, ref provider.Ref, paidAt *time.Time) {
	f.Status, f.ProviderStatus, f.PaidAt = string(s), word, paidAt
	if amount != nil {
		centavos := int64(*amount)
		f.AmountCentavos = &centavos
	}
	for _, kind := range []provider.IDKind{provider.ByHash, provider.ByID, provider.ByReference} {
		if v := ref.Get(kind); v != "" {
			f.Identifiers[string(kind)] = v
		}
	}
}
