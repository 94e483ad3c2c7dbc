// Package wiinpay reads and asks WiinPay.
//
// It refuses to take a payer's name or document for a payment, and to put the API key into a URL.
package wiinpay

import "github.com/baixapay/baixa/services/gateways/internal/provider"

// Adapter speaks with WiinPay. Make it with New.
type Adapter struct {
	client       *provider.Client
	capabilities provider.Capabilities
	answer       provider.Shape
}

var _ provider.Adapter = (*Adapter)(nil)

// New checks deps and returns the adapter.
func New(deps provider.Deps) (*Adapter, error) {
	if err := deps.Check(Name); err != nil {
		return nil, err
	}
	a := &Adapter{client: deps.Client, capabilities: capabilities()}
	a.answer = provider.Shape{
		Wrappers:   []string{"data", "payment", "transaction", "payload"},
		Status:     []string{"status", "payment_status"},
		ID:         []string{"id", "paymentId", "payment_id", "transactionId", "transaction_id"},
		Reference:  []string{"metadata.payment_id", "external_id", "reference"},
		Amount:     []string{"value", "amount"},
		CreatedAt:  []string{"created_at", "createdAt"},
		PaidAt:     []string{"paid_at", "paidAt"},
		EndToEnd:   []string{"end_to_end_id", "endToEndId"},
		ExpiresAt:  []string{"expires_at", "expiresAt"},
		Reason:     []string{"message", "error", "errors"},
		Event:      []string{"event"},
		Unit:       a.capabilities.Unit,
		Vocabulary: provider.MustVocabulary(a.capabilities),
	}
	return a, nil
}

// Name is "wiinpay".
func (a *Adapter) Name() provider.Name { return Name }

// Capabilities are WiinPay's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// ParseWebhook reads {id, status, value, payer_name, payer_document, metadata{payment_id}}.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	return a.answer.Hints(Name, webhook)
}
