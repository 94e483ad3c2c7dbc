// Package bolt reads and asks Bolt Pagamentos.
//
// It refuses to take an event's id for a charge's, and any word but the provider's own for paid.
package bolt

import "github.com/baixapay/baixa/services/gateways/internal/provider"

// Adapter speaks with Bolt. Make it with New.
type Adapter struct {
	client       *provider.Client
	capabilities provider.Capabilities
	answer       provider.Shape
	hook         provider.Shape
}

var (
	_ provider.Adapter = (*Adapter)(nil)
	_ provider.Lister  = (*Adapter)(nil)
)

// New checks deps and returns the adapter.
func New(deps provider.Deps) (*Adapter, error) {
	if err := deps.Check(Name); err != nil {
		return nil, err
	}
	a := &Adapter{client: deps.Client, capabilities: capabilities()}
	a.answer = provider.Shape{
		Wrappers:   []string{"data", "transaction"},
		Status:     []string{"status"},
		ID:         []string{"id"},
		Reference:  []string{"items.0.externalRef", "externalRef"},
		Amount:     []string{"amount"},
		CreatedAt:  []string{"createdAt", "created_at"},
		PaidAt:     []string{"paidAt", "paid_at"},
		EndToEnd:   []string{"pix.endToEndId", "pix.end2EndId", "pix.end_to_end_id"},
		ExpiresAt:  []string{"pix.expirationDate"},
		Reason:     []string{"refusedReason.description", "refusedReason", "message", "error"},
		Unit:       a.capabilities.Unit,
		Vocabulary: provider.MustVocabulary(a.capabilities),
	}
	a.hook = a.answer
	a.hook.ID = []string{"objectId", "id"}
	a.hook.OuterID = []string{"objectId"} // the outer id is the event's
	a.hook.Event = []string{"event", "type"}
	return a, nil
}

// Name is "bolt".
func (a *Adapter) Name() provider.Name { return Name }

// Capabilities are Bolt's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// ParseWebhook reads {id, objectId, data}; objectId names the charge when data does not.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	return a.hook.Hints(Name, webhook)
}
