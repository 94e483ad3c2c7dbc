package trust

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)

// history is n paid sales, one a minute and the last a minute before noon; hinted tells which have a webhook, oldest first.
func history(n int, hinted func(i int) bool) []Arrival {
	var out []Arrival
	for i := range n {
		at := noon.Add(-time.Duration(n-i) * time.Minute)
		a := Arrival{PaidAt: at, FoundAt: at.Add(10 * time.Second)}
		if hinted(i) {
			h := at.Add(2 * time.Second)
			a.HintAt, a.Hints = &h, 1
		}
		out = append(out, a)
	}
	return out
}

func always(int) bool { return true }

func TestJudge_numbers(t *testing.T) {
	all := history(40, func(i int) bool { return i%4 != 0 })
	all[1].Hints, all[2].Late = 3, true
	slow := all[3].PaidAt.Add(5 * time.Minute)
	all[3].HintAt = &slow
	h := Judge(all, 10, false, noon)
	if h.Sales != 40 || h.Hinted != 30 || h.Rate != 0.75 || h.P50 != 2*time.Second || h.P95 != 2*time.Second || h.Duplicates != 2 || h.Late != 1 || h.FalsePaid != 10 {
		t.Errorf("%+v", h)
	}
	if h.Score != 56 { // 0.75 of the sales, and 30 of 40 claims were true
		t.Errorf("score %d, want 56", h.Score)
	}
	if h := Judge(all[:19], 0, false, noon); h.Score != -1 {
		t.Errorf("a score of %d from 19 sales", h.Score)
	}
	if h := Judge(nil, 9, false, noon); !h.Doubted || h.Score != -1 || h.Silent {
		t.Errorf("only lies: %+v", h)
	}
}

func TestJudge_silence(t *testing.T) {
	until := func(n int) func(int) bool { return func(i int) bool { return i < n } }
	for name, c := range map[string]struct {
		arrivals []Arrival
		silent   bool // before
		want     bool
	}{
		"a reliable account stops":          {history(104, until(100)), false, true},
		"two in a row prove nothing":        {history(102, until(100)), false, false},
		"too little history":                {history(22, until(19)), false, false},
		"an account that never notified":    {history(200, until(0)), false, false},
		"one that notifies rarely":          {history(200, func(i int) bool { return i%3 == 0 && i < 150 }), false, false},
		"one of two, and a long run":        {history(200, func(i int) bool { return (i%10 < 7) && i < 180 }), false, true},
		"one of two, and a short run":       {history(200, func(i int) bool { return (i%10 < 7) && i < 194 }), false, false},
		"silence goes on without a history": {history(300, until(0)), true, true},
		"a straggler does not end it":       {history(110, func(i int) bool { return i < 100 || i == 108 }), true, true},
		"hints return":                      {history(110, func(i int) bool { return i < 100 || i >= 108 }), true, false},
		"nothing sold":                      {nil, false, false},
	} {
		if h := Judge(c.arrivals, 0, c.silent, noon); h.Silent != c.want {
			t.Errorf("%s: silent %t; %+v", name, h.Silent, h)
		}
	}
}

// TestJudge_patience: a sale that was paid a moment ago says nothing, and an account whose webhooks are late has more patience.
func TestJudge_patience(t *testing.T) {
	fresh := history(100, always)
	for i := range 5 {
		at := noon.Add(-time.Duration(i) * time.Second)
		fresh = append(fresh, Arrival{PaidAt: at, FoundAt: at})
	}
	if h := Judge(fresh, 0, false, noon); h.Run != 0 || h.Silent {
		t.Errorf("sales of the last seconds are judged: %+v", h)
	}
	if h := Judge(fresh, 0, false, noon.Add(minPatience+5*time.Second)); !h.Silent || h.Run != 5 {
		t.Errorf("half a minute later: %+v", h)
	}
	for i := range fresh[:100] {
		late := fresh[i].PaidAt.Add(4 * time.Minute)
		fresh[i].HintAt = &late
	}
	if h := Judge(fresh, 0, false, noon.Add(2*time.Minute)); h.Silent || h.Patience != 8*time.Minute {
		t.Errorf("webhooks come after four minutes here: %+v", h)
	}
}

// TestJudge_falseAlarms plays accounts whose webhooks are lost now and then by chance, a sale at a time. An alarm is worth less than one in
// 10,000 sales, also while the habit is only just known.
func TestJudge_falseAlarms(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	sales, alarms := 0, 0
	for range 25 {
		rate := 0.55 + 0.45*r.Float64()
		var window []Arrival
		silent := false
		for i := range 1000 {
			at := noon.Add(time.Duration(i) * time.Minute)
			a := Arrival{PaidAt: at, FoundAt: at}
			if r.Float64() < rate {
				a.HintAt = &at
			}
			window = append(window, a)
			window = window[max(0, len(window)-Window):]
			h := Judge(window, 0, silent, at.Add(time.Hour))
			if h.Silent && !silent {
				alarms++
			}
			silent = h.Silent
			sales++
		}
	}
	if alarms > sales/10_000*2 {
		t.Errorf("%d false alarms in %d sales", alarms, sales)
	}
}

// TestJudge_realSilenceIsFound after few sales, whatever the habit, and ends with the hints.
func TestJudge_realSilenceIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.7, 1).Draw(t, "rate")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		n := rapid.IntRange(60, 200).Draw(t, "sales")
		all := history(n, func(int) bool { return r.Float64() < rate })
		before := Judge(all, 0, false, noon)
		if before.Expected < MinRate {
			return
		}
		silence := rapid.IntRange(15, 60).Draw(t, "silence")
		for i := range silence {
			at := noon.Add(time.Duration(i) * time.Minute)
			all = append(all, Arrival{PaidAt: at, FoundAt: at})
		}
		now := noon.Add(time.Duration(silence) * time.Minute)
		h := Judge(all[max(0, len(all)-Window):], 0, false, now.Add(h1))
		if !h.Silent {
			t.Fatalf("%d sales without a webhook after %d with %.2f: %+v", silence, n, rate, h)
		}
		for i := range 3 {
			at := now.Add(time.Duration(i) * time.Minute)
			all = append(all, Arrival{PaidAt: at, FoundAt: at, HintAt: &at, Hints: 1})
		}
		if h := Judge(all[max(0, len(all)-Window):], 0, true, now.Add(h1)); h.Silent {
			t.Fatalf("hints are back, and it is silent still: %+v", h)
		}
	})
}

const h1 = time.Hour

func TestJudge_leavesItsInputAlone(t *testing.T) {
	all := history(5, always)
	slices.Reverse(all)
	before := slices.Clone(all)
	Judge(all, 0, false, noon)
	for i := range all {
		if all[i] != before[i] {
			t.Fatal("the order has changed")
		}
	}
}
