// Package paradise reads and asks Paradise.
//
// It refuses to take the call's "success" for a payment, and a word that merely contains "paid" for paid.
package paradise

import (
	"strings"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Adapter speaks with Paradise. Make it with New.
type Adapter struct {
	client       *provider.Client
	capabilities provider.Capabilities
	answer       provider.Shape
	creation     provider.Shape
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
		Wrappers:   []string{"data", "transaction"},
		Status:     []string{"status", "payment_status"},
		ID:         []string{"id", "transaction_id"},
		Reference:  []string{"external_id", "reference"},
		Amount:     []string{"amount"},
		PaidAt:     []string{"paid_at", "paidAt"},
		EndToEnd:   []string{"end_to_end_id", "endToEndId"},
		ExpiresAt:  []string{"expires_at"},
		Reason:     []string{"message", "error", "reason"},
		Unit:       a.capabilities.Unit,
		Vocabulary: provider.MustVocabulary(a.capabilities),
	}
	a.creation = a.answer
	a.creation.ID = []string{"transaction_id", "id"}
	a.creation.Reference = nil // what comes back as "id" beside transaction_id is our own reference
	a.hook = a.answer.Webhook(a.capabilities)
	a.hook.Status = []string{"status", "payment_status", "webhook_type", "event"}
	a.hook.ID = []string{"transaction_id", "transactionId", "id"}
	a.hook.Amount = []string{"amount", "amount_paid"}
	a.hook.Event = []string{"webhook_type", "event"}
	return a, nil
}

// Name is "paradise".
func (a *Adapter) Name() provider.Name { return Name }

// Capabilities are Paradise's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// ParseWebhook reads the current flat form, the event form, and both within data.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	hints, err := a.hook.Hints(Name, webhook)
	for i := range hints {
		// Internal ids are numbers, so another text in an id's place is our reference.
		if ref := &hints[i].Identifiers; ref.Reference == "" && strings.Trim(ref.ID, "0123456789") != "" {
			ref.Reference = ref.ID
		}
	}
	return hints, err
}
