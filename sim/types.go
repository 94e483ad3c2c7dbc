package sim

import "time"

// Provider names a simulated PIX provider, in the project's spelling.
type Provider string

// The providers that the world plays.
const (
	Atomopay    Provider = "atomopay"
	Paradise    Provider = "paradise"
	Pushinpay   Provider = "pushinpay"
	Syncpay     Provider = "syncpay"
	Wiinpay     Provider = "wiinpay"
	Umbrellapag Provider = "umbrellapag"
	Orionpay    Provider = "orionpay"
	Babylon     Provider = "babylon"
	Bolt        Provider = "bolt"
	Aguia       Provider = "aguia"
	Sigilopay   Provider = "sigilopay"
)

// Providers lists them all, the seed's three first.
func Providers() []Provider {
	out := make([]Provider, 0, 11)
	for _, d := range dialects() {
		out = append(out, d.provider)
	}
	return out
}

// Path is the path under which p's documented base URL is played:
// "/atomopay/api/public/v1". Empty for an unknown provider.
func Path(p Provider) string {
	for _, d := range dialects() {
		if d.provider == p {
			return "/" + string(p) + d.base
		}
	}
	return ""
}

// Words lists every word with which p may say st, the usual one first: its
// documented vocabulary and the synonyms seen in the wild. Empty when p has
// no word for it.
func Words(p Provider, st Status) []string {
	for _, d := range dialects() {
		if d.provider == p {
			return append([]string(nil), d.words[st]...)
		}
	}
	return nil
}

// Status is the plain word for what happened to a charge; each provider says
// it in its own.
type Status string

// The plain words.
const (
	Pending     Status = "pending"
	Paid        Status = "paid"
	Failed      Status = "failed"
	Expired     Status = "expired"
	Cancelled   Status = "cancelled"
	Refunded    Status = "refunded"
	ChargedBack Status = "charged_back"
	Disputed    Status = "disputed"
)

func (s Status) known() bool {
	switch s {
	case Pending, Paid, Failed, Expired, Cancelled, Refunded, ChargedBack, Disputed:
		return true
	}
	return false
}

// Charge is one PIX at a provider.
type Charge struct {
	Provider Provider `json:"provider"`
	// Account is the Name of the account that owns it; empty: every account sees it.
	Account string `json:"account,omitempty"`
	// ID, Hash and Reference are the provider's internal id, its second id
	// where it has one, and the merchant's own. Absent ones are made up in the
	// provider's format, the reference excepted.
	ID        string `json:"id,omitempty"`
	Hash      string `json:"hash,omitempty"`
	Reference string `json:"reference,omitempty"`
	// AmountCentavos is integer centavos, more than 0. Currency is BRL when empty; SyncPay, Babylon and Bolt name it in
	// their answers.
	AmountCentavos int64  `json:"amount_centavos"`
	Currency       string `json:"currency,omitempty"`
	// Status is Pending when empty. Word, when set, is said instead of the
	// provider's usual word for it.
	Status Status `json:"status,omitempty"`
	Word   string `json:"word,omitempty"`
	// CreatedAt is the world's now when zero. PaidAt is set by paying, or is
	// CreatedAt for a charge added as paid without it. ExpiresAt is what the
	// provider announces; nothing expires by itself.
	CreatedAt time.Time `json:"created_at,omitzero"`
	PaidAt    time.Time `json:"paid_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// EMV is the copy-and-paste code, made up when empty. EndToEnd is the
	// central bank's id, made up when paid.
	EMV      string `json:"emv,omitempty"`
	EndToEnd string `json:"end_to_end,omitempty"`
	// WebhookURL is told about every change; nobody is when empty. Webhooks
	// overrides the provider's switches for this charge.
	WebhookURL string    `json:"webhook_url,omitempty"`
	Webhooks   *Webhooks `json:"webhooks,omitempty"`
	Customer   Customer  `json:"customer,omitzero"`
	Product    string    `json:"product,omitempty"`
}

// Customer is who pays, as the merchant told the provider.
type Customer struct {
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Phone    string `json:"phone,omitempty"`
	Document string `json:"document,omitempty"`
}

// Account is one merchant's credentials at a provider.
type Account struct {
	Provider Provider `json:"provider"`
	// Name is how charges and faults refer to it; unique per provider.
	Name string `json:"name"`
	// Key and Secret are the credential: Átomo api_token · Paradise sk_… ·
	// PushinPay token · SyncPay client_id + client_secret · WiinPay api_key ·
	// UmbrellaPag, OrionPay and Águia API key · Babylon and Bolt secret key +
	// company id · SigiloPay public key + secret key.
	Key    string `json:"key"`
	Secret string `json:"secret,omitempty"`
	// Producer is Átomo's producer hash, made up from Name when empty.
	Producer string `json:"producer,omitempty"`
	// WebhookHeader and WebhookSecret are sent with each webhook: PushinPay's
	// static header, OrionPay's X-Webhook-Secret (its header's name is fixed),
	// SigiloPay's body token.
	WebhookHeader string `json:"webhook_header,omitempty"`
	WebhookSecret string `json:"webhook_secret,omitempty"`
	// Inactive answers like a revoked credential.
	Inactive bool `json:"inactive,omitempty"`
	// MaxCentavos refuses larger charges where the provider has such a limit; 0: none.
	MaxCentavos int64 `json:"max_centavos,omitempty"`
}

// PollRule is how often a provider lets itself be asked.
type PollRule struct {
	// MinInterval between two looks at one charge, with half a second of
	// grace for the network; 0: no rule. PerMinute is for one account; 0: no rule.
	MinInterval time.Duration `json:"-"`
	PerMinute   int           `json:"per_minute"`
	// Block is the HTTP status that answers a look that breaks the rule; 0
	// only counts it as a violation.
	Block int `json:"block"`
}

// DefaultPollRules are the rules in the vendors' documents: PushinPay once per
// 60 s per transaction, SigiloPay once per 300 s, Átomo 1000 calls a minute.
// They count violations and block nobody.
func DefaultPollRules() map[Provider]PollRule {
	return map[Provider]PollRule{
		Pushinpay: {MinInterval: time.Minute},
		Sigilopay: {MinInterval: 5 * time.Minute},
		Atomopay:  {PerMinute: 1000},
	}
}
