package ledger

import (
	"sync"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Webhooks are not signed, and whoever knows many sales' identifiers may post one about each. A webhook makes its sale due now, and goes before
// what else is due as long as webhooks have not had their part of the account's looks: a burst, and then one look in jumpShare. Beyond that
// its look waits among the sales of its own age: a true webhook is nearly always about a sale of a few minutes, a flood about all that somebody
// could collect. The part is counted in looks that were made, so that it follows the budget whatever that is, and by each replica for itself.

const (
	jumpBurst = 4
	jumpShare = 3
)

// jumps is what is left of each account's part. The zero value is ready.
type jumps struct {
	mu   sync.Mutex
	used map[payment.AccountID]float64 // of jumpBurst
}

// made notes a look at an account's sale.
func (j *jumps) made(a payment.AccountID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if used, ok := j.used[a]; ok {
		if used -= 1.0 / jumpShare; used <= 0 {
			delete(j.used, a)
		} else {
			j.used[a] = used
		}
	}
}

// take reports whether one more webhook of the account may go before the others.
func (j *jumps) take(a payment.AccountID) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.used[a] > jumpBurst-1 {
		return false
	}
	if j.used == nil {
		j.used = map[payment.AccountID]float64{}
	}
	j.used[a]++
	return true
}

// next is when and in which lane a sale is looked at next.
func (b *book) next(p *page, policy payment.PollPolicy) (payment.Next, payment.Lane) {
	in := p.input(b.now)
	in.WebhookSilence, in.HintsDoubted = b.l.habit(p.sale.AccountID, p.sale.Provider)
	n := payment.Schedule(policy, in)
	if n.Final || n.Lane(p.sale.CreatedAt, b.now) != payment.LaneUrgent || !p.jumps(n.Why) {
		return n, n.Lane(p.sale.CreatedAt, b.now)
	}
	if !in.HintsDoubted && (p.jumped() || b.l.jumps.take(p.sale.AccountID)) {
		return n, payment.LaneUrgent
	}
	in.HintsDoubted = true // its one look, and no dense ones after it
	n = payment.Schedule(policy, in)
	if p.jumps(n.Why) {
		return n, n.Aged(p.sale.CreatedAt, b.now)
	}
	return n, n.Lane(p.sale.CreatedAt, b.now)
}

// jumps reports whether a look would go before others for nothing but a webhook. Buyers, persons and decisions are asked for nothing.
func (p *page) jumps(why payment.LookReason) bool {
	if p.wanted {
		return false
	}
	switch why {
	case payment.LookHinted:
		return true
	case payment.LookHint, payment.LookAgain:
		waits := p.scheduled && !p.ended && p.look.Reason == string(why)
		return p.posted || waits && p.look.Lane != payment.LaneUrgent
	}
	return false
}

// jumped reports whether the sale goes before others already.
func (p *page) jumped() bool {
	if !p.scheduled || p.ended || p.look.Lane != payment.LaneUrgent {
		return false
	}
	switch payment.LookReason(p.look.Reason) {
	case payment.LookHint, payment.LookHinted, payment.LookAgain:
		return true
	}
	return false
}
