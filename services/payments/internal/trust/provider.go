package trust

import (
	"math"
	"slices"
	"time"
)

// Seen is one of the newest paid sales of an account.
type Seen struct {
	FoundAt time.Time
	Hinted  bool
}

// Common is what the accounts of one provider that notify have in common: shares and delays over all of them, nobody's sales.
type Common struct {
	// Accounts notify, Sales are theirs before their newest runs without a webhook.
	Accounts, Sales int
	// Expected is the least share of webhooks that those sales allow to assume.
	Expected float64
	// P95 is the middle one of the accounts' delays.
	P95 time.Duration
}

// CommonOf sums up accounts of one provider.
func CommonOf(accounts []Habit) Common {
	var c Common
	hinted := 0
	var late []time.Duration
	for _, h := range accounts {
		if h.HintedBefore == 0 {
			continue // it never notified: that says nothing about the provider
		}
		c.Accounts++
		c.Sales += h.Before
		hinted += h.HintedBefore
		late = append(late, h.P95)
	}
	slices.Sort(late)
	c.Expected, c.P95 = lowerBound(hinted, c.Sales), quantile(late, 0.5)
	return c
}

// known reports whether something can be expected of an account because of the others.
func (c Common) known() bool {
	return c.Accounts >= 2 && c.Sales >= MinHistory && c.Expected >= MinRate
}

// believed bounds what one account counts for: one with a wrong webhook address sells on and proves nothing about the others.
const believed = 2

// JudgeProvider reports whether a provider notifies nobody any more. accounts are all of its accounts, judged; since is when it was found
// silent, nil when it was not. Several accounts that notified before must have sold without a webhook since the last webhook of any.
func JudgeProvider(accounts []Habit, since *time.Time) (silent bool) {
	if since != nil {
		return !returned(accounts, *since)
	}
	var last time.Time // the last sale of any that had a webhook
	for _, h := range accounts {
		if h.LastHinted.After(last) {
			last = h.LastHinted
		}
	}
	without, sales, trials := 0, 0, 0
	for _, h := range accounts {
		n := 0
		for _, s := range h.Newest {
			if h.HintedBefore > 0 && s.FoundAt.After(last) {
				n++
			}
		}
		if n > 0 {
			without++
		}
		sales, trials = sales+n, trials+min(n, believed)
	}
	c := CommonOf(accounts)
	return c.known() && without >= 2 && sales >= MinRun && math.Pow(1-c.Expected, float64(trials)) < Alarm
}

// returned reports whether two of the newest three sales since a silence had a webhook. Accounts that are silent by themselves have no say
// while others sell.
func returned(accounts []Habit, since time.Time) bool {
	var newest []Seen
	for _, h := range accounts {
		if h.Silent {
			continue
		}
		for _, s := range h.Newest {
			if s.FoundAt.After(since) {
				newest = append(newest, s)
			}
		}
	}
	slices.SortFunc(newest, func(a, b Seen) int { return b.FoundAt.Compare(a.FoundAt) })
	back := 0
	for _, s := range newest[:min(3, len(newest))] {
		if s.Hinted {
			back++
		}
	}
	return back >= 2
}
