package provider

import (
	"net/url"
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// ChargeRequest asks for one PIX charge.
type ChargeRequest struct {
	// Reference is our name for the sale, unique for ever at the account; at most 50 bytes. Required.
	Reference string
	// Amount in centavos, positive. Required.
	Amount money.Amount
	// Description is what the buyer is told that he pays; "" becomes the reference.
	Description string
	// Customer is the buyer's own data. Absent fields stay absent: nothing is ever invented.
	Customer Customer
	// WebhookURL is where this charge's webhooks shall go, https and already carrying account and sale keys; "" sends
	// none.
	WebhookURL string
	// ExpiresIn is how long the code shall live; 0 leaves it to the provider.
	ExpiresIn time.Duration
	// Tracking is passed on where the provider has fields for it: utm_source, utm_medium, utm_campaign, utm_term,
	// utm_content, src, sck.
	Tracking map[string]string
	// Splits send parts to other accounts of the same provider.
	Splits []Split
	// ClientIP is the buyer's address where a provider asks for it; "" when not known.
	ClientIP string
}

// Customer is a buyer. Every field may be "".
type Customer struct {
	Name, Email string
	// Phone is digits with or without 55; Document is CPF or CNPJ digits.
	Phone, Document string
}

// Split is a part of a charge for somebody else.
type Split struct {
	// AccountID names the receiver at the provider.
	AccountID string
	// Amount is in centavos. Providers that split by percentage get the nearest whole percent below.
	Amount money.Amount
}

// Charge is what a provider answered to a ChargeRequest.
type Charge struct {
	Identifiers Ref
	// Status is StatusFailed when the provider refused though its HTTP code says success, else StatusPending, or
	// whatever else it said.
	Status         Status
	ProviderStatus string
	Amount         *money.Amount
	// Code is the text that the buyer pastes, recognised by content and checksum; "" while the provider prepares it
	// (a later Reading will carry it) or when the charge failed.
	Code string
	// ExpiresAt is nil when the provider does not tell.
	ExpiresAt *time.Time
	// Reason is the provider's words for a refusal, redacted.
	Reason     string
	Routing    Routing
	HTTPStatus int
	Endpoint   string
	Evidence   string
}

// MaxReference is the longest reference that every provider keeps.
const MaxReference = 50

// Check reports what no provider accepts, as KindInvalidRequest: no or too long reference, an amount outside
// the capabilities' bounds, a webhook URL that is not one, and required customer fields (named in
// Capabilities.CustomerFields) that are absent.
func (r ChargeRequest) Check(c Capabilities) error {
	wrong := func(reason string) error {
		return &Error{Kind: KindInvalidRequest, Provider: c.Name, Op: OpCreate, Reason: reason}
	}
	switch {
	case strings.TrimSpace(r.Reference) == "" || len(r.Reference) > MaxReference:
		return wrong("reference must have 1 to 50 bytes")
	case r.Amount <= 0:
		return wrong("amount must be positive")
	case r.Amount < c.MinAmount:
		return wrong("amount is below the provider's minimum of " + c.MinAmount.String())
	case c.MaxAmount > 0 && r.Amount > c.MaxAmount:
		return wrong("amount is above the maximum of " + c.MaxAmount.String())
	}
	if r.WebhookURL != "" {
		if u, err := url.Parse(r.WebhookURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return wrong("webhook url is not an absolute http(s) url")
		}
	}
	for _, field := range c.CustomerFields {
		if strings.TrimSpace(r.Customer.field(field)) == "" {
			return wrong("the provider requires the buyer's " + field)
		}
	}
	var parts money.Amount
	for _, s := range r.Splits {
		if s.AccountID == "" || s.Amount <= 0 {
			return wrong("a split needs an account and a positive amount")
		}
		parts += s.Amount
	}
	if len(r.Splits) > 0 && !c.Split {
		return wrong("the provider cannot split")
	}
	if parts > r.Amount {
		return wrong("splits exceed the amount")
	}
	return nil
}

func (c Customer) field(name string) string {
	switch name {
	case "name":
		return c.Name
	case "email":
		return c.Email
	case "phone":
		return c.Phone
	case "document":
		return c.Document
	default:
		return ""
	}
}

// Title is the description, or the reference where there is none.
func (r ChargeRequest) Title() string {
	if d := strings.TrimSpace(r.Description); d != "" {
		return d
	}
	return r.Reference
}

// Digits keeps the decimal digits of text; providers want documents and phones without punctuation.
func Digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}
