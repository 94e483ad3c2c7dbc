package provider

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// AccountID and MerchantID are ours.
type (
	AccountID  string
	MerchantID string
)

// Account is one merchant's access to one provider, as the accounts store opens it for a call.
type Account struct {
	ID         AccountID
	MerchantID MerchantID
	// BaseURL replaces Capabilities.BaseURL entirely, path included; "" means the documented one. It must be https
	// unless its host is the loopback interface.
	BaseURL string
	// Credentials by the names in Capabilities.Credentials.
	Credentials Credentials
	// AccountKey is the opaque word that webhook URLs of this account carry.
	AccountKey string
	// Settings are not secret, by the names in Capabilities.Settings.
	Settings map[string]string
}

// Credentials are secrets by field name.
type Credentials map[string]Secret

// Get returns a field, the zero Secret when absent.
func (c Credentials) Get(field string) Secret { return c[field] }

// Secret is text that nothing prints: every formatting verb, JSON, text and log encoding of it gives "[redacted]".
type Secret struct{ text string }

const redacted = "[redacted]"

// NewSecret cleans pasted text: white space and invisible characters are removed from both ends, line breaks and tabs
// everywhere. Spaces pasted round Átomo's token are the commonest cause of its 401.
func NewSecret(text string) Secret {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
	return Secret{strings.TrimSpace(text)}
}

// Reveal is the secret itself, for building a request and for nothing else.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

// String is "[redacted]".
func (Secret) String() string { return redacted }

// GoString is "[redacted]".
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON is "[redacted]".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText is "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML is "[redacted]".
func (Secret) MarshalYAML() (any, error) { return redacted, nil }

// LogValue is "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Setting returns a setting, trimmed; "" when absent.
func (a Account) Setting(name string) string { return strings.TrimSpace(a.Settings[name]) }

// Require returns the named credentials in order, or a KindCredential error that names the first missing one.
func (a Account) Require(op Op, provider Name, fields ...string) ([]Secret, error) {
	secrets := make([]Secret, len(fields))
	for i, field := range fields {
		secrets[i] = a.Credentials.Get(field)
		if secrets[i].IsZero() {
			return nil, &Error{Kind: KindCredential, Provider: provider, Op: op, Reason: "account has no " + field}
		}
	}
	return secrets, nil
}
