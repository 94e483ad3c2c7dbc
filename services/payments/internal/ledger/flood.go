package ledger

import (
	"math/bits"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Webhooks are not signed: anybody who knows a sale's identifiers may post as many as the network bears. A sale's first ones are looked
// into at once, and looks stay dense after them. Beyond them there is one look every floodEvery, however many come, and a true webhook
// among them is answered by that look at the latest. The count and the times are the sale's own row, under its lock, so that the bound
// holds over all replicas.

const (
	floodBurst = 6               // webhooks of one sale that are looked into at once: providers send three or four
	floodEvery = 2 * time.Minute // between looks that further ones cause
)

// flood bounds what a webhook of a sale that had many may cause; drop means that it is counted and leaves no line. The history gets a line
// for what is looked into, and of the rest for the 8th, the 16th, the 32nd and so on: a flood must not fill it.
func (p *page) flood(e Entry) (out Entry, drop bool) {
	if e.Event.Kind != payment.HintReceived || p.sale.Hints < floodBurst || !e.Hint {
		return e, false
	}
	e.Hint = false // no dense looks
	p.posted = true
	at := e.Event.At
	var last time.Time
	if p.sale.LastPollAt != nil {
		last = *p.sale.LastPollAt
	}
	wanted := p.look.WantAt != nil && p.look.WantAt.After(last) && p.look.WantAt.Before(at.Add(2*floodEvery)) // else the clock went back
	next := last.Add(floodEvery)
	if next.After(at.Add(floodEvery)) { // so it did
		next = at
	}
	if !wanted && !next.After(at) {
		p.look.WantAt, p.asked = &at, true
		return e, false
	}
	if !wanted {
		p.look.WantAt, p.asked = &next, true
	}
	p.sale.Hints++
	if bits.OnesCount(uint(p.sale.Hints)) != 1 {
		return e, true
	}
	e.Event.Kind = payment.HintRefused
	return e, false
}
