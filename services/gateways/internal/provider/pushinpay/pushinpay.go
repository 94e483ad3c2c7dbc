// Package pushinpay reads and asks PushinPay, which the origin system calls PushynPay.
//
// It refuses to take a payer's name, a value or an end-to-end id for a payment: refunds carry them too.
package pushinpay

import "github.com/baixapay/baixa/services/gateways/internal/provider"

// Adapter speaks with PushinPay. Make it with New.
type Adapter struct {
	client       *provider.Client
	capabilities provider.Capabilities
	answer       provider.Shape
	hook         provider.Shape
}

var _ provider.Adapter = (*Adapter)(nil)

// New checks deps and returns the adapter.
func New(deps provider.Deps) (*Adapter, error) {
	if err := deps.Check(Name); err != nil {
		return nil, err
	}
	a := &Adapter{client: deps.Client, capabilities: capabilities()}
	a.answer = provider.Shape{
		Wrappers:     []string{"data", "transaction"},
		Status:       []string{"status"},
		ID:           []string{"id"},
		Amount:       []string{"value"},
		PaidAt:       []string{"paid_at"},
		EndToEnd:     []string{"end_to_end_id"},
		ExpiresAt:    []string{"pix_details.expiration_date", "expires_at"},
		Reason:       []string{"message", "error", "errors"},
		Unit:         a.capabilities.Unit,
		Vocabulary:   provider.MustVocabulary(a.capabilities),
		LowerCaseIDs: true,
	}
	a.hook = a.answer
	a.hook.ID = []string{"id", "transaction_id", "txid"}
	a.hook.Reference = []string{"reference", "external_id"}
	a.hook.Event = []string{"event"}
	return a, nil
}

// Name is "pushinpay".
func (a *Adapter) Name() provider.Name { return Name }

// Capabilities are PushinPay's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// ParseWebhook reads forms and JSON by their content; ids come out in lower case.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	return a.hook.Hints(Name, webhook)
}
