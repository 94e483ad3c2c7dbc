package config

import (
	"fmt"
	"log/slog"
)

const hidden = "[redacted]"

// Secret is a setting that is never printed: not by fmt, not as JSON or YAML, not by slog. A flag --x of this type has
// a second one, --x-file, and so have its variable (X_FILE) and its key in the file (x-file): they name a file whose content,
// without surrounding space, is the value. An empty file is refused.
type Secret struct{ value string }

// NewSecret returns the secret that holds value, for callers that do not parse.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value. It is called where the secret is used and nowhere else.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s.value == "" }

// String returns "[redacted]", or nothing when there is no value.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return hidden
}

// Format hides the value from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.String()) }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the value as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	s.value = string(text)
	return nil
}

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
