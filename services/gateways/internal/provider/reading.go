package provider

import (
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// Ref names one charge at a provider by any of the names that it has there. All are optional; what each one is at a
// given provider stands in Capabilities.Identifiers.
type Ref struct {
	// Hash is the short public name (Átomo's hash).
	Hash string
	// ID is the provider's own identifier. Numbers are kept as decimal text.
	ID string
	// Reference is the name that we gave (external id, external reference).
	Reference string
}

// IDKind names one field of a Ref.
type IDKind string

// The kinds of identifiers, as written in configuration and on the command line.
const (
	ByHash      IDKind = "hash"
	ByID        IDKind = "id"
	ByReference IDKind = "reference"
)

// Get returns the identifier of one kind, trimmed; "" when absent or the kind is not known.
func (r Ref) Get(kind IDKind) string {
	switch kind {
	case ByHash:
		return strings.TrimSpace(r.Hash)
	case ByID:
		return strings.TrimSpace(r.ID)
	case ByReference:
		return strings.TrimSpace(r.Reference)
	default:
		return ""
	}
}

// With returns r with the identifier of one kind replaced.
func (r Ref) With(kind IDKind, value string) Ref {
	switch kind {
	case ByHash:
		r.Hash = value
	case ByID:
		r.ID = value
	case ByReference:
		r.Reference = value
	}
	return r
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// contradicts reports whether an answer about got cannot be about r: it carries the kind of name that was asked for,
// and none of its names is the one asked for.
func (r Ref) contradicts(kind IDKind, got Ref) bool {
	asked := r.Get(kind)
	if asked == "" || got.Get(kind) == "" {
		return false
	}
	for _, k := range []IDKind{ByHash, ByID, ByReference} {
		if strings.EqualFold(asked, got.Get(k)) {
			return false
		}
	}
	return true
}

// Reading is one look at the provider's truth.
type Reading struct {
	// Status is our word; ProviderStatus the provider's, exactly as sent.
	Status         Status
	ProviderStatus string
	// Amount is what the provider says was charged; nil when the answer does not tell. Absent is not zero.
	Amount *money.Amount
	// Currency is ISO 4217, "BRL" where the provider knows no other.
	Currency string
	// Identifiers are the names found in the answer, folded to lower case where the provider's letters vary.
	Identifiers Ref
	// CreatedAt and PaidAt are nil when absent or a zero date. They never decide anything.
	CreatedAt, PaidAt *time.Time
	// EndToEndID is the central bank's id of the transfer (E…), "" when absent. It never decides anything.
	EndToEndID string
	// Code is the PIX code found in the answer by its content, "" when there is none.
	Code string
	// Reason is the provider's words for a failure, redacted; "" when absent.
	Reason string
	// HTTPStatus is the answer's code, Endpoint the request's method and path template without any identifier.
	HTTPStatus int
	Endpoint   string
	// Evidence is at most 512 bytes of the answer without secrets and personal data, for the sale's history.
	Evidence string
}

// AccountInfo is what a provider tells about the account whose credentials work.
type AccountInfo struct {
	// Label is what the provider calls the account; "" when it does not tell.
	Label string
	// Routing holds values that this account's webhooks will carry, where the provider tells them.
	Routing Routing
	// Endpoint and HTTPStatus are the call that proved it.
	Endpoint   string
	HTTPStatus int
}
