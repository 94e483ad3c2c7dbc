package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/services/gateways"
	"github.com/baixapay/baixa/sim"
)

const (
	providerKey    = "key-of-the-shop-0001"
	providerSecret = "secret-of-the-shop-0002"
	asked          = 1999 // centavos of every charge here
)

// severalSecrets are the fields of providers that have more than one.
var severalSecrets = map[sim.Provider][2]string{
	sim.Syncpay: {"client_id", "client_secret"}, sim.Babylon: {"secret_key", "company_id"}, sim.Bolt: {"secret_key", "company_id"},
	sim.Sigilopay: {"public_key", "secret_key"},
}

var everyStatus = []sim.Status{sim.Pending, sim.Paid, sim.Failed, sim.Expired, sim.Cancelled, sim.Refunded, sim.ChargedBack, sim.Disputed}

// counter is one provider with one charge of R$ 19,99, and what came to its webhook's address.
type counter struct {
	provider sim.Provider
	world    *sim.World
	sims     *sim.Server
	charge   sim.Charge
	hooks    chan hook
}

type hook struct {
	body, contentType string
}

// onEvery runs a test for each provider that the simulators play, on a world of its own.
func onEvery(t *testing.T, run func(t *testing.T, c *counter)) {
	t.Parallel()
	for _, p := range sim.Providers() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			w, err := sim.New(sim.Config{Seed: 7})
			must(t, err)
			t.Cleanup(w.Close)
			s, err := w.Start("127.0.0.1:0")
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
			c := &counter{provider: p, world: w, sims: s, hooks: make(chan hook, 16)}
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				c.hooks <- hook{string(body), r.Header.Get("Content-Type")}
			}))
			t.Cleanup(server.Close)
			account := sim.Account{Provider: p, Name: "shop", Key: providerKey}
			if _, two := severalSecrets[p]; two {
				account.Secret = providerSecret
			}
			must(t, w.AddAccount(account))
			c.charge, err = w.AddCharge(sim.Charge{Provider: p, Account: "shop", Reference: "BX-1", AmountCentavos: asked, WebhookURL: server.URL + "/",
				Webhooks: &sim.Webhooks{Mode: sim.WebhookNever}, Customer: sim.Customer{Name: "Ana Exemplo"}})
			must(t, err)
			run(t, c)
		})
	}
}

// id is what the provider's status call is asked by first.
func (c *counter) id() string {
	if c.provider == sim.Atomopay {
		return c.charge.Hash
	}
	return c.charge.ID
}

// look asks through the workbench's door.
func (c *counter) look(t *testing.T) gateways.Finding {
	t.Helper()
	secrets := providerKey
	if fields, two := severalSecrets[c.provider]; two {
		secrets = fmt.Sprintf("%s=%s\n%s=%s", fields[0], providerKey, fields[1], providerSecret)
	}
	found, err := gateways.Try(t.Context(), gateways.Trial{Provider: string(c.provider), BaseURL: c.sims.ProviderURL(c.provider), Secrets: secrets, Identifier: c.id()})
	must(t, err)
	return found
}

// short is a finding as a word or two.
func short(f gateways.Finding) string {
	switch {
	case f.Outcome != "status":
		text := f.Outcome
		if f.RetryAfterSeconds != nil {
			text += fmt.Sprintf(" %gs", *f.RetryAfterSeconds)
		}
		return text
	case f.AmountCentavos == nil:
		return f.Status + " without amount"
	default:
		return fmt.Sprintf("%s %d", f.Status, *f.AmountCentavos)
	}
}

// Each word with which a provider was seen to say something is read as what it says.
func TestProviders_everyWord(t *testing.T) {
	onEvery(t, func(t *testing.T, c *counter) {
		for _, status := range everyStatus {
			for _, word := range sim.Words(c.provider, status) {
				must(t, c.world.SetStatus(c.provider, c.charge.ID, status))
				must(t, c.world.SetWord(c.provider, c.charge.ID, word))
				f := c.look(t)
				if want := fmt.Sprintf("%s %d", status, asked); short(f) != want || f.ProviderStatus != word {
					t.Errorf("%s %q: got %s %q (%s)", status, word, short(f), f.ProviderStatus, f.Reason)
				}
				if status != sim.Paid && f.Status == "paid" {
					t.Errorf("%s %q was read as paid", status, word)
				}
			}
		}
		must(t, c.world.SetWord(c.provider, c.charge.ID, "quitado_talvez"))
		if f := c.look(t); f.Status != "unknown" || f.ProviderStatus != "quitado_talvez" {
			t.Errorf("a word that nobody knows: got %s %q", short(f), f.ProviderStatus)
		}
	})
}

// Envelopes, spellings of ids and of amounts change nothing of what is read.
func TestProviders_everyShape(t *testing.T) {
	onEvery(t, func(t *testing.T, c *counter) {
		must(t, c.world.SetStatus(c.provider, c.charge.ID, sim.Paid))
		for _, envelope := range []string{"plain", "success", "ok", "array", "data", "data.data", "transaction"} {
			for _, shape := range []sim.Shape{{}, {IDs: "number"}, {IDs: "string"}, {IDs: "upper"}, {IDs: "lower"}, {Amount: "number"}, {Amount: "string"},
				{Amount: "decimal"}, {Amount: "absent"}, {IDs: "string", Amount: "decimal"}} {
				want := fmt.Sprintf("paid %d", asked)
				if shape.Amount == "absent" {
					want = "paid without amount"
				}
				shape.Envelope = envelope
				if f := c.struck(t, sim.Fault{Kind: sim.FaultShape, Shape: shape}); short(f) != want {
					t.Errorf("%+v: got %s, want %s (%s)", shape, short(f), want, f.Reason)
				}
			}
		}
	})
}

// struck is a look under a fault.
func (c *counter) struck(t *testing.T, fault sim.Fault) gateways.Finding {
	t.Helper()
	fault.Target, fault.Endpoint = string(c.provider), sim.EndpointStatus
	id, err := c.world.AddFault(fault)
	must(t, err)
	defer c.world.RemoveFault(id)
	return c.look(t)
}

// An ill provider never makes a sale paid, and each illness has its name.
func TestProviders_everyIllness(t *testing.T) {
	onEvery(t, func(t *testing.T, c *counter) {
		must(t, c.world.SetStatus(c.provider, c.charge.ID, sim.Paid))
		for want, faults := range map[string][]sim.Fault{
			"transient": {{Kind: sim.FaultDown}, {Kind: sim.FaultHTML}, {Kind: sim.FaultHTML, HTTPStatus: 200}, {Kind: sim.FaultTruncated},
				{Kind: sim.FaultEmpty}, {Kind: sim.FaultErrorBody}, {Kind: sim.FaultCode, HTTPStatus: 500}, {Kind: sim.FaultCode, HTTPStatus: 503}},
			"contract":        {{Kind: sim.FaultHuge}},
			"credential":      {{Kind: sim.FaultCode, HTTPStatus: 401}, {Kind: sim.FaultCode, HTTPStatus: 403}},
			"not_found":       {{Kind: sim.FaultHidden, Age: time.Hour}},
			"rate_limited 7s": {{Kind: sim.FaultRateLimited, RetryAfter: 7 * time.Second}, {Kind: sim.FaultRateLimited, RetryAfter: 7 * time.Second, RetryInBody: true}},
			"pending 1999":    {{Kind: sim.FaultLie}},
			"paid 500":        {{Kind: sim.FaultAmount, AmountCentavos: 500}},
			"refunded 1999":   {{Kind: sim.FaultSay, Status: sim.Refunded}},
		} {
			for _, fault := range faults {
				if fault.Status != "" && len(sim.Words(c.provider, fault.Status)) == 0 {
					continue // the provider has no word for it
				}
				if f := c.struck(t, fault); short(f) != want {
					t.Errorf("%s %d: got %s, want %s (%s)", fault.Kind, fault.HTTPStatus, short(f), want, f.Reason)
				}
			}
		}
	})
}

// Each body that a provider was seen to send names the sale and claims what it says.
func TestProviders_everyWebhook(t *testing.T) {
	onEvery(t, func(t *testing.T, c *counter) {
		for _, variant := range sim.Variants(c.provider) {
			for _, status := range everyStatus {
				if len(sim.Words(c.provider, status)) == 0 {
					continue
				}
				must(t, c.world.SendWebhook(c.provider, c.charge.ID, status, variant))
				var h hook
				select {
				case h = <-c.hooks:
				case <-time.After(deployment.Within):
					t.Fatalf("%s %s: no webhook came", variant, status)
				}
				f, err := gateways.Parse(string(c.provider), h.contentType, nil, []byte(h.body))
				must(t, err)
				if variant == "webhook.test" {
					if f.Outcome != "invalid_request" || len(f.Identifiers) > 0 {
						t.Errorf("%s: got %s %v, want a test event that names nothing", variant, short(f), f.Identifiers)
					}
					continue
				}
				if f.Outcome != "status" || f.Status != string(status) || !c.names(f) {
					t.Errorf("%s %s: got %s %v (%s) of\n%s", variant, status, short(f), f.Identifiers, f.Reason, h.body)
				}
				if f.AmountCentavos != nil && *f.AmountCentavos != asked {
					t.Errorf("%s %s: amount %d of\n%s", variant, status, *f.AmountCentavos, h.body)
				}
			}
		}
	})
}

func (c *counter) names(f gateways.Finding) bool {
	for _, name := range f.Identifiers {
		if slices.ContainsFunc([]string{c.charge.ID, c.charge.Hash, c.charge.Reference}, func(s string) bool { return s != "" && strings.EqualFold(s, name) }) {
			return true
		}
	}
	return false
}
