// Package sigilopay reads and asks SigiloPay.
//
// It refuses to guess the unit of an amount by its size: the account says it.
package sigilopay

import "github.com/baixapay/baixa/services/gateways/internal/provider"

// Adapter speaks with SigiloPay. Make it with New.
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
		Wrappers:   []string{"data", "transaction", "transactions"},
		Status:     []string{"status"},
		ID:         []string{"id", "transactionId"},
		Reference:  []string{"identifier", "clientIdentifier"},
		Amount:     []string{"amount"},
		CreatedAt:  []string{"createdAt"},
		PaidAt:     []string{"payedAt", "paidAt"},
		EndToEnd:   []string{"pixInformation.endToEndId", "endToEndId"},
		ExpiresAt:  []string{"pix.expiresAt", "expiresAt", "dueDate"},
		Reason:     []string{"message", "errorDescription", "error", "details"},
		Currency:   []string{"currency"},
		Unit:       a.capabilities.Unit,
		Vocabulary: provider.MustVocabulary(a.capabilities),
	}
	a.hook = a.answer.Webhook(a.capabilities)
	a.hook.Status = []string{"status", "event"}
	a.hook.Event = []string{"event"}
	a.hook.Token = []string{"token"}
	return a, nil
}

// Name is "sigilopay".
func (a *Adapter) Name() provider.Name { return Name }

// Capabilities are SigiloPay's.
func (a *Adapter) Capabilities() provider.Capabilities { return a.capabilities }

// ParseWebhook reads {event, token, transaction}. Hints carry the body's token; their amount is read as centavos, since
// no account and with it no unit is known here, and like all of a hint it decides nothing.
func (a *Adapter) ParseWebhook(webhook provider.Webhook) ([]provider.Hint, error) {
	return a.hook.Hints(Name, webhook)
}

// shape is how answers to an account are read, unit its amounts' unit.
func (a *Adapter) shape(op provider.Op, account provider.Account) (provider.Shape, provider.Unit, error) {
	shape := a.answer
	switch unit := account.Setting(settingUnit); unit {
	case "":
	case string(provider.Centavos), string(provider.Reais):
		shape.Unit = provider.Unit(unit)
	default:
		return shape, "", &provider.Error{Kind: provider.KindInvalidRequest, Provider: Name, Op: op, Reason: "setting amount_unit must be centavos or reais"}
	}
	return shape, shape.Unit, nil
}
