// Package auth says who is calling: an operator or one merchant. At the front door that is learned from an API key; between
// services it is a short-lived assertion signed with the key that the services share.
//
// It refuses to guess: a call without a principal is unauthenticated, and a merchant's principal never reaches another
// merchant's rows.
package auth

import (
	"context"

	"github.com/baixapay/baixa/internal/rpcerr"
)

// Principal is a known caller. The zero value is nobody.
type Principal struct {
	// Operator callers see every merchant; they run the platform.
	Operator bool
	// MerchantID is the only merchant that the caller may touch. Empty for an operator.
	MerchantID string
	// KeyID is the API key that was shown, for logs. Empty between services.
	KeyID string
}

// Known reports whether the principal is anybody at all.
func (p Principal) Known() bool { return p.Operator || p.MerchantID != "" }

// Merchant is the merchant that a request is about: the caller's own when requested is empty or the same, the requested one
// for an operator, who must name it. Asking for someone else's is PermissionDenied.
func (p Principal) Merchant(requested string) (string, error) {
	switch {
	case p.Operator && requested == "":
		return "", rpcerr.Invalid("merchant_id", "the merchant; an operator's key belongs to none")
	case p.Operator:
		return requested, nil
	}
	return p.Scope(requested)
}

// Scope is like Merchant, but an operator may leave requested empty, which means all merchants and is returned as "".
func (p Principal) Scope(requested string) (string, error) {
	switch {
	case !p.Known():
		return "", rpcerr.Unauthenticated("an API key is needed: authorization: Bearer bxk_…")
	case p.Operator, requested == p.MerchantID:
		return requested, nil
	case requested == "":
		return p.MerchantID, nil
	}
	return "", rpcerr.Denied("merchant_id: not the merchant of this API key")
}

type contextKey struct{}

// With puts the caller into ctx.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From is the caller in ctx, or nobody.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(contextKey{}).(Principal)
	return p
}
