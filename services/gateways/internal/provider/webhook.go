package provider

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// Webhook is a request that a provider, or anybody, sent to our webhook URL.
type Webhook struct {
	Body []byte
	// ContentType is what the sender claims; adapters believe the body instead.
	ContentType string
	Headers     http.Header
}

// Hint is a reason to look at one charge now. Nothing in it is proven: none of the providers signs.
type Hint struct {
	// Identifiers are the charge's names; at least one is set.
	Identifiers Ref
	// Status and ProviderStatus are what the sender claims; StatusUnknown with "" when it claims nothing.
	Status         Status
	ProviderStatus string
	// Amount is nil when absent or unreadable.
	Amount     *money.Amount
	PaidAt     *time.Time
	EndToEndID string
	// Event is the sender's name for what happened, "" when it has none.
	Event string
	// Routing tells which account it belongs to when the URL does not.
	Routing Routing
	// BodyToken is the shared secret that some providers put into the body.
	BodyToken Secret
}

// Routing holds values in a webhook that belong to an account, or to one of its offers, and not to a sale.
type Routing struct {
	ProducerHash string
	OfferHash    string
	ProductHash  string
}

// Names of what CheckWebhook reads.
const (
	// CredentialWebhookSecret is the secret that the merchant configured at the provider, if any.
	CredentialWebhookSecret = "webhook_secret"
	// SettingWebhookHeader names the header that carries it where the merchant may choose the name.
	SettingWebhookHeader = "webhook_header"
)

// ErrWebhookSecret means that an account has a webhook secret and the webhook did not bring it.
var ErrWebhookSecret = errors.New("webhook without the account's secret")

// CheckWebhook compares, in constant time, the secret that the account was configured with against the one that came
// by header or body token, as the provider's WebhookRule says. An account without a configured secret accepts
// everything: a missing header is no defect then, and a header that came all the same is ignored.
func CheckWebhook(rule WebhookRule, account Account, webhook Webhook, hints []Hint) error {
	want := account.Credentials.Get(CredentialWebhookSecret)
	if want.IsZero() {
		return nil
	}
	switch rule.Trust {
	case TrustHeader:
		name := account.Setting(SettingWebhookHeader)
		if name == "" {
			name = rule.Header
		}
		if same(want.Reveal(), NewSecret(webhook.Headers.Get(name)).Reveal()) {
			return nil
		}
	case TrustBodyToken:
		for _, h := range hints {
			if !same(want.Reveal(), h.BodyToken.Reveal()) {
				return ErrWebhookSecret
			}
		}
		return nil
	default:
		return nil
	}
	return ErrWebhookSecret
}

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// WebhookURL is the address to give to a provider: base, "/webhook/payment/", provider, account key and, when
// saleKey is not "", the opaque key of one sale. Keys are escaped as path segments.
func WebhookURL(base string, provider Name, accountKey, saleKey string) string {
	u := strings.TrimRight(base, "/") + "/webhook/payment/" + url.PathEscape(string(provider))
	for _, key := range []string{accountKey, saleKey} {
		if key == "" {
			break
		}
		u += "/" + url.PathEscape(key)
	}
	return u
}
