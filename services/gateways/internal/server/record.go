package server

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

const (
	maxLabel   = 100
	maxValue   = 4096
	maxRoute   = 200
	maxRoutes  = 32
	mostCalls  = 10_000_000 // a minute
	plainLabel = "default"
)

var headerForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// newRecord checks everything that a merchant says of an account, naming each wrong field, and splits secrets from settings as
// the provider declares them. No error repeats a value.
func (s *Server) newRecord(ctx context.Context, m account.MerchantID, adapter provider.Adapter, r *gatewaysv1.PutAccountRequest) (*account.Record, map[string]string, error) {
	c := adapter.Capabilities()
	var bad rpcerr.Fields
	out := &account.Record{Key: account.Key{Merchant: m}, Provider: c.Name, Label: strings.TrimSpace(r.GetLabel()), BaseURL: strings.TrimSpace(r.GetBaseUrl()),
		CallsPerMinute: int(r.GetCallsPerMinute()), State: account.Active}
	if out.Label == "" {
		out.Label = plainLabel
	}
	bad.Require(len(out.Label) <= maxLabel && !strings.ContainsFunc(out.Label, unicode.IsControl), "label", "at most 100 bytes without line breaks")
	checkCalls(ctx, &bad, c, r.GetCallsPerMinute())
	checkBase(&bad, out.BaseURL)
	secrets := map[string]string{}
	out.Settings = map[string]string{}
	fields(&bad, c, r.GetCredentials(), secrets, out.Settings)
	webhookSecret(&bad, c, r, secrets, out.Settings)
	out.Shadow = strings.TrimSpace(r.GetShadow())
	s.checkShadow(&bad, adapter, out.Shadow)
	out.CredentialNames = slices.Sorted(maps.Keys(secrets))
	out.CredentialNames = append(out.CredentialNames, slices.Sorted(maps.Keys(out.Settings))...)
	bad.Require(len(r.GetRoutingHashes()) <= maxRoutes, "routing_hashes", "at most 32")
	for _, hash := range r.GetRoutingHashes() {
		hash = strings.TrimSpace(hash)
		ok := hash != "" && len(hash) <= maxRoute && !strings.ContainsFunc(hash, unicode.IsControl)
		bad.Require(ok, "routing_hashes", "each a hash as the provider's webhooks carry it, at most 200 bytes")
		out.Routes = append(out.Routes, account.Route{Hash: hash})
	}
	if err := bad.Err(); err != nil {
		return nil, nil, err
	}
	// base_url makes this service call an address of the caller's choice, with whatever the network lets it reach.
	if out.BaseURL != "" && !auth.From(ctx).Operator && out.BaseURL != c.BaseURL && out.BaseURL != c.Sandbox {
		return nil, nil, rpcerr.Denied("base_url: only an operator may send an account elsewhere than to its provider")
	}
	return out, secrets, nil
}

// checkCalls lets a merchant lower the budget that the provider's rule gives; raising it is the operator's risk.
func checkCalls(ctx context.Context, bad *rpcerr.Fields, c provider.Capabilities, calls int32) {
	bad.Require(calls >= 0 && calls <= mostCalls, "calls_per_minute", "0 for the provider's default, at most 10000000")
	if limit := c.Poll.CallsPerMinute; limit > 0 && !auth.From(ctx).Operator {
		bad.Require(int(calls) <= limit, "calls_per_minute", "at most the provider's budget; only an operator may raise it")
	}
}

func checkBase(bad *rpcerr.Fields, base string) {
	if base == "" {
		return
	}
	if err := provider.CheckBaseURL(base); err != nil {
		bad.Require(false, "base_url", err.Error())
	}
	bad.Require(len(base) <= 500, "base_url", "at most 500 bytes")
}

// fields sorts the given values into secrets and settings.
func fields(bad *rpcerr.Fields, c provider.Capabilities, given map[string]string, secrets, settings map[string]string) {
	known := map[string]bool{}
	var names []string
	for _, f := range slices.Concat(c.Credentials, c.Settings) {
		known[f.Name] = true
		names = append(names, f.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		bad.Require(known[name], "credentials", "no field "+shown(name)+": "+string(c.Name)+" has "+strings.Join(names, ", "))
		bad.Require(len(given[name]) <= maxValue, "credentials."+shown(name), "at most 4096 bytes")
	}
	take := func(f provider.Field, into map[string]string) {
		value := provider.NewSecret(given[f.Name]).Reveal()
		bad.Require(value != "" || !f.Required, "credentials."+f.Name, "required: "+f.EN)
		if value != "" {
			into[f.Name] = value
		}
	}
	for _, f := range c.Credentials {
		take(f, secrets)
	}
	for _, f := range c.Settings {
		take(f, settings)
	}
}

// shown is a field's name as far as it may be repeated: somebody may have pasted a secret in its place.
func shown(name string) string {
	if len(name) > 40 || strings.ContainsFunc(name, func(r rune) bool { return r != '_' && r != '-' && !unicode.IsLetter(r) }) {
		return "of that name"
	}
	return name
}

// webhookSecret takes the static header or body token that the merchant configured at the provider.
func webhookSecret(bad *rpcerr.Fields, c provider.Capabilities, r *gatewaysv1.PutAccountRequest, secrets, settings map[string]string) {
	secret, header := provider.NewSecret(r.GetWebhookSecret()).Reveal(), strings.TrimSpace(r.GetWebhookHeader())
	bad.Require(len(secret) <= maxValue, "webhook_secret", "at most 4096 bytes")
	if secret != "" {
		bad.Require(c.Webhook.Trust != provider.TrustNone && c.Webhook.Trust != "", "webhook_secret", "empty: "+string(c.Name)+" sends no secret with its webhooks")
		secrets[provider.CredentialWebhookSecret] = secret
	}
	if header != "" {
		bad.Require(c.Webhook.Trust == provider.TrustHeader, "webhook_header", "empty: "+string(c.Name)+" sends no header of its own with its webhooks")
		settings[provider.SettingWebhookHeader] = header
	}
	if h := settings[provider.SettingWebhookHeader]; h != "" {
		bad.Require(headerForm.MatchString(h), "webhook_header", "the name of an HTTP header")
		bad.Require(secrets[provider.CredentialWebhookSecret] != "", "webhook_secret", "the header's value, since webhook_header is given")
	}
}
