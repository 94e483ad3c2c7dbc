package payment

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var providers = []string{"atomopay", "paradise", "pushinpay", "pushynpay", "umbrellapag", "sigilopay", "syncpay", "nobody's"}

// life follows the schedule of a sale that nobody pays, with a provider that always answers, and gives the looks.
func life(t interface{ Fatalf(string, ...any) }, policy PollPolicy, in ScheduleInput) []Next {
	var looks []Next
	for range 10_000 {
		n := Schedule(policy, in)
		if n.Final {
			return append(looks, n)
		}
		in.Now = later(n.At, in.Now)
		in.LastPollAt, in.LastPollOutcome = ptr(in.Now), OutcomeStatus
		looks = append(looks, Next{At: in.Now, Why: n.Why})
	}
	t.Fatalf("no end after 10000 looks")
	return nil
}

func TestSchedule_lifeOfAnUnpaidSale(t *testing.T) {
	var b strings.Builder
	for _, provider := range providers {
		for _, qr := range []time.Duration{time.Hour, day} {
			in := ScheduleInput{State: Pending, CreatedAt: noon, QRExpiresAt: ptr(noon.Add(qr)), Now: noon}
			looks := life(t, DefaultPolicy(provider), in)
			count, order := map[LookReason]int{}, []LookReason{}
			for _, l := range looks {
				if count[l.Why] == 0 {
					order = append(order, l.Why)
				}
				count[l.Why]++
			}
			fmt.Fprintf(&b, "%s, QR code for %v: %d looks\n", provider, qr, len(looks)-1)
			for _, why := range order {
				var at []string
				for _, l := range looks {
					if l.Why == why && !l.Final {
						at = append(at, l.At.Sub(noon).Round(time.Second).String())
					}
				}
				if len(at) > 8 {
					at = append(append(at[:4:4], "..."), at[len(at)-3:]...)
				}
				fmt.Fprintf(&b, "  %-8s %3d  %s\n", why, count[why], strings.Join(at, " "))
			}
		}
	}
	golden(t, "testdata/looks.txt", b.String())
}

// drawPollPolicy gives a valid policy around a provider's default.
func drawPollPolicy(t *rapid.T) PollPolicy {
	p := DefaultPolicy(rapid.SampledFrom(providers).Draw(t, "provider"))
	p.OpenGrowth = rapid.Float64Range(0.01, 3).Draw(t, "open_growth")
	p.RareGrowth = rapid.Float64Range(0.05, 3).Draw(t, "rare_growth")
	p.Horizon = time.Duration(rapid.IntRange(1, 60*24).Draw(t, "horizon_h")) * time.Hour
	p.WatchPaidFor = time.Duration(rapid.IntRange(0, 60).Draw(t, "watch_d")) * day
	p.LateLooks = p.LateLooks[:rapid.IntRange(0, len(p.LateLooks)).Draw(t, "late_looks")]
	if err := p.Validate(); err != nil {
		t.Fatalf("the drawn policy is not valid: %v", err)
	}
	return p
}

func drawInput(t *rapid.T) ScheduleInput {
	in := ScheduleInput{
		State: rapid.SampledFrom(States()).Draw(t, "state"), CreatedAt: noon, Seed: rapid.Uint64().Draw(t, "seed"),
		WebhookSilence: rapid.Bool().Draw(t, "silence"),
	}
	if rapid.Bool().Draw(t, "has_qr_end") {
		in.QRExpiresAt = ptr(noon.Add(time.Duration(rapid.IntRange(-60, 3*24*60).Draw(t, "qr_m")) * time.Minute))
	}
	if in.State == Paid {
		in.PaidAt = ptr(noon.Add(time.Minute))
	}
	in.StateSince = noon.Add(2 * time.Minute)
	in.Now = noon.Add(time.Duration(rapid.Int64Range(0, int64(70*day)).Draw(t, "now")))
	return in
}

func TestSchedule_anyLifeEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, in := drawPollPolicy(t), drawInput(t)
		looks := life(t, policy, in)
		end := looks[len(looks)-1]
		if !end.Final || !end.At.IsZero() {
			t.Fatalf("the end is %+v", end)
		}
		looks = looks[:len(looks)-1]
		for i := 1; i < len(looks); i++ {
			if gap := looks[i].At.Sub(looks[i-1].At); gap < policy.MinInterval {
				t.Fatalf("look %d (%s) comes %v after the one before, the rule is %v", i, looks[i].Why, gap, policy.MinInterval)
			}
		}
		settling := in.State == Pending || in.State.Closed() || in.State == NeedsReview
		if horizon := noon.Add(policy.Horizon); settling && in.Now.Before(horizon) {
			if last := looks[len(looks)-1]; last.At.Before(horizon) || last.At.After(horizon.Add(policy.MinInterval)) {
				t.Fatalf("the last look is %+v, the horizon %v", last, horizon)
			}
		} else if settling && len(looks) != 1 {
			t.Fatalf("a sale beyond its horizon gets %d looks, want exactly one", len(looks))
		}
		if in.State.Returned() && len(looks) > 0 {
			t.Fatalf("%v is looked at %d times", in.State, len(looks))
		}
	})
}

func TestSchedule_youngSalesAreLookedAtInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, in := drawPollPolicy(t), drawInput(t)
		in.State, in.Now, in.QRExpiresAt = Pending, noon, nil
		policy.Horizon = 30 * day
		last := noon
		for _, l := range life(t, policy, in) {
			if l.Final || l.At.Sub(noon) > policy.YoungFor {
				break
			}
			bound := policy.YoungEvery
			if l.At.Sub(noon) <= policy.DenseFor {
				bound = max(policy.DenseEvery, policy.FirstLook)
			}
			if gap := l.At.Sub(last); gap > bound {
				t.Fatalf("at %v: %v without a look, the bound is %v", l.At.Sub(noon), gap, bound)
			}
			last = l.At
		}
		if last.Sub(noon) < policy.YoungFor-policy.YoungEvery {
			t.Fatalf("no look in the last %v of youth", noon.Add(policy.YoungFor).Sub(last))
		}
	})
}

func TestSchedule_looksAfterTheQRCodesEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, in := DefaultPolicy(rapid.SampledFrom(providers).Draw(t, "provider")), drawInput(t)
		in.State, in.Now = Pending, noon
		end := noon.Add(time.Duration(rapid.IntRange(5, 3*24*60).Draw(t, "qr_m")) * time.Minute)
		in.QRExpiresAt = &end
		looks := life(t, policy, in)
		for _, after := range policy.LateLooks {
			from, to := end.Add(after), end.Add(after*11/10+policy.MinInterval)
			found := false
			for _, l := range looks {
				found = found || !l.At.Before(from) && !l.At.After(to)
			}
			if !found {
				t.Fatalf("no look between %v and %v after the QR code's end", from.Sub(end), to.Sub(end))
			}
		}
	})
}

// TestSchedule_monotone: a later look never makes the next one earlier, so that nothing gained by waiting is lost again.
func TestSchedule_monotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, in := drawPollPolicy(t), drawInput(t)
		in.LastPollOutcome = OutcomeStatus
		in.Now = noon.Add(80 * day)
		a := time.Duration(rapid.Int64Range(0, int64(70*day)).Draw(t, "a"))
		b := a + time.Duration(rapid.Int64Range(0, int64(2*day)).Draw(t, "b"))
		in.LastPollAt = ptr(noon.Add(a))
		first := Schedule(policy, in)
		in.LastPollAt = ptr(noon.Add(b))
		second := Schedule(policy, in)
		if first.Final && !second.Final {
			t.Fatalf("after %v it ends, after %v it goes on", a, b)
		}
		if !second.Final && second.At.Before(first.At) {
			t.Fatalf("after a look at %v the next is at %v, after one at %v at %v", a, first.At.Sub(noon), b, second.At.Sub(noon))
		}
	})
}

func TestSchedule_anyInputKeepsTheRules(t *testing.T) {
	moment := func(t *rapid.T, name string) *time.Time {
		if rapid.Bool().Draw(t, "no_"+name) {
			return nil
		}
		return ptr(noon.Add(time.Duration(rapid.Int64Range(-int64(2*time.Hour), int64(40*day)).Draw(t, name))))
	}
	outcomes := []Outcome{OutcomeNone, OutcomeStatus, OutcomeNotFound, OutcomeTransient, OutcomeRateLimited, OutcomeCredential, OutcomeContract, OutcomeInvalidRequest}
	rapid.Check(t, func(t *rapid.T) {
		policy, in := drawPollPolicy(t), drawInput(t)
		in.LastPollAt, in.HintAt, in.WantAt, in.BuyerPresentUntil = moment(t, "last"), moment(t, "hint"), moment(t, "want"), moment(t, "buyer")
		in.LastPollOutcome = rapid.SampledFrom(outcomes).Draw(t, "outcome")
		in.ErrorsInARow = rapid.IntRange(0, 1_000_000).Draw(t, "errors")
		in.RetryAfter = time.Duration(rapid.Int64Range(0, int64(day)).Draw(t, "retry_after"))
		n := Schedule(policy, in)
		if n != Schedule(policy, in) {
			t.Fatal("the same input gives two answers")
		}
		if n.Why == "" || n.Final != n.At.IsZero() {
			t.Fatalf("%+v", n)
		}
		if in.LastPollAt == nil {
			if n.ClockBack != in.CreatedAt.After(in.Now) {
				t.Fatalf("never looked at, made %v, now %v, clock back: %t", in.CreatedAt, in.Now, n.ClockBack)
			}
			return
		}
		if n.ClockBack != in.LastPollAt.After(in.Now) {
			t.Fatalf("clock back: %t", n.ClockBack)
		}
		if n.Final {
			return
		}
		last := earlier(*in.LastPollAt, in.Now)
		if gap := n.At.Sub(last); gap < policy.MinInterval || gap < in.RetryAfter {
			t.Fatalf("%v (%s) after the last look, the rule is %v, retry after %v", gap, n.Why, policy.MinInterval, in.RetryAfter)
		}
	})
}

func TestSchedule_hints(t *testing.T) {
	policy := DefaultPolicy("pushinpay")
	base := ScheduleInput{State: Pending, CreatedAt: noon, QRExpiresAt: ptr(noon.Add(day)), LastPollAt: ptr(noon.Add(5 * time.Hour)), LastPollOutcome: OutcomeStatus}
	for name, c := range map[string]struct {
		change func(*ScheduleInput)
		at     time.Duration // after the last look
		why    LookReason
	}{
		"none":                     {func(*ScheduleInput) {}, time.Hour, LookOpen},
		"a hint is due at once":    {func(in *ScheduleInput) { in.HintAt = ptr(noon.Add(5*time.Hour + 5*time.Minute)) }, 5 * time.Minute, LookHint},
		"but not against the rule": {func(in *ScheduleInput) { in.HintAt = ptr(noon.Add(5*time.Hour + 5*time.Second)) }, time.Minute, LookHint},
		"nor against retry-after": {func(in *ScheduleInput) {
			in.HintAt, in.RetryAfter = ptr(noon.Add(5*time.Hour+5*time.Second)), 7*time.Minute
		}, 7 * time.Minute, LookHint},
		"a hint that had its look":   {func(in *ScheduleInput) { in.HintAt = ptr(noon.Add(4 * time.Hour)) }, time.Hour, LookOpen},
		"had its look and is recent": {func(in *ScheduleInput) { in.HintAt = ptr(noon.Add(5*time.Hour - time.Minute)) }, time.Minute, LookHinted},
		"a hint from the future":     {func(in *ScheduleInput) { in.HintAt = ptr(noon.Add(7 * time.Hour)) }, time.Hour, LookOpen},
		"a waiting buyer":            {func(in *ScheduleInput) { in.BuyerPresentUntil = ptr(noon.Add(5*time.Hour + 15*time.Minute)) }, time.Minute, LookBuyer},
		"a buyer who left":           {func(in *ScheduleInput) { in.BuyerPresentUntil = ptr(noon.Add(5 * time.Hour)) }, time.Hour, LookOpen},
		"a buyer from the future":    {func(in *ScheduleInput) { in.BuyerPresentUntil = ptr(noon.Add(6 * time.Hour)) }, time.Hour, LookOpen},
		"a wanted second read":       {func(in *ScheduleInput) { in.WantAt = ptr(noon.Add(5*time.Hour + 2*time.Minute)) }, 2 * time.Minute, LookAgain},
		"a buyer while it is down": {func(in *ScheduleInput) {
			in.BuyerPresentUntil, in.LastPollOutcome, in.ErrorsInARow = ptr(noon.Add(5*time.Hour+15*time.Minute)), OutcomeTransient, 9
		}, 15 * time.Minute, LookRetry},
		"a wish while it is down": {func(in *ScheduleInput) {
			in.WantAt, in.LastPollOutcome, in.ErrorsInARow = ptr(noon.Add(5*time.Hour+time.Second)), OutcomeTransient, 9
		}, 15 * time.Minute, LookRetry},
		"a hint on a paid sale":        {func(in *ScheduleInput) { in.State, in.HintAt = Paid, ptr(noon.Add(5*time.Hour+5*time.Minute)) }, 5 * time.Minute, LookHint},
		"a hint on a refunded sale":    {func(in *ScheduleInput) { in.State, in.HintAt = Refunded, ptr(noon.Add(5*time.Hour+5*time.Minute)) }, 5 * time.Minute, LookHint},
		"silent webhooks":              {func(in *ScheduleInput) { in.WebhookSilence = true }, 30 * time.Minute, LookOpen},
		"a paid sale's look that fell": {func(in *ScheduleInput) { in.State, in.LastPollOutcome, in.ErrorsInARow = Paid, OutcomeTransient, 1 }, time.Minute, LookRetry},
	} {
		in := base
		in.Now = noon.Add(5*time.Hour + 10*time.Minute)
		c.change(&in)
		n := Schedule(policy, in)
		if n.Final || n.At.Sub(*in.LastPollAt) != c.at || n.Why != c.why {
			t.Errorf("%s: %v after the last look (%s, final %t), want %v (%s)", name, n.At.Sub(*in.LastPollAt), n.Why, n.Final, c.at, c.why)
		}
	}
}

func TestSchedule_settledSalesAreLeftAlone(t *testing.T) {
	for _, s := range []State{Paid, Refunded, ChargedBack} {
		in := ScheduleInput{State: s, CreatedAt: noon, Now: noon.Add(time.Hour), LastPollAt: ptr(noon.Add(time.Minute)), LastPollOutcome: OutcomeStatus}
		if n := Schedule(DefaultPolicy("atomopay"), in); !n.Final || n.Why != LookSettled {
			t.Errorf("%v: %+v", s, n)
		}
	}
}

func TestSchedule_importedIsDueAtOnce(t *testing.T) {
	for _, provider := range providers {
		for _, age := range []time.Duration{time.Minute, day, 400 * day} {
			in := ScheduleInput{State: Pending, CreatedAt: noon.Add(-age), Now: noon}
			if n := Schedule(DefaultPolicy(provider), in); n.Final || n.At.After(noon) {
				t.Errorf("%s, %v old: %+v", provider, age, n)
			}
		}
	}
}

func TestSchedule_failuresGrowAndEnd(t *testing.T) {
	policy := DefaultPolicy("atomopay")
	in := ScheduleInput{State: Pending, CreatedAt: noon, QRExpiresAt: ptr(noon.Add(time.Hour)), Now: noon}
	var looks int
	var gaps []time.Duration
	for ; looks < 100_000; looks++ {
		n := Schedule(policy, in)
		if n.Final {
			if n.Why != LookGivenUp {
				t.Errorf("ends with %s", n.Why)
			}
			break
		}
		if in.LastPollAt != nil {
			gaps = append(gaps, n.At.Sub(*in.LastPollAt))
		}
		in.Now, in.LastPollAt, in.LastPollOutcome = n.At, ptr(n.At), OutcomeTransient
		in.ErrorsInARow++
	}
	if in.Now.Before(noon.Add(policy.Horizon)) {
		t.Errorf("gave up after %v, before the horizon", in.Now.Sub(noon))
	}
	if looks > 300 {
		t.Errorf("%d looks at a provider that is away for the whole life of a sale", looks)
	}
	for i, want := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
		if gaps[i] != want {
			t.Errorf("after %d failures %v, want %v", i+1, gaps[i], want)
		}
	}
}

func TestSchedule_outcomesWait(t *testing.T) {
	for outcome, want := range map[Outcome]time.Duration{
		OutcomeStatus: 10 * time.Second, OutcomeNotFound: 10 * time.Second, OutcomeTransient: 15 * time.Second, OutcomeRateLimited: time.Minute,
		OutcomeContract: time.Minute, OutcomeCredential: 5 * time.Minute, OutcomeInvalidRequest: 15 * time.Minute,
	} {
		in := ScheduleInput{State: Pending, CreatedAt: noon, Now: noon.Add(time.Minute), LastPollAt: ptr(noon.Add(time.Minute)), LastPollOutcome: outcome, ErrorsInARow: 1}
		if got := Schedule(DefaultPolicy("atomopay"), in).At.Sub(*in.LastPollAt); got != want {
			t.Errorf("%s: %v, want %v", outcome, got, want)
		}
	}
	in := ScheduleInput{State: Pending, CreatedAt: noon, Now: noon, LastPollAt: ptr(noon), LastPollOutcome: OutcomeRateLimited, ErrorsInARow: 9, RetryAfter: 23 * time.Second}
	if got := Schedule(DefaultPolicy("atomopay"), in).At.Sub(noon); got != 23*time.Second {
		t.Errorf("Retry-After 23: %v", got)
	}
}

func TestSchedule_spread(t *testing.T) {
	in := ScheduleInput{State: Pending, CreatedAt: noon, LastPollAt: ptr(noon.Add(10 * time.Minute)), Now: noon.Add(10 * time.Minute), LastPollOutcome: OutcomeStatus}
	seconds := map[int64]int{}
	for i := range 1000 {
		in.Seed = Seed(ID{byte(i), byte(i >> 8)})
		seconds[int64(Schedule(DefaultPolicy("atomopay"), in).At.Sub(noon)/time.Second)]++
	}
	for second, n := range seconds {
		if n > 300 {
			t.Errorf("%d of 1000 sales are due in second %d", n, second)
		}
	}
}
