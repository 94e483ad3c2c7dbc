package provider

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Kind is what a failed call means for the caller.
type Kind string

// The kinds of errors, the same for every provider.
const (
	// KindNotFound: the provider does not know the charge. New ones are invisible for a while: keep it pending.
	KindNotFound Kind = "not_found"
	// KindTransient: the provider is ill (5xx, HTML, empty, truncated, timeout, TLS, 200 with an error). Ask later.
	KindTransient Kind = "transient"
	// KindRateLimited: asked too often; RetryAfter says how long to be silent when the provider told.
	KindRateLimited Kind = "rate_limited"
	// KindCredential: the provider refused the account. Pause it and tell the merchant; its sales stay as they are.
	KindCredential Kind = "credential"
	// KindContract: an answer came that this adapter does not understand. Alert; the sale stays as it is.
	KindContract Kind = "contract"
	// KindInvalidRequest: the question cannot be asked or was refused as wrong. Asking again changes nothing.
	KindInvalidRequest Kind = "invalid_request"
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{KindNotFound, KindTransient, KindRateLimited, KindCredential, KindContract, KindInvalidRequest}
}

// Op is what was being done.
type Op string

// The operations.
const (
	OpStatus Op = "status"
	OpCreate Op = "create"
	OpVerify Op = "verify"
	OpList   Op = "list"
	OpParse  Op = "parse"
	OpToken  Op = "token"
)

// Error is the only error that adapters return. None of its fields holds a secret or personal data.
type Error struct {
	Kind     Kind
	Provider Name
	Op       Op
	// Endpoint is method and path template; "" when nothing was sent.
	Endpoint string
	// HTTPStatus is 0 when no answer came.
	HTTPStatus int
	// RetryAfter is how long the provider asked to be left alone; 0 when it did not say.
	RetryAfter time.Duration
	// Reason says in our words what was wrong.
	Reason string
	// Excerpt is at most 512 bytes of the answer, redacted.
	Excerpt string
	// Err is the cause below, redacted; errors.Is finds context.Canceled and context.DeadlineExceeded through it.
	Err error
}

// Error is one line: provider, operation, kind, HTTP code, reason and cause. The excerpt is not part of it.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Provider != "" {
		b.WriteString(string(e.Provider) + " ")
	}
	b.WriteString(string(e.Op) + ": " + string(e.Kind))
	if e.HTTPStatus != 0 {
		b.WriteString(" (http " + strconv.Itoa(e.HTTPStatus) + ")")
	}
	if e.Reason != "" {
		b.WriteString(": " + e.Reason)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of an error of this package, wrapped or not. Any other error is KindTransient, since it tells
// nothing about the charge; nil is "".
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindTransient
}
