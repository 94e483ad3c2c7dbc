// Package provider is the contract between the gateways service and the companies that receive PIX for merchants:
// what an adapter can be asked, what it answers, and the one taxonomy of errors that all of them speak.
//
// Each provider lives in its own folder below this one (mapping apart from their API). This package refuses to decide
// what a sale's state becomes, to keep accounts, budgets or retries, and to let a secret into any text it returns.
package provider

import (
	"context"
	"fmt"
	"time"
)

// Name is a provider's word in URLs, rows and configuration: lower case, one word, such as "pushinpay".
type Name string

// Adapter speaks with one provider. Adapters hold no account: credentials come with every call, so one value serves
// all merchants at once. Every method is safe for concurrent use, obeys the context's deadline, performs no retry of
// its own, and returns failures as *Error.
type Adapter interface {
	// Name is the provider's canonical name.
	Name() Name
	// Capabilities tells, as data, what this adapter can do and what the provider prescribes.
	Capabilities() Capabilities
	// GetStatus learns the truth about one charge. The identifiers present in ref are tried in the provider's
	// order; not_found on one leads to the next. A ref without a usable identifier is KindInvalidRequest. A word
	// that is not in the provider's vocabulary is no error: the Reading says StatusUnknown and keeps the word.
	GetStatus(ctx context.Context, account Account, ref Ref) (Reading, error)
	// ParseWebhook reads a webhook body. It is pure: no network, no clock, no account. A body that is a test event
	// gives no hints and no error.
	ParseWebhook(webhook Webhook) ([]Hint, error)
	// CreateCharge asks for a new charge. It is not idempotent at any provider unless Capabilities says so: after a
	// transient error the charge may exist. A charge that the provider answered but refused is returned with
	// StatusFailed and its reason, without an error.
	CreateCharge(ctx context.Context, account Account, request ChargeRequest) (Charge, error)
	// VerifyAccount asks the provider's most harmless question with the account's credentials. KindCredential means
	// that the provider refused them.
	VerifyAccount(ctx context.Context, account Account) (AccountInfo, error)
}

// Lister is an Adapter whose provider can enumerate charges; backfill and reconciliation use it.
type Lister interface {
	Adapter
	// ListTransactions returns charges created in [from, to), a page at a time; cursor is "" first and then the
	// previous page's Next. Order is the provider's.
	ListTransactions(ctx context.Context, account Account, from, to time.Time, cursor string) (Page, error)
}

// Page is one page of charges. Next is "" on the last one. Endpoint and HTTPStatus are the call that told it.
type Page struct {
	Readings   []Reading
	Next       string
	Endpoint   string
	HTTPStatus int
}

// Deps is what every adapter is built from.
type Deps struct {
	// Client performs the calls; required. Adapters share one, so that connections are reused.
	Client *Client
}

// Check reports a missing dependency.
func (d Deps) Check(name Name) error {
	if d.Client == nil {
		return fmt.Errorf("new %s adapter: no client", name)
	}
	return nil
}
