// Package explain tells what happened to one sale, in words that whoever runs a bot understands: what was done, what was
// learned, what was decided and why, what happens next and when, and who must act.
//
// It is pure: everything that it tells of is given to it, and the same input always gives the same story. It refuses to repeat
// secrets: no link, token, document or buyer's name is part of a story.
package explain

import (
	"cmp"
	"strings"
	"time"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Input is all that is known of a sale. Only Sale and Now are required.
type Input struct {
	Sale store.Sale
	// Provider is how the sale's provider writes itself. Empty: by the name that the sale has.
	Provider string
	// Events is the whole history, oldest first.
	Events []store.Event
	// Look is when the provider is asked next, nil for never again.
	Look *store.Look
	// Effects is work that is still to be done for the sale.
	Effects []store.OpenEffect
	// Delivery is the link as the delivery service knows it, nil when there is none.
	Delivery *deliveryv1.Delivery
	// Notifications are what was told about the sale, oldest first.
	Notifications []*notifierv1.Notification
	// Account is the account that the sale was charged with, nil when not known.
	Account *gatewaysv1.Account
	// Bots are the names of the merchant's bots by their ids; one that is missing is called by its id.
	Bots map[string]string
	// Away names the services that did not answer ("gateways", "delivery", "notifier"): the story is told without them.
	Away []string
	Now  time.Time
	Lang wording.Lang
}

// Story is a sale's story.
type Story struct {
	// Summary is one or two sentences, and a last one when a service did not answer.
	Summary  string
	Timeline []Line
	// Next is what happens next and when, or that nothing does. Never empty.
	Next string
	// Action is who must act and how; empty when nobody must.
	Action string
}

// Line is one line of a story.
type Line struct {
	// At is when it happened; the first time of several.
	At time.Time
	// Service is where: "payments", "gateways", "delivery" or "notifier".
	Service string
	Kind    payment.Kind
	Text    string
	// Times is how many identical looks in a row the line stands for, 1 for every other line. Until is the last of them.
	Times   int
	Until   time.Time
	TraceID string
}

// Tell tells the story.
func Tell(in Input) Story {
	t := &teller{Input: in, l: in.Lang}
	t.base = wording.Values{"provider": cmp.Or(in.Provider, in.Sale.Provider), "price": wording.Centavos(in.Sale.Amount), "id": in.Sale.ID.String(),
		"product": in.Sale.ProductName, "created_at": wording.Stamp(in.Sale.CreatedAt)}
	if in.Sale.QRExpiresAt != nil {
		t.base["qr_end"] = wording.Stamp(*in.Sale.QRExpiresAt)
	}
	return Story{Summary: t.summary(), Timeline: t.timeline(), Next: t.next(), Action: t.action()}
}

// teller is one story being told.
type teller struct {
	Input
	l    wording.Lang
	base wording.Values
}

// say is a sentence with the sale's values and more.
func (t *teller) say(pt, en string, more ...wording.Values) string {
	v := t.base
	for _, m := range more {
		v = v.With(m)
	}
	return wording.Sentence{PT: pt, EN: en}.Say(t.l, v)
}

// at is a moment as the value of {at:time}; nil is no value.
func at(m *time.Time) wording.Values {
	if m == nil {
		return nil
	}
	return wording.Values{"at": wording.Stamp(*m)}
}

// sentences joins what is not empty.
func sentences(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, " ")
}
