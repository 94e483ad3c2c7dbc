package payment

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// row is a sale in the simulated table of what is due.
type row struct {
	in    ScheduleInput
	due   time.Time
	final bool
	looks []time.Duration // in true time since the start
}

// clock is a wall clock that an administrator sets wrongly, and right again.
type clock struct {
	jumps []jump
}

type jump struct {
	after time.Duration // of true time
	by    time.Duration
}

func (c clock) at(elapsed time.Duration) time.Time {
	now := noon.Add(elapsed)
	for _, j := range c.jumps {
		if elapsed >= j.after {
			now = now.Add(j.by)
		}
	}
	return now
}

// run is what a worker does with the table, a step a second: sales appear, what is due is looked at, and once a minute the rows that
// were written before the clock went back are asked about again.
func run(policy PollPolicy, c clock, born []time.Duration, length time.Duration) []*row {
	var rows []*row
	born = slices.Clone(born)
	slices.Sort(born)
	for elapsed := time.Duration(0); elapsed < length; elapsed += time.Second {
		now := c.at(elapsed)
		for len(born) > 0 && born[0] <= elapsed {
			r := &row{in: ScheduleInput{State: Pending, CreatedAt: now, QRExpiresAt: ptr(now.Add(day)), Now: now, Seed: uint64(len(rows))}}
			r.due = Schedule(policy, r.in).At
			rows, born = append(rows, r), born[1:]
		}
		for _, r := range rows {
			if elapsed%time.Minute == 0 {
				r.in.Now = now
				if n := Schedule(policy, r.in); n.ClockBack {
					r.due, r.final = n.At, n.Final
					if r.in.LastPollAt != nil {
						r.in.LastPollAt = ptr(now)
					}
				}
			}
			if r.final || r.due.After(now) {
				continue
			}
			r.looks = append(r.looks, elapsed)
			r.in.Now, r.in.LastPollAt, r.in.LastPollOutcome = now, ptr(now), OutcomeStatus
			n := Schedule(policy, r.in)
			r.due, r.final = n.At, n.Final
		}
	}
	return rows
}

func TestSimulation_clockJumps(t *testing.T) {
	const length = 3 * time.Hour
	rapid.Check(t, func(t *rapid.T) {
		policy := DefaultPolicy(rapid.SampledFrom([]string{"atomopay", "pushinpay", "paradise"}).Draw(t, "provider"))
		var c clock
		for range rapid.IntRange(1, 3).Draw(t, "jumps") {
			c.jumps = append(c.jumps, jump{
				after: time.Duration(rapid.IntRange(0, 3*3600).Draw(t, "after_s")) * time.Second,
				by:    rapid.SampledFrom([]time.Duration{-time.Hour, -time.Minute, -time.Second, time.Minute, time.Hour}).Draw(t, "by"),
			})
		}
		born := []time.Duration{0, time.Duration(rapid.IntRange(0, 3*3600-600).Draw(t, "born_s")) * time.Second}
		for i, r := range run(policy, c, born, length) {
			if len(r.looks) == 0 {
				t.Fatalf("sale %d was never looked at", i)
			}
			slices.Sort(born)
			tooSoon, last := 0, born[i]
			for _, l := range append(r.looks, length) {
				// However old the sale seems to be, a jump makes a wait begin anew at most, and what it hides is found within a minute.
				wait := max(policy.YoungEvery, time.Duration(float64(l+3*time.Hour)*policy.OpenGrowth)) + time.Minute + policy.MinInterval
				bound := wait
				for _, j := range c.jumps {
					if j.after > last && j.after <= l {
						bound += wait
					}
				}
				if l-last > bound {
					t.Fatalf("sale %d: no look from %v to %v, the bound is %v", i, last, l, bound)
				}
				if l != length && last != born[i] && l-last < policy.MinInterval-time.Second {
					tooSoon++
				}
				last = l
			}
			// A clock that jumps ahead makes looks due that are not: once.
			if tooSoon > len(c.jumps) {
				t.Fatalf("sale %d: %d looks against the rule of %v in %d jumps: %v", i, tooSoon, policy.MinInterval, len(c.jumps), r.looks)
			}
			quiet := run(policy, clock{}, born, length)[i]
			if extra := len(r.looks) - len(quiet.looks); extra > 100*len(c.jumps) {
				t.Fatalf("sale %d: %d jumps cost %d looks", i, len(c.jumps), extra)
			}
		}
	})
}

// TestSimulation_43PaidSalesWithoutAWebhook is the origin system's morning: what was imported is settled with one look a sale.
func TestSimulation_43PaidSalesWithoutAWebhook(t *testing.T) {
	policy, poll := StandardPolicy(), DefaultPolicy("atomopay")
	now := noon.Add(30 * time.Hour)
	var totals Totals
	looks, deliveries := 0, 0
	for i := range 43 {
		p := sale()
		p.ID = ID{byte(i + 1)}
		p.CreatedAt = noon.Add(time.Duration(i) * 7 * time.Minute)
		p.QRExpiresAt = ptr(p.CreatedAt.Add(time.Hour))
		for _, d := range Opening(p) {
			totals.Add(d)
		}
		in := ScheduleInput{State: p.State, CreatedAt: p.CreatedAt, QRExpiresAt: p.QRExpiresAt, Now: now, Seed: Seed(p.ID)}
		for n := Schedule(poll, in); !n.Final && !n.At.After(now); n = Schedule(poll, in) {
			looks++
			d := Decide(p, reported(StatusPaid, now), policy)
			p = d.Apply(p)
			in.State, in.StateSince, in.PaidAt, in.LastPollAt, in.LastPollOutcome = p.State, p.StateSince, p.PaidAt, ptr(now), OutcomeStatus
			for _, x := range d.Effects {
				if x.Kind == Deliver {
					deliveries++
				}
			}
			for _, s := range d.Stats {
				totals.Add(s)
			}
		}
	}
	if looks != 43 || deliveries != 43 || totals[MetricPaid] != (Tally{43, 43 * 1990}) || totals[MetricCreated].Count != 43 {
		t.Errorf("%d looks, %d deliveries, %+v", looks, deliveries, totals)
	}
}
