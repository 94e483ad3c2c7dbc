// Package trust judges an account's webhooks by its own history: how many of its paid sales had one, how late, how often one was wrong, and
// whether they have fallen silent.
//
// It is pure: it is given arrivals and a moment. It refuses to judge without a history, and to take a provider that never notified, or has
// nothing to say, for one that fell silent.
package trust

import (
	"math"
	"slices"
	"time"
)

// Arrival is how the news of one paid sale came.
type Arrival struct {
	// FoundAt is when a look found the sale paid; PaidAt when the provider says it was.
	FoundAt, PaidAt time.Time
	// HintAt is when a webhook said so first, nil when none has.
	HintAt *time.Time
	// Hints counts the webhooks that said so.
	Hints int
	// Late is true for a sale that was paid after its QR code's end.
	Late bool
}

// The rules of the silence detector. docs/scheduling.md explains them.
const (
	MinHistory = 20   // paid sales before the run, or nothing is judged
	MinRate    = 0.5  // of them with a webhook, at least: whoever notifies less does not "normally notify"
	MinRun     = 3    // paid sales in a row without one
	Alarm      = 1e-4 // the run is less likely than this, if nothing had changed

	minPatience, maxPatience = 30 * time.Second, 15 * time.Minute
	z                        = 1.96 // of the 95 % bound
)

// Habit is an account's webhooks in numbers.
type Habit struct {
	// Sales are the paid sales that are judged, Hinted those of them with a webhook.
	Sales, Hinted int
	// Rate is Hinted of Sales, 0 without sales.
	Rate float64
	// P50 and P95 are how long after the payment the first webhook came, over those that had one.
	P50, P95 time.Duration
	// Duplicates are the webhooks beyond the first of a sale; Late the sales paid after their QR code's end.
	Duplicates, Late int
	// FalsePaid are the sales that a webhook called paid and the provider did not, within FalseAfter.
	FalsePaid int
	// Score is 0 to 100, -1 while there are fewer than MinHistory sales.
	Score int
	// Run is the newest paid sales in a row that had no webhook within Patience; Expected the least share of webhooks that history allows to
	// assume.
	Run      int
	Patience time.Duration
	Expected float64
	// Silent means that webhooks have stopped against the account's habit.
	Silent bool
	// Before are the sales before the run, HintedBefore those of them with a webhook; LastHinted is when the newest of them was found, and
	// Newest are the newest three of all.
	Before, HintedBefore int
	LastHinted           time.Time
	Newest               []Seen
	// Doubted means that webhooks call so many sales paid which are not that they earn no dense looks.
	Doubted bool
}

// Window is how many of the newest paid sales are to be given to Judge.
const Window = 300

// FalseAfter is how long the provider may take to say what its webhook said.
const FalseAfter = 10 * time.Minute

// Judge judges arrivals, in any order. silent is what was judged the last time; falsePaid is counted elsewhere.
func Judge(arrivals []Arrival, falsePaid int, silent bool, now time.Time) Habit {
	return Common{}.Judge(arrivals, falsePaid, silent, now)
}

// Judge judges arrivals as the function does; what the account's own history lacks is taken from what its provider's accounts have in common,
// once the account had a webhook of its own.
func (c Common) Judge(arrivals []Arrival, falsePaid int, silent bool, now time.Time) Habit {
	all := slices.Clone(arrivals)
	slices.SortStableFunc(all, func(a, b Arrival) int { return b.FoundAt.Compare(a.FoundAt) })
	h := Habit{FalsePaid: falsePaid, Score: -1}
	h.delays(all)
	late := h.P95
	if c.known() && len(all) < MinHistory {
		late = max(late, c.P95)
	}
	h.Patience = min(max(2*late, minPatience), maxPatience)
	// A sale that was found a moment ago says nothing yet, unless its webhook is there.
	ripe := slices.DeleteFunc(all, func(a Arrival) bool { return a.HintAt == nil && now.Sub(a.FoundAt) < h.Patience })
	for _, a := range ripe {
		h.Sales++
		if a.HintAt != nil {
			h.Hinted++
		}
		if a.Hints > 1 {
			h.Duplicates += a.Hints - 1
		}
		if a.Late {
			h.Late++
		}
	}
	if h.Sales > 0 {
		h.Rate = float64(h.Hinted) / float64(h.Sales)
	}
	for h.Run < len(ripe) && ripe[h.Run].HintAt == nil {
		h.Run++
	}
	for _, a := range ripe[:min(3, len(ripe))] {
		h.Newest = append(h.Newest, Seen{a.FoundAt, a.HintAt != nil})
	}
	h.Silent = h.silence(ripe, silent, c)
	h.score()
	return h
}

// silence compares the newest run without a webhook with the history before it.
func (h *Habit) silence(ripe []Arrival, silent bool, c Common) bool {
	history := ripe[h.Run:]
	h.Before = len(history)
	for _, a := range history {
		if a.HintAt != nil {
			h.HintedBefore++
		}
	}
	if h.Before > 0 {
		h.LastHinted = history[0].FoundAt
	}
	hinted, of := float64(h.HintedBefore), h.Before
	if of < MinHistory && h.HintedBefore > 0 && c.known() {
		hinted, of = hinted+c.Expected*float64(MinHistory-of), MinHistory
	}
	h.Expected = bound(hinted, of)
	if silent {
		// It relaxes when two of the newest three had one again: one alone may be a straggler.
		back := 0
		for _, a := range h.Newest {
			if a.Hinted {
				back++
			}
		}
		return back < 2
	}
	return of >= MinHistory && h.Expected >= MinRate && h.Run >= MinRun && math.Pow(1-h.Expected, float64(h.Run)) < Alarm
}

// delays sets the quantiles.
func (h *Habit) delays(all []Arrival) {
	var late []time.Duration
	for _, a := range all {
		if a.HintAt != nil {
			late = append(late, max(0, a.HintAt.Sub(a.PaidAt))) // clocks differ: not before the payment
		}
	}
	slices.Sort(late)
	h.P50, h.P95 = quantile(late, 0.5), quantile(late, 0.95)
}

// quantile is the smallest value that the share does not exceed, 0 of nothing.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// lowerBound is Wilson's lower 95 % bound of a share: few sales prove little.
func lowerBound(hits, of int) float64 { return bound(float64(hits), of) }

func bound(hits float64, of int) float64 {
	if of == 0 {
		return 0
	}
	n := float64(of)
	p := hits / n
	return (p + z*z/(2*n) - z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))) / (1 + z*z/n)
}

// score is the share of sales with a webhook, times how prompt and how honest they are.
func (h *Habit) score() {
	honest := 1.0
	if h.FalsePaid > 0 {
		honest = float64(h.Hinted) / float64(h.Hinted+h.FalsePaid)
	}
	h.Doubted = h.FalsePaid >= 5 && honest < 0.5
	if h.Sales < MinHistory {
		return
	}
	// Within a minute is prompt; an hour late is worth half.
	prompt := 1 - 0.5*min(1, max(0, math.Log(max(1, h.P95.Minutes()))/math.Log(60)))
	h.Score = int(math.Round(100 * h.Rate * prompt * honest))
}
