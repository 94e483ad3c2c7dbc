// Package syncpay reads and asks SyncPay.
//
// It refuses to fetch a token where one still lives, and to keep one anywhere but in memory.
package syncpay

import "github.com/baixapay/baixa/services/gateways/internal/provider"

// Adapter speaks with SyncPay. Make it with New. It keeps the tokens of its accounts in memory.
type Adapter struct {
	client       *provider.Client
	capabilities provider.Capabilities
	answer       provider.Shape
	hook         provider.Shape
	tokens       *tokens
}

var _ provider.Adapter = (*Adapter)(nil)

// New checks deps and returns the adapter.
func New(deps provider.Deps) (*Adapter, error) {
	if err := deps.Check(Name); err != nil {
		return nil, err
	}
	a := &Adapter{client: deps.Client, capabilities: capabilities(), tokens: newTokens(deps.Client.Now)}
	a.answer = provider.Shape{
		Wrappers: []string{"data", "transaction"},
		Status:   []string{"status"},
		ID:       []string{"identifier"},
		// Not known to be the identifier: as another name it cannot make an answer look like one about another charge.
		Hash:       []string{"reference_id"},
		Reference:  []string{"externalreference", "external_reference", "externalReference"},
		Amount:     []string{"amount"},
		CreatedAt:  []string{"transaction_date", "created_at"},
		PaidAt:     []string{"paid_at"},
		EndToEnd:   []string{"end_to_end", "end_to_end_id", "endToEndId"},
		ExpiresAt:  []string{"expires_at"},
		Reason:     []string{"message", "error", "errors"},
		Currency:   []string{"currency"},
		Unit:       a.capabilities.Unit,
		Vocabulary: provider.MustVocabulary(a.capabilities),
	}
	a.hook = a.answer
	a.hook.ID = []string{"idtransaction", "idTransaction", "identifier", "reference_id"}
	a.hook.Hash = []string{"id"}
	a.hook.Event = []string{"event"}
	return a, nil
}

// Name is "syncpay".
func (a *Adapter) Name() provider.Name { return Name }

// Capabilities are SyncPay's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// ParseWebhook reads {data{id, idtransaction, externalreference, status, amount}}. Where both ids differ the hint
// carries both, id as the hash.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	hints, err := a.hook.Hints(Name, webhook)
	for i := range hints {
		ref := &hints[i].Identifiers
		if ref.ID == "" || ref.ID == ref.Hash {
			ref.ID, ref.Hash = ref.Hash, ""
		}
	}
	return hints, err
}
