// Package umbrellapag reads and asks UmbrellaPag.
//
// It refuses to believe a single answer: every word for paid is declared unsafe, and the caller looks twice.
package umbrellapag

import (
	"strings"

	"github.com/baixapay/baixa/services/gateways/internal/document"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Adapter speaks with UmbrellaPag. Make it with New.
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
		Wrappers:   []string{"data", "transaction"},
		Status:     []string{"status"},
		ID:         []string{"id"},
		Reference:  []string{"metadata.reference", "metadata.payment_id", "metadata", "externalRef"},
		Amount:     []string{"amount"},
		CreatedAt:  []string{"createdAt"},
		PaidAt:     []string{"paidAt"},
		EndToEnd:   []string{"endToEndId", "pix.endToEndId", "pix.end2EndId"},
		ExpiresAt:  []string{"pix.expirationDate", "expiresAt"},
		Reason:     []string{"rejectionReason.description", "rejectionReason", "refusedReason.description", "refusedReason", "message", "error"},
		Unit:       a.capabilities.Unit,
		Vocabulary: provider.MustVocabulary(a.capabilities),
	}
	a.hook = a.answer
	a.hook.ID = []string{"objectId", "id"}
	a.hook.OuterID = []string{"objectId"}
	a.hook.Event = []string{"event", "type"}
	return a, nil
}

// Name is "umbrellapag".
func (a *Adapter) Name() provider.Name { return Name }

// Capabilities are UmbrellaPag's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// ParseWebhook reads {objectId, data{…}}.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	hints, err := a.hook.Hints(Name, webhook)
	if err != nil {
		return nil, err
	}
	named := hints[:0]
	for _, h := range hints {
		if unpack(&h.Identifiers); !h.Identifiers.IsZero() {
			named = append(named, h)
		}
	}
	if len(named) == 0 {
		return nil, &provider.Error{Kind: provider.KindContract, Provider: Name, Op: provider.OpParse, Reason: "webhook names no charge"}
	}
	return named, nil
}

// unpack takes our reference out of the JSON text that metadata is.
func unpack(ref *provider.Ref) {
	if !strings.HasPrefix(ref.Reference, "{") {
		return
	}
	doc, err := document.Parse([]byte(ref.Reference))
	ref.Reference = ""
	if err != nil {
		return
	}
	for _, key := range []string{"reference", "payment_id"} {
		if text := strings.TrimSpace(doc.Get(key).Text()); text != "" {
			ref.Reference = text
			return
		}
	}
}
