// Package orionpay reads and asks OrionPay.
//
// It refuses to take the call's "success" for a payment, and what is left after fees for what the buyer paid.
package orionpay

import "github.com/baixapay/baixa/services/gateways/internal/provider"

// Adapter speaks with OrionPay. Make it with New.
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
		Wrappers:   []string{"data", "transaction", "payment"},
		Status:     []string{"status", "payment_status", "paymentStatus"},
		ID:         []string{"transactionId", "transaction_id"},
		Hash:       []string{"id"},
		Amount:     []string{"amount", "price"},
		CreatedAt:  []string{"createdAt"},
		PaidAt:     []string{"paidAt", "paid_at"},
		EndToEnd:   []string{"endToEndId", "endToEnd"},
		ExpiresAt:  []string{"expiresAt", "expires_at"},
		Reason:     []string{"message", "error", "reason"},
		Unit:       a.capabilities.Unit,
		Vocabulary: provider.MustVocabulary(a.capabilities),
	}
	a.hook = a.answer.Webhook(a.capabilities)
	a.hook.Status = []string{"status", "event"}
	a.hook.Hash = []string{"purchaseId"}
	a.hook.Amount = []string{"price", "amount"}
	a.hook.Event = []string{"event"}
	a.hook.TestEvents = []string{"webhook.test"}
	return a, nil
}

// Name is "orionpay".
func (a *Adapter) Name() provider.Name { return Name }

// Capabilities are OrionPay's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// ParseWebhook reads {event, data}. The event claims a status where data has none; webhook.test gives no hint.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	return a.hook.Hints(Name, webhook)
}
