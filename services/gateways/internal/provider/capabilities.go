package provider

import (
	"slices"
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// Capabilities is all that the rest of the system and the documentation know about a provider. It is data: the same
// value drives the adapter's mapping, ListProviders and docs/providers.md.
type Capabilities struct {
	Name Name
	// Version is "" for the adapter that decides; others of the same Name may read beside it as an account's shadow.
	Version string
	Aliases []Name
	// Title is the brand as people write it.
	Title string
	// BaseURL is the documented one; Account.BaseURL replaces it, path included. Sandbox is "" when there is none.
	BaseURL, Sandbox string
	// Auth tells in words how calls are authenticated.
	Auth string
	// Identifiers that GetStatus accepts, in the order in which they are tried, with what each is there.
	Identifiers []Identifier
	// LowerCaseIDs: the provider writes the same id in either case; readings, hints and charges carry it in lower
	// case and stored ids must be compared so.
	LowerCaseIDs bool
	// Unit in which the provider writes amounts.
	Unit Unit
	// Words of status answers and webhooks; WebhookWords are further ones that only webhooks use.
	Words, WebhookWords []Word
	// EnvelopeWords tell how a call went, ErrorWords that it went wrong in spite of its HTTP code.
	EnvelopeWords, ErrorWords []string
	// Final statuses are never left at the provider. StatusPaid is not among them where refunds are reported.
	Final []Status
	// Unsafe are raw status words that a second reading must confirm before they count, Recheck apart.
	Unsafe  []string
	Recheck time.Duration

	Webhook WebhookRule
	Poll    PollRule

	// FreeReads: two status calls at once cost nothing but a connection, so a slow one may be hedged.
	FreeReads bool
	// What the adapter can do besides reading status and webhooks.
	Create, Verify, List, Refund, Split bool

	// MinAmount and MaxAmount bound CreateCharge, in centavos; 0 where nothing is known.
	MinAmount, MaxAmount money.Amount
	// CustomerFields that CreateCharge requires: name, email, phone, document.
	CustomerFields []string

	// Credentials and Settings that an account has.
	Credentials, Settings []Field
	// Notes are facts and open questions, each with its confidence.
	Notes []Note
}

// Identifier is one way of naming a charge.
type Identifier struct {
	Kind IDKind
	// What it is at this provider, in English.
	Meaning    string
	Confidence Confidence
}

// Unit is how a provider writes amounts.
type Unit string

// The units: whole centavos (1990), or reais with decimals (19.90).
const (
	Centavos Unit = "centavos"
	Reais    Unit = "reais"
)

// Trust is how far a webhook can be told from a forged one.
type Trust string

// The trusts. All of them are shared secrets at best; none is a signature over the body.
const (
	TrustNone      Trust = "none"
	TrustHeader    Trust = "header"
	TrustBodyToken Trust = "body_token"
)

// WebhookRule is how a provider calls us.
type WebhookRule struct {
	Trust Trust
	// Header is the usual name of the secret header; the account's setting webhook_header overrides it.
	Header string
	// Formats are what bodies were seen as: "json", "form".
	Formats []string
	// Attempts is how often the provider tries; 0 when not documented.
	Attempts int
	// Panel: the address is set once in the provider's panel; a charge cannot carry its own.
	Panel bool
}

// PollRule is how often a provider may be asked.
type PollRule struct {
	// MinInterval between two looks at one sale; asking faster may get the account blocked.
	MinInterval time.Duration
	// Cadence is the origin system's interval, the default for young sales.
	Cadence time.Duration
	// CallsPerMinute is the default budget of one account over all replicas; an account may have another.
	CallsPerMinute int
	Confidence     Confidence
}

// Field is one value that an account needs.
type Field struct {
	Name     string
	Required bool
	Secret   bool
	// PT and EN tell the merchant what it is and where to find it.
	PT, EN string
}

// Note is one fact with its confidence. Open marks what sources contradict each other about, or nobody tells; the text
// says what this system does about it.
type Note struct {
	Text       string
	Confidence Confidence
	Open       bool
}

// AllWords is Words and WebhookWords together.
func (c Capabilities) AllWords() []Word {
	return append(append([]Word(nil), c.Words...), c.WebhookWords...)
}

// Canonical is ref as this provider's readings and hints write it, so that stored names compare equal to them.
func (c Capabilities) Canonical(ref Ref) Ref {
	for _, kind := range []IDKind{ByHash, ByID, ByReference} {
		value := ref.Get(kind)
		if c.LowerCaseIDs && kind != ByReference {
			value = lowerASCII(value)
		}
		ref = ref.With(kind, value)
	}
	return ref
}

// IsUnsafe reports whether a raw status word counts only when a second reading agrees.
func (c Capabilities) IsUnsafe(word string) bool {
	return slices.ContainsFunc(c.Unsafe, func(unsafe string) bool { return Fold(unsafe) == Fold(word) })
}

// PrimarySecret is the name of the first required secret credential: what a merchant with a single secret pastes.
func (c Capabilities) PrimarySecret() string {
	for _, f := range c.Credentials {
		if f.Secret && f.Required {
			return f.Name
		}
	}
	return ""
}
