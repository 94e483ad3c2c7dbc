package payment

import (
	"strings"
	"time"
)

// finding is what the guards make of an event: the table's input, and what was learned on the way.
type finding struct {
	input  Input
	why    Why
	facts  Facts
	notice Notice     // replaces the table's notice when set
	again  PollReason // for PollAgain
	at     time.Time  // for PollAgain
}

func nothing(p Payment, w Why) finding { return finding{input: InNothing, why: w, facts: p.Facts} }

// examine runs the guards. It reads the sale and never changes what the caller's slices hold.
func examine(p Payment, e Event, policy Policy) finding {
	switch e.Kind {
	case Reported, SecondPayment:
		if e.Reading == nil {
			return nothing(p, why(WhyNoReading))
		}
		if e.Reading.Status == StatusPaid {
			return examinePaid(p, e, policy)
		}
		return examineUnpaid(p, e)
	case ExpiryReached:
		return examineExpiry(p, e, policy)
	case ChargeFailed:
		if p.State != Pending {
			return nothing(p, why(WhyClosedAlready, "state", p.State.String(), "status", StatusFailed.String()))
		}
		return finding{input: InChargeFailed, why: why(WhyChargeFailed), facts: p.unclaimed()}
	case ReviewAccepted, ReviewRefused:
		return examineAnswer(p, e)
	case DeliveryOrdered:
		if p.State != Paid || p.DeliveredEver {
			return nothing(p, why(WhyNothingToDeliver))
		}
		return finding{input: InDeliveryOrdered, why: why(WhyDeliveryOrdered), facts: p.Facts}
	}
	return nothing(p, why(WhyNote))
}

// examineUnpaid judges every reading that does not say "paid".
func examineUnpaid(p Payment, e Event) finding {
	r := e.Reading
	if r.Status <= StatusUnknown || r.Status >= statusEnd {
		return finding{input: InUnknown, why: why(WhyUnknown), facts: p.Facts}
	}
	if i := p.returnedExtra(r); i >= 0 {
		return extraReturned(p, i)
	}
	if otherCharge(p, r) {
		return nothing(p, why(WhyOtherCharge, "status", r.Status.String()))
	}
	switch r.Status {
	case StatusPending:
		f := finding{input: InPending, why: why(WhyNotYet), facts: p.unclaimed()}
		switch {
		case p.State.Closed():
			f.why = why(WhyClosedAlready, "state", p.State.String(), "status", r.Status.String())
		case p.State != Pending && p.State != NeedsReview:
			f.why = why(WhyRegression, "status", r.Status.String())
		}
		return f
	case StatusFailed, StatusExpired, StatusCancelled:
		return ended(p, r)
	}
	return wentBack(p, r)
}

// otherCharge: a sale may have had several charges; what a provider says of one that is not current closes nothing.
func otherCharge(p Payment, r *Reading) bool {
	return r.ChargeID != "" && p.ChargeID != "" && r.ChargeID != p.ChargeID
}

// ended judges "failed", "expired" and "cancelled": they close a pending sale and nothing else.
func ended(p Payment, r *Reading) finding {
	f := finding{facts: p.unclaimed()}
	switch r.Status {
	case StatusFailed:
		f.input, f.why = InFailed, why(WhyFailed)
	case StatusExpired:
		f.input, f.why = InExpired, why(WhyExpired)
	default:
		f.input, f.why = InCancelled, why(WhyCancelled)
	}
	switch {
	case p.State == Pending:
	case p.State.Closed():
		f.why = why(WhyClosedAlready, "state", p.State.String(), "status", r.Status.String())
	default:
		f.why = why(WhyRegression, "status", r.Status.String())
	}
	return f
}

// wentBack judges "refunded", "charged back" and "disputed".
func wentBack(p Payment, r *Reading) finding {
	f := finding{facts: p.unclaimed()}
	seen := p.DeliveredEver || p.PaidAt != nil
	switch r.Status {
	case StatusRefunded:
		f.input, f.why = InRefunded, why(WhyRefunded)
		if !seen {
			f.why = why(WhyRefundedUnseen)
		}
	case StatusChargedBack:
		f.input, f.why = InChargedBack, why(WhyChargedBack)
		if !seen {
			f.why = why(WhyChargedBackUnseen)
		}
	default:
		f.input, f.why = InDisputed, why(WhyDisputed)
	}
	switch {
	case p.State.Returned():
		return nothing(p, why(WhyReturnedAlready, "state", p.State.String(), "status", r.Status.String()))
	case r.Status == StatusDisputed:
		return disputed(p, f)
	}
	f.facts.ReviewReason = f.facts.openReason()
	return f
}

// disputed keeps a sale under review there, once told, so that winning the dispute does not go round the person who was asked; and it
// leaves alone what a person refused.
func disputed(p Payment, f finding) finding {
	switch {
	case p.State == Disputed, p.State == NeedsReview && p.ReviewReason == ReviewDisputed:
		return nothing(p, why(WhyRepeat))
	case p.refused():
		return nothing(p, why(WhyRefusedBefore))
	case p.State == NeedsReview:
		f.why, f.facts.ReviewReason = why(WhyDisputedInReview), ReviewDisputed
	}
	return f
}

// returnedExtra finds the further payment that a reading says went back, or -1.
func (p Payment) returnedExtra(r *Reading) int {
	if r.Status != StatusRefunded && r.Status != StatusChargedBack {
		return -1
	}
	for i, x := range p.Extras {
		byEndToEnd := r.EndToEndID != "" && strings.EqualFold(x.EndToEndID, r.EndToEndID) && !strings.EqualFold(p.EndToEndID, r.EndToEndID)
		byCharge := otherCharge(p, r) && x.ChargeID == r.ChargeID
		if byEndToEnd || byCharge {
			return i
		}
	}
	return -1
}

func extraReturned(p Payment, i int) finding {
	if p.Extras[i].Outcome == ExtraReturned {
		return nothing(p, why(WhyRepeat))
	}
	f := finding{input: InExtraReturned, why: why(WhyExtraReturned, "amount", centavos(p.Extras[i].Amount)), facts: p.Facts}
	f.facts.Extras = settleExtras(p.Extras, "", "")
	f.facts.Extras[i].Outcome = ExtraReturned
	if p.State != NeedsReview && f.facts.ReviewReason == ReviewSecondPayment {
		f.facts.ReviewReason = f.facts.openReason()
	}
	return f
}

// examineExpiry: our clock ends only a pending sale, only after the end and the grace, and only one that the provider was asked about
// since, as long as the provider can be asked.
func examineExpiry(p Payment, e Event, policy Policy) finding {
	end, expires := p.qrEnd(policy), p.ExpiresAt(policy)
	switch {
	case p.State != Pending:
		return nothing(p, why(WhyClosedAlready, "state", p.State.String(), "status", StatusExpired.String()))
	case e.At.Before(expires):
		return nothing(p, why(WhyExpiryEarly, "expires", instant(expires)))
	}
	looked := p.LookedAt != nil && !p.LookedAt.Before(end)
	seen := looked && p.ClaimedAt == nil
	if !seen && e.At.Before(expires.Add(policy.BlindGrace)) {
		if looked { // the claim of "paid" has ordered its own next look
			return nothing(p, why(WhyExpiryUnseen, "qr_end", instant(end)))
		}
		return finding{input: InExpiryUnseen, why: why(WhyExpiryUnseen, "qr_end", instant(end)), facts: p.Facts, again: AgainBeforeExpiry, at: e.At}
	}
	f := finding{input: InExpiryReached, why: why(WhyExpiredByClock, "qr_end", instant(end)), facts: p.unclaimed()}
	if !seen {
		f.why = why(WhyExpiredBlind, "qr_end", instant(end))
	}
	return f
}

// examineAnswer: a person's word counts where a question is open. Yes makes all money under review the sale's; no gives it back.
func examineAnswer(p Payment, e Event) finding {
	if !p.ReviewOpen() {
		return nothing(p, why(WhyNothingToReview))
	}
	args := []string{"reason", string(p.ReviewReason), "amount", centavos(p.ReviewAmount())}
	f := finding{facts: p.unclaimed()}
	if e.Kind == ReviewRefused {
		f.input, f.why = InReviewRefused, why(WhyReviewRefused, args...)
		f.facts.Extras = settleExtras(p.Extras, ExtraOpen, ExtraReturned)
		if p.State != NeedsReview {
			f.facts.ReviewReason = ""
		}
		return f
	}
	f.input, f.why = InReviewAccepted, why(WhyReviewAccepted, args...)
	f.facts.ReviewReason = ""
	switch {
	case p.State.Returned():
		f.facts = f.facts.promoteExtra()
	case p.State == NeedsReview && p.PaidAmount == nil:
		price := p.Amount
		f.facts.PaidAmount = &price
	}
	f.facts.Extras = settleExtras(f.facts.Extras, ExtraOpen, ExtraKept)
	return f
}

// refused reports whether a person refused the money of this sale.
func (p Payment) refused() bool { return p.State == Cancelled && p.ReviewReason != "" }

// unclaimed gives the facts without a pending claim of "paid".
func (p Payment) unclaimed() Facts {
	f := p.Facts
	f.UnsafeReads, f.ClaimedAt = 0, nil
	return f
}

// openReason is the question that remains once the sale's own money is out of it: an open further payment, or none.
func (f Facts) openReason() ReviewReason {
	for _, x := range f.Extras {
		if x.Outcome == ExtraOpen {
			return ReviewSecondPayment
		}
	}
	return ""
}
