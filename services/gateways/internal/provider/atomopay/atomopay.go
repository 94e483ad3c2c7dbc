// Package atomopay reads and asks Átomo Pay (a white-label platform that several brands share).
//
// It refuses to take an envelope's "success" for a payment's status, and a non-zero paid_at for a payment.
package atomopay

import (
	"strings"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Adapter speaks with Átomo Pay. Make it with New.
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
		Wrappers:      []string{"data", "transaction"},
		LooseWrappers: []string{"payload", "payment", "resource", "object", "order", "charge"},
		Status:        []string{"payment_status", "status"},
		ID:            []string{"id"},
		Hash:          []string{"hash", "transaction_hash", "transactionHash"},
		Reference:     []string{"reference", "external_id", "external_reference"},
		Amount:        []string{"amount"},
		PaidAt:        []string{"paid_at", "paidAt"},
		EndToEnd:      []string{"end_to_end_id", "endToEndId", "pix.end_to_end_id"},
		ExpiresAt:     []string{"expires_at", "pix.expires_at", "pix.expiration_date"},
		Reason:        []string{"status_reason", "message", "error", "errors"},
		Producer:      []string{"producer.hash", "offer.producer.hash", "producer_hash"},
		Offer:         []string{"offer.hash", "offer_hash"},
		Product:       []string{"items.0.product_hash", "cart.0.product_hash", "product_hash"},
		Unit:          a.capabilities.Unit,
		Vocabulary:    provider.MustVocabulary(a.capabilities),
	}
	a.hook = a.answer
	a.hook.ID = []string{"id", "transaction_id", "transactionId"}
	a.hook.Event = []string{"event"}
	return a, nil
}

// Name is "atomopay".
func (a *Adapter) Name() provider.Name { return Name }

// Capabilities are Átomo Pay's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// ParseWebhook reads all five seen variants: flat, document style, wrapped, integrator (transaction beside status and
// customer), and with transaction_id and external_id.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	hints, err := a.hook.Hints(Name, webhook)
	for i := range hints {
		// Ids are numbers here, so another text in an id's place is the hash.
		if ref := &hints[i].Identifiers; ref.Hash == "" && strings.Trim(ref.ID, "0123456789") != "" {
			ref.Hash = ref.ID
		}
	}
	return hints, err
}
