package payment

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawEvent gives any event at all: every kind, readings with any identifiers, amounts, currencies and moments.
func drawEvent(t *rapid.T, at time.Time) Event {
	e := Event{At: at, Source: SourcePoll}
	e.Kind = rapid.SampledFrom([]Kind{Reported, Reported, Reported, Reported, Reported, SecondPayment, ExpiryReached, ChargeFailed, ReviewAccepted,
		ReviewRefused, DeliveryOrdered, HintReceived}).Draw(t, "kind")
	if e.Kind != Reported && e.Kind != SecondPayment {
		return e
	}
	r := &Reading{
		Status:     rapid.SampledFrom(append(Statuses(), StatusPaid, StatusPaid, StatusPaid)).Draw(t, "status"),
		Unsafe:     rapid.IntRange(0, 4).Draw(t, "unsafe") == 0,
		Currency:   rapid.SampledFrom([]string{"", "BRL", "BRL", "brl", "USD"}).Draw(t, "currency"),
		ChargeID:   rapid.SampledFrom([]string{"", "c1", "c1", "c2", "c3"}).Draw(t, "charge"),
		EndToEndID: rapid.SampledFrom([]string{"", "E1", "E2", "e2", "E3"}).Draw(t, "e2e"),
	}
	if a := rapid.SampledFrom([]money.Amount{-1, 1990, 1990, 990, 0, 2500}).Draw(t, "amount"); a >= 0 {
		r.Amount = &a
	}
	if shift := rapid.IntRange(-200_000, 2_000).Draw(t, "paid_at_s"); shift%3 != 0 {
		r.PaidAt = ptr(at.Add(time.Duration(shift) * time.Second))
	}
	e.Reading = r
	return e
}

func drawPolicy(t *rapid.T) Policy {
	return Policy{
		Late:             rapid.SampledFrom([]LatePolicy{"", LateDeliver, LateHold, LateAsk}).Draw(t, "late"),
		Grace:            time.Duration(rapid.IntRange(0, 30).Draw(t, "grace_m")) * time.Minute,
		AssumedQRLife:    time.Hour,
		BlindGrace:       time.Duration(rapid.IntRange(0, 3).Draw(t, "blind_h")) * time.Hour,
		SecondReadAfter:  time.Duration(rapid.IntRange(0, 60).Draw(t, "second_s")) * time.Second,
		RequireEndToEnd:  rapid.Bool().Draw(t, "need_e2e"),
		EndToEndPatience: time.Duration(rapid.IntRange(0, 30).Draw(t, "patience_m")) * time.Minute,
	}
}

func drawSale(t *rapid.T) Payment {
	p := sale()
	if rapid.Bool().Draw(t, "no_qr_end") {
		p.QRExpiresAt = nil
	}
	if rapid.Bool().Draw(t, "no_charge") {
		p.ChargeID = ""
	}
	return p
}

// clone is a copy that shares nothing with the original.
func clone(t *rapid.T, p Payment) Payment {
	b, err := json.Marshal(p.Facts)
	if err != nil {
		t.Fatalf("marshal facts: %v", err)
	}
	p.Facts = Facts{}
	if err := json.Unmarshal(b, &p.Facts); err != nil {
		t.Fatalf("unmarshal facts: %v", err)
	}
	return p
}

// step moves the clock: mostly on, now and then back.
func step(t *rapid.T, at time.Time) time.Time {
	return at.Add(time.Duration(rapid.IntRange(-60, 1800).Draw(t, "step_s")) * time.Second)
}

func TestDecide_anyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, p, at := drawPolicy(t), drawSale(t), noon
		var sum Totals
		for _, d := range Opening(p) {
			sum.Add(d)
		}
		deliveries, open := 0, false
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			at = step(t, at)
			if rapid.Bool().Draw(t, "looked") {
				p.LookedAt = ptr(at)
			}
			e := drawEvent(t, at)
			before := clone(t, p)
			d := Decide(p, e, policy)
			if diff := cmp.Diff(before.Facts, p.Facts); diff != "" {
				t.Fatalf("Decide changed its argument:\n%s", diff)
			}
			next := d.Apply(p)
			checkMove(t, p, next, e, d)
			for _, x := range d.Effects {
				switch x.Kind {
				case Deliver:
					deliveries++
					if open || deliveries > 1 {
						t.Fatalf("delivery %d at %v", deliveries, e)
					}
					open = true
				case RestoreToken:
					if open || deliveries == 0 {
						t.Fatalf("restored a link that is open (%t) or never was", open)
					}
					open = true
				case RevokeToken:
					if !open {
						t.Fatal("revoked a link that is not open")
					}
					open = false
				}
			}
			if open != (next.State == Paid) {
				t.Fatalf("link open is %t in state %v", open, next.State)
			}
			for _, s := range d.Stats {
				sum.Add(s)
			}
			if want := Contribution(next); sum != want {
				t.Fatalf("statistics %v, state says %v", sum, want)
			}
			if sum.Net() < 0 || sum[MetricNeedsReview].Amount < 0 {
				t.Fatalf("net %v, review %v", sum.Net(), sum[MetricNeedsReview].Amount)
			}
			p = next
		}
	})
}

// checkMove holds what is true of any single decision.
func checkMove(t *rapid.T, p, next Payment, e Event, d Decision) {
	notices, hands := 0, 0
	for _, x := range d.Effects {
		switch x.Kind {
		case NotifyOwner:
			notices++
			if x.Notice == "" {
				t.Fatal("a notice without words")
			}
		case Deliver, RestoreToken:
			hands++
		case PollAgain:
			if x.Again == "" || x.At.IsZero() {
				t.Fatalf("a look without reason or time: %+v", x)
			}
		}
	}
	moved := p.State != next.State
	switch {
	case !slices.Contains(WhyKeys(), d.Why.Key):
		t.Fatalf("explanation %q is not listed", d.Why.Key)
	case moved && notices != 1:
		t.Fatalf("%v to %v tells the owner %d times", p.State, next.State, notices)
	case !d.Changed && (moved || len(d.Stats) > 0 || notices+hands > 0):
		t.Fatalf("not changed, and yet %+v", d)
	case p.State == Paid && moved && !next.State.Returned() && next.State != Disputed:
		t.Fatalf("paid became %v", next.State)
	case p.DeliveredEver && !next.DeliveredEver:
		t.Fatal("forgot its delivery")
	case (p.State == NeedsReview || p.State.Returned()) && hands > 0 && e.Kind != ReviewAccepted:
		t.Fatalf("%v was handed out by %s", p.State, e.Kind)
	case p.refused() && hands > 0:
		t.Fatal("a refused sale was handed out")
	case !e.Kind.Decides() && d.Changed:
		t.Fatalf("%s changed something", e.Kind)
	case e.Reading != nil && e.Reading.Status == StatusUnknown && (d.Changed || len(d.Effects) > 0):
		t.Fatal("an unknown status did something")
	case hands > 0 && e.Kind != ReviewAccepted && e.Reading.Status != StatusPaid:
		t.Fatalf("%v was handed out by a reading that says %v", p.State, e.Reading.Status)
	case next.State == NeedsReview && (next.ReviewReason == "" || next.PaidAt == nil):
		t.Fatal("under review without a reason or a moment")
	case !next.ReviewOpen() && next.extras(ExtraOpen) != 0:
		t.Fatalf("%v holds %d that nobody is asked about", next.State, next.extras(ExtraOpen))
	case moved && !next.StateSince.Equal(e.At):
		t.Fatalf("entered %v at %v, says %v", next.State, e.At, next.StateSince)
	}
}

func TestDecide_sameEventTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, p, at := drawPolicy(t), drawSale(t), noon
		for range rapid.IntRange(1, 25).Draw(t, "events") {
			at = step(t, at)
			e := drawEvent(t, at)
			p = Decide(p, e, policy).Apply(p)
			d := Decide(clone(t, p), e, policy)
			for _, x := range d.Effects {
				if x.Kind != PollAgain {
					t.Fatalf("the second %s of %+v orders %+v in %v", e.Kind, e.Reading, x, p.State)
				}
			}
			if d.Next != p.State || len(d.Stats) > 0 {
				t.Fatalf("the second %s of %+v moves %v to %v with %v", e.Kind, e.Reading, p.State, d.Next, d.Stats)
			}
		}
	})
}

// TestDecide_moneyConserved: every payment that a provider ever reports, each with its own identity, is kept exactly once with its
// amount, whatever else happens; and what the statistics hold is among it.
func TestDecide_moneyConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := StandardPolicy()
		policy.Late = rapid.SampledFrom([]LatePolicy{LateDeliver, LateHold, LateAsk}).Draw(t, "late")
		p, at := sale(), noon
		amounts := map[string]money.Amount{"E1": 1990, "E2": 1990, "E3": 700, "E4": 2500}
		charges := map[string]string{"E1": "c1", "E2": "c1", "E3": "c2", "E4": "c3"}
		reportedMoney := map[string]money.Amount{}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(1, 3600).Draw(t, "step_s")) * time.Second)
			e := drawEvent(t, at)
			if e.Reading != nil {
				id := rapid.SampledFrom([]string{"E1", "E2", "E3", "E4"}).Draw(t, "money")
				a := amounts[id]
				e.Reading.Unsafe, e.Reading.Currency, e.Reading.Amount = false, "BRL", &a
				e.Reading.ChargeID, e.Reading.EndToEndID = charges[id], id
				if e.Reading.Status == StatusPaid {
					reportedMoney[id] = a
				}
			}
			p = Decide(p, e, policy).Apply(p)
			kept := map[string]money.Amount{}
			for _, x := range p.Extras {
				if _, twice := kept[x.EndToEndID]; twice {
					t.Fatalf("%s is kept twice", x.EndToEndID)
				}
				kept[x.EndToEndID] = x.Amount
			}
			if p.PaidAt != nil {
				if _, twice := kept[p.EndToEndID]; twice {
					t.Fatalf("%s is kept twice", p.EndToEndID)
				}
				kept[p.EndToEndID] = *p.PaidAmount
			}
			if diff := cmp.Diff(reportedMoney, kept); diff != "" {
				t.Fatalf("money reported and kept (-reported +kept) in %v:\n%s", p.State, diff)
			}
			var all money.Amount
			for _, a := range kept {
				all += a
			}
			if c := Contribution(p); c.Net() < 0 || c[MetricPaid].Amount+c[MetricNeedsReview].Amount > all {
				t.Fatalf("statistics %v hold more than %d", c, all)
			}
		}
	})
}

// TestDecide_truthWins: whatever hints, clocks and providers said before, a sale whose provider keeps saying "paid" is delivered, unless
// a person is asked or has refused, or the money went back.
func TestDecide_truthWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := drawPolicy(t)
		policy.Late = LateDeliver
		p, at := sale(), noon
		for range rapid.IntRange(0, 15).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(1, 3600).Draw(t, "step_s")) * time.Second)
			status := rapid.SampledFrom([]Status{StatusUnknown, StatusPending, StatusFailed, StatusExpired, StatusCancelled}).Draw(t, "status")
			e := rapid.SampledFrom([]Event{reported(status, at), {Kind: ExpiryReached, At: at}, {Kind: HintReceived, At: at}, {Kind: ChargeFailed, At: at}}).Draw(t, "event")
			p = Decide(p, e, policy).Apply(p)
		}
		delivered := 0
		for range 3 {
			at = at.Add(time.Hour)
			d := Decide(p, reported(StatusPaid, at, func(r *Reading) { r.Unsafe = true }), policy)
			p = d.Apply(p)
			for _, x := range d.Effects {
				if x.Kind == Deliver {
					delivered++
				}
			}
		}
		if p.State != Paid || delivered != 1 {
			t.Fatalf("%v, delivered %d times", p.State, delivered)
		}
	})
}
