package payment

import (
	"slices"
	"time"
)

// Decision is what one event does to one sale.
type Decision struct {
	// Next is the state afterwards; it equals the present one when nothing moved.
	Next State
	// Facts are the facts afterwards.
	Facts
	// Changed is true when the sale's row must be saved. Effects may follow without it: one more look, say.
	Changed bool
	// Input is the column of the state table that the guards chose.
	Input Input
	// Effects must be enqueued in the transaction that saves the sale, in this order.
	Effects []Effect
	// Stats must be added to the statistics in the same transaction.
	Stats []StatDelta
	// Why explains the decision, also when it changes nothing.
	Why Why
}

// Apply gives the sale as it is after the decision.
func (d Decision) Apply(p Payment) Payment {
	p.State, p.Facts = d.Next, d.Facts
	return p
}

// Moved reports whether the state changes.
func (d Decision) Moved(p Payment) bool { return d.Next != p.State }

// Decide says what the event does to the sale under the policy. It is a pure function and decides every event: what does not fit
// changes nothing and says why. Giving it the same event twice, the second time with the sale as the first left it, orders nothing new
// but further looks (PollAgain).
func Decide(p Payment, e Event, policy Policy) Decision {
	e.At = e.At.UTC()
	f := examine(p, e, policy)
	d := Decision{Next: p.State, Facts: f.facts, Input: f.input, Why: f.why}
	if p.State < Pending || p.State >= stateEnd {
		d.Facts = p.Facts
		return d
	}
	c := table[p.State][f.input]
	if c.next != 0 && c.next != p.State {
		d.Next = c.next
		d.StateSince = e.At
	}
	d.Effects = d.carry(c.orders, f)
	if slices.ContainsFunc(d.Effects, func(x Effect) bool { return x.Kind == Deliver }) {
		d.DeliveredEver = true
	}
	d.Changed = d.Next != p.State || !d.Facts.equal(p.Facts)
	if d.Changed {
		after := d.Apply(p)
		d.Stats = entries(Contribution(p), Contribution(after), after, e.At)
	}
	return d
}

// carry turns a cell's orders into effects: a second delivery becomes the reopening of the link, and looks get their reason and time.
func (d Decision) carry(orders []Effect, f finding) []Effect {
	if len(orders) == 0 {
		return nil
	}
	out := make([]Effect, 0, len(orders))
	for _, o := range orders {
		switch o.Kind {
		case Deliver:
			if d.DeliveredEver {
				o.Kind = RestoreToken
			}
		case RevokeToken:
			if !d.DeliveredEver {
				continue
			}
		case PollAgain:
			o.Again, o.At = f.again, f.at
		case NotifyOwner:
			if f.notice != "" {
				o.Notice = f.notice
			}
		}
		out = append(out, o)
	}
	return out
}

func (f Facts) equal(g Facts) bool {
	return f.StateSince.Equal(g.StateSince) && f.ChargeID == g.ChargeID && f.EndToEndID == g.EndToEndID && sameTime(f.PaidAt, g.PaidAt) &&
		(f.PaidAmount == nil) == (g.PaidAmount == nil) && (f.PaidAmount == nil || *f.PaidAmount == *g.PaidAmount) &&
		slices.EqualFunc(f.Extras, g.Extras, Extra.equal) && f.ReviewReason == g.ReviewReason && f.DeliveredEver == g.DeliveredEver &&
		f.UnsafeReads == g.UnsafeReads && sameTime(f.ClaimedAt, g.ClaimedAt)
}

func (x Extra) equal(y Extra) bool {
	at := x.At.Equal(y.At)
	x.At, y.At = time.Time{}, time.Time{}
	return at && x == y
}

func sameTime(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(*b))
}
