// Package account is what the gateways service knows of a merchant's access to a provider, and every reason for not using it now:
// refused credentials, the silence that a provider asked for, an open breaker, a spent budget.
//
// It refuses to know gRPC, what any provider's answers look like, and what a sale is. Secrets are opened here and nowhere
// else, and live in values that nothing prints.
package account

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// ErrBadID is wrapped by every failure to parse an id.
var ErrBadID = errors.New("not a UUID in its 36-character text form")

// ErrNotFound means that there is no such account for this merchant.
var ErrNotFound = errors.New("account not found")

// MerchantID is the owner of accounts, and the tenant of every row.
type MerchantID [16]byte

// ID is one account.
type ID [16]byte

// Key names one account of one merchant: the key of every row about it.
type Key struct {
	Merchant MerchantID
	Account  ID
}

// ParseMerchantID reads the 36-character text form, in either case; anything else is ErrBadID.
func ParseMerchantID(s string) (MerchantID, error) { b, err := parse(s); return MerchantID(b), err }

// ParseID reads the text form of an account's id; see ParseMerchantID.
func ParseID(s string) (ID, error) { b, err := parse(s); return ID(b), err }

// NewID makes an id that no other account has.
func NewID() ID { return ID(uuid.Must(uuid.NewV7())) }

// String is the lower-case 36-character text form.
func (id MerchantID) String() string { return uuid.UUID(id).String() }

// String is the lower-case 36-character text form.
func (id ID) String() string { return uuid.UUID(id).String() }

// IsZero reports whether the id names nobody.
func (id MerchantID) IsZero() bool { return id == MerchantID{} }

// IsZero reports whether the id names no account.
func (id ID) IsZero() bool { return id == ID{} }

func parse(s string) ([16]byte, error) {
	if len(s) != 36 {
		return [16]byte{}, fmt.Errorf("parse id of %d characters: %w", len(s), ErrBadID)
	}
	id, err := uuid.Parse(s)
	if err != nil {
		return [16]byte{}, fmt.Errorf("parse id: %w", ErrBadID)
	}
	if id == (uuid.UUID{}) {
		return [16]byte{}, fmt.Errorf("parse id: all zeros: %w", ErrBadID)
	}
	return id, nil
}

// NewWebhookKey makes the opaque word of an account's webhook URLs: 26 characters, 130 random bits.
func NewWebhookKey() string { return rand.Text() }

// State says whether an account is used.
type State string

// The states.
const (
	Active            State = "active"
	CredentialRefused State = "credential_refused"
)

// Record is an account as it is stored, its secrets sealed under SealName.
type Record struct {
	Key
	Provider       provider.Name
	Label          string
	WebhookKey     string
	BaseURL        string
	CallsPerMinute int // 0 means the provider's default
	State          State
	StateReason    string
	Settings       map[string]string
	Sealed         []byte
	// Shadow is the version of a second adapter that reads live answers beside the deciding one; "" is none.
	Shadow string
	// CredentialNames are the fields that were given, sealed and plain ones.
	CredentialNames []string
	Revision        int // of everything above; raised by every change but those of State
	CreatedAt       time.Time
	UpdatedAt       time.Time
	// Routes are the words that find this account in webhooks without a key.
	Routes []Route
}

// Route is one word that a provider's webhooks carry.
type Route struct {
	Hash    string `json:"hash"`
	Learned bool   `json:"learned"` // from a charge, not configured
}

// SealName is the name under which an account's secrets are sealed.
func SealName(id ID) string { return "account/" + id.String() }

// Health is how an account fares, all replicas together.
type Health struct {
	Breaker         string // closed, open, half-open
	CallsLastMinute int
	LastSuccessAt   time.Time // zero when there was none
	LastFailureAt   time.Time
	// Answers that the account's shadow read, and those of them that it read otherwise.
	ShadowLooks, ShadowDiffering int64
}
