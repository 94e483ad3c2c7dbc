// Package simulate plays the looks of one account against a budget, with the real schedule, the real lanes and the real dealing of turns, and
// draws what comes of it for docs/scheduling.md.
//
// It touches no database: the store's tests compare its statement with the same order, written down once more. It refuses to be a second
// schedule: when a sale is due is asked of payment.Schedule, and whose turn it is of package fair.
package simulate

import (
	"container/heap"
	"math"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/fair"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Account is what is played.
type Account struct {
	Policy payment.PollPolicy
	// Interval is the budget: one look every so long. Zero is no bound.
	Interval time.Duration
	// Jumps move the wall clock.
	Jumps []Jump
	// Silent is whether webhooks are silent against their habit.
	Silent bool
}

// Jump is a clock that is set, after an elapsed time.
type Jump struct{ After, By time.Duration }

// Sale is one sale. Times are elapsed since the beginning, and may lie before it.
type Sale struct {
	Born time.Duration
	// QR is the QR code's life, zero when the provider names none.
	QR time.Duration
	// Paid is when it is paid, Hint when a webhook says so. Nil: never.
	Paid, Hint *time.Duration
	// Looks are filled in.
	Looks []Look

	in    payment.ScheduleInput
	due   time.Time
	since time.Duration // elapsed when it became due
	lane  payment.Lane
	state int // position in its heaps; -1 is none
	turn  int // of being due: heaps hold what is over, too
}

// Look is one look: when it was due and when it was made.
type Look struct{ Due, Made time.Duration }

// Start is when the elapsed time is zero.
var Start = time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)

type game struct {
	Account
	sales   []*Sale
	waiting queue // by due time
	newest  [payment.Lanes]queue
	oldest  queue
	table   fair.Table
	me      fair.Account
	now     time.Time
	elapsed time.Duration
	idle    []*Sale // not born yet, in order
	hints   queue
}

// Run plays sales, in the order of their birth, for a time, a step a second.
func Run(a Account, sales []*Sale, length time.Duration) {
	g := &game{Account: a, sales: sales, idle: sales, me: fair.Account{ID: payment.AccountID{1}, Merchant: payment.MerchantID{1}}}
	before := g.clock()
	tokens := 0.0
	for ; g.elapsed < length; g.elapsed += time.Second {
		if g.now = g.clock(); g.now.Before(before.Add(-2 * time.Second)) {
			g.clockBack()
		}
		before = g.now
		g.born()
		g.hinted()
		g.fallDue()
		tokens = math.Min(tokens+g.perSecond(), math.Max(1, g.perSecond()))
		for ; tokens >= 1 && g.look(); tokens-- {
		}
	}
}

func (g *game) perSecond() float64 {
	if g.Interval == 0 {
		return 1e9
	}
	return float64(time.Second) / float64(g.Interval)
}

func (g *game) clock() time.Time {
	now := Start.Add(g.elapsed)
	for _, j := range g.Jumps {
		if g.elapsed >= j.After {
			now = now.Add(j.By)
		}
	}
	return now
}

func (g *game) born() {
	for len(g.idle) > 0 && g.idle[0].Born <= g.elapsed {
		s := g.idle[0]
		g.idle = g.idle[1:]
		made := g.now.Add(s.Born - g.elapsed)
		s.in = payment.ScheduleInput{State: payment.Pending, CreatedAt: made, Seed: uint64(len(g.idle)) * 7919, WebhookSilence: g.Silent}
		if s.QR != 0 {
			end := made.Add(s.QR)
			s.in.QRExpiresAt = &end
		}
		if s.Hint != nil {
			heap.Push(&g.hints, entry{s, 0, int64(*s.Hint)})
		}
		g.schedule(s)
	}
}

func (g *game) hinted() {
	for len(g.hints) > 0 && g.hints[0].key <= int64(g.elapsed) {
		s := heap.Pop(&g.hints).(entry).sale
		at := g.now
		s.in.HintAt = &at
		g.schedule(s)
	}
}

// clockBack does what the worker does: the sales are scheduled anew.
func (g *game) clockBack() {
	for _, s := range g.sales {
		if s.in.CreatedAt.IsZero() || s.state < 0 {
			continue
		}
		if s.in.LastPollAt != nil && s.in.LastPollAt.After(g.now) || s.in.LastPollAt == nil {
			g.schedule(s)
		}
	}
}

func (g *game) schedule(s *Sale) {
	s.in.Now = g.now
	n := payment.Schedule(g.Policy, s.in)
	if n.ClockBack && s.in.LastPollAt != nil {
		at := g.now
		s.in.LastPollAt = &at
	}
	s.turn++
	if n.Final {
		s.state = -1
		return
	}
	s.due, s.lane = n.At, n.Lane(s.in.CreatedAt, g.now)
	heap.Push(&g.waiting, entry{s, s.turn, s.due.UnixNano()})
}

func (g *game) fallDue() {
	for len(g.waiting) > 0 && g.waiting[0].key <= g.now.UnixNano() {
		e := heap.Pop(&g.waiting).(entry)
		if e.over() {
			continue
		}
		e.sale.since = g.elapsed
		heap.Push(&g.newest[e.sale.lane], entry{e.sale, e.turn, -e.key})
		heap.Push(&g.oldest, e)
	}
}

// look makes one look of those that are due, by the turns that are dealt; false when none is.
func (g *game) look() bool {
	first := entry{}
	for lane := range g.newest {
		if g.newest[lane].clean() {
			first = g.newest[lane][0]
			break
		}
	}
	if first.sale == nil || !g.oldest.clean() {
		return false
	}
	share := g.table.Deal(1, []fair.Account{g.me})[0]
	s := first.sale
	if share.Oldest == 1 {
		s = g.oldest[0].sale
	}
	g.table.Took(g.me, 1)
	g.table.Asked(g.me.ID, 1, 0)
	s.Looks = append(s.Looks, Look{s.since, g.elapsed})
	at := g.now
	s.in.LastPollAt, s.in.LastPollOutcome = &at, payment.OutcomeStatus
	if s.Paid != nil && g.elapsed >= *s.Paid {
		s.in.State, s.in.PaidAt = payment.Paid, &at
	}
	g.schedule(s)
	return true
}

// entry is a sale in a queue, for one time of being due.
type entry struct {
	sale *Sale
	turn int
	key  int64
}

func (e entry) over() bool { return e.turn != e.sale.turn }

// queue is a heap by key.
type queue []entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].key < q[j].key }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(entry)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// clean drops what is over from the head, and reports whether anything is left.
func (q *queue) clean() bool {
	for len(*q) > 0 && (*q)[0].over() {
		heap.Pop(q)
	}
	return len(*q) > 0
}
