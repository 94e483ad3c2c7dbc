package payment

import (
	"slices"
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// examinePaid judges a reading that says "paid": first whose money it is, then whether it may be believed, then whether it fits.
func examinePaid(p Payment, e Event, policy Policy) finding {
	r := e.Reading
	extra := p.PaidAt != nil && !sameMoney(p.ChargeID, p.EndToEndID, r.ChargeID, r.EndToEndID)
	if extra && p.knowsExtra(r) {
		return nothing(p, why(WhyRepeat))
	}
	switch p.State {
	case Paid, NeedsReview:
		if extra {
			return extraMoney(p, e)
		}
		return sameAgain(p, r)
	case Disputed:
		if extra {
			return extraMoney(p, e)
		}
	case Refunded, ChargedBack:
		if e.At.Before(p.StateSince) {
			return nothing(p, why(WhyStale, "since", instant(p.StateSince)))
		}
	case Cancelled:
		if p.refused() && !extra && p.agrees(r) {
			return nothing(p, why(WhyRefusedBefore))
		}
	}
	if f, wait := unsafe(p, e, policy); wait {
		return f
	}
	switch {
	case p.State.Returned():
		return doubtful(p, e, extra, ReviewPaidAfterRefund, why(WhyPaidAfterRefund, "state", p.State.String()))
	case p.refused():
		return doubtful(p, e, extra, ReviewPaidAfterRefusal, why(WhyPaidAfterRefusal))
	case p.State == Disputed && p.DeliveredEver:
		return disputeWon(p, r)
	}
	return fits(p, e, policy)
}

// fits asks whether believed money is what the sale asked for: currency, amount, end-to-end id, time.
func fits(p Payment, e Event, policy Policy) finding {
	r := e.Reading
	switch {
	case otherCurrency(p, r):
		return doubtful(p, e, false, ReviewOtherCurrency, why(WhyOtherCurrency, "expected", p.Currency, "got", r.Currency))
	case r.Amount != nil && *r.Amount != p.Amount:
		return doubtful(p, e, false, ReviewAmountDiffers, why(WhyAmountDiffers, "expected", centavos(p.Amount), "got", centavos(*r.Amount)))
	}
	if f, stop := endToEnd(p, e, policy); stop {
		return f
	}
	inTime := paidInTime(p, e, policy)
	ended := p.State.Closed() || p.State == Disputed && e.At.After(p.ExpiresAt(policy))
	if ended && !inTime && (policy.Late == LateHold || policy.Late == LateAsk) {
		f := doubtful(p, e, false, ReviewLateMoney, why(WhyLateMoney, "state", p.State.String(), "policy", string(policy.Late)))
		if policy.Late == LateHold {
			f.notice = NoticeLateHeld
		}
		return f
	}
	f := finding{input: InPaid, why: why(WhyPaid, "amount", centavos(p.Amount)), facts: p.settle(e, false)}
	switch {
	case p.State == Disputed:
		f.why = why(WhyDisputeWon, "amount", centavos(p.Amount))
	case ended && inTime:
		f.why = why(WhyPaidInTime, "amount", centavos(p.Amount), "state", p.State.String())
	case ended:
		f.why = why(WhyPaidLate, "amount", centavos(p.Amount), "state", p.State.String())
	}
	return f
}

// unsafe: a status that this provider reports too early needs a second agreeing read, SecondReadAfter later. A clock that went back
// starts the wait again.
func unsafe(p Payment, e Event, policy Policy) (finding, bool) {
	if !e.Reading.Unsafe {
		return finding{}, false
	}
	facts, from := p.claim(e.At)
	ready := from.Add(policy.SecondReadAfter)
	if facts.UnsafeReads > 1 && !e.At.Before(ready) && e.At.After(from) {
		return finding{}, false
	}
	return finding{input: InPaidUnproven, why: why(WhySecondRead, "from", instant(ready)), facts: facts, again: AgainSecondRead, at: ready}, true
}

// endToEnd: a merchant may want the end-to-end id before anything is delivered. When patience ends, a person is asked.
func endToEnd(p Payment, e Event, policy Policy) (finding, bool) {
	if !policy.RequireEndToEnd || e.Reading.EndToEndID != "" || p.EndToEndID != "" {
		return finding{}, false
	}
	facts, from := p.claim(e.At)
	until := from.Add(policy.EndToEndPatience)
	if !e.At.Before(until) {
		return doubtful(p, e, false, ReviewNoEndToEnd, why(WhyNoEndToEnd, "waited", e.At.Sub(from).String())), true
	}
	return finding{input: InPaidUnproven, why: why(WhyNoEndToEndYet, "until", instant(until)), facts: facts, again: AgainEndToEnd, at: until}, true
}

// claim counts one more reading that is not believed yet and gives the time of the first.
func (p Payment) claim(at time.Time) (Facts, time.Time) {
	f := p.Facts
	if f.ClaimedAt == nil || at.Before(*f.ClaimedAt) {
		f.UnsafeReads, f.ClaimedAt = 0, &at
	}
	if f.UnsafeReads < 2 {
		f.UnsafeReads++ // more is not worth a write
	}
	return f, *f.ClaimedAt
}

func otherCurrency(p Payment, r *Reading) bool {
	return r.Currency != "" && !strings.EqualFold(r.Currency, p.Currency)
}

// paidInTime: an expired sale whose money came before the end was not late; we were.
func paidInTime(p Payment, e Event, policy Policy) bool {
	at := p.sensible(e)
	return at != nil && (p.State == Expired || p.State == Disputed) && !at.After(p.ExpiresAt(policy))
}

// doubtful puts the money before a person.
func doubtful(p Payment, e Event, extra bool, reason ReviewReason, w Why) finding {
	f := finding{input: InPaidDoubtful, why: w, facts: p.settle(e, extra)}
	f.facts.ReviewReason = reason
	return f
}

// extraMoney keeps a further payment of a sale that has its money, and asks a person what it is for.
func extraMoney(p Payment, e Event) finding {
	x := Extra{ChargeID: e.Reading.ChargeID, EndToEndID: e.Reading.EndToEndID, Amount: p.amountOf(e.Reading), At: e.At, Outcome: ExtraOpen}
	f := finding{input: InPaidExtra, why: why(WhySecondPayment, "amount", centavos(x.Amount)), facts: p.Facts}
	f.facts.Extras = append(slices.Clone(p.Extras), x)
	if f.facts.ReviewReason == "" {
		f.facts.ReviewReason = ReviewSecondPayment
	}
	return f
}

// sameAgain: the money of a settled or reviewed sale is reported once more. Identifiers are completed; another amount is the provider's
// truth and is booked, a settled sale then carries a question.
func sameAgain(p Payment, r *Reading) finding {
	f := finding{input: InPaid, why: why(WhyRepeat), facts: p.named(r)}
	if p.agrees(r) {
		return f
	}
	got := *r.Amount
	f.facts.PaidAmount = &got
	if p.State == NeedsReview {
		f.why = why(WhyAmountDiffers, "expected", centavos(p.Amount), "got", centavos(got))
		return f
	}
	var before money.Amount
	if p.PaidAmount != nil {
		before = *p.PaidAmount
	}
	f.input, f.facts.ReviewReason = InAmountCorrected, ReviewAmountCorrected
	f.why = why(WhyAmountCorrected, "before", centavos(before), "got", centavos(got))
	return f
}

// disputeWon: blocked money is free again. It was believed before, so that only another amount is worth a question.
func disputeWon(p Payment, r *Reading) finding {
	f := sameAgain(p, r)
	f.facts.UnsafeReads, f.facts.ClaimedAt = 0, nil
	if f.input == InPaid {
		f.why = why(WhyDisputeWon, "amount", centavos(p.ReceivedAmount()))
	}
	return f
}

// agrees reports whether a reading says nothing new about the amount of money that is already known.
func (p Payment) agrees(r *Reading) bool {
	if r.Amount == nil {
		return true
	}
	if otherCurrency(p, r) {
		return true
	}
	return p.PaidAmount != nil && *r.Amount == *p.PaidAmount
}

// settle gives the facts after the reading's money became the sale's, or the reviewed one. Replaced is true when earlier money had
// gone back: it is remembered as returned.
func (p Payment) settle(e Event, replaced bool) Facts {
	r, f := e.Reading, p.unclaimed()
	if p.State.Returned() {
		f.Extras = settleExtras(p.Extras, ExtraKept, ExtraReturned) // what had been kept went back with the rest
	}
	if replaced {
		f.Extras = append(slices.Clone(f.Extras), p.asExtra(ExtraReturned))
		f.ChargeID, f.EndToEndID = "", ""
	}
	if r.ChargeID != "" {
		f.ChargeID = r.ChargeID
	}
	if r.EndToEndID != "" {
		f.EndToEndID = r.EndToEndID
	}
	at := e.At
	if named := p.sensible(e); named != nil {
		at = *named
	}
	f.PaidAt, f.PaidAmount = &at, nil
	if !otherCurrency(p, r) {
		amount := p.amountOf(r)
		f.PaidAmount = &amount
	}
	return f
}

// named completes missing identifiers from a reading of the same money.
func (p Payment) named(r *Reading) Facts {
	f := p.Facts
	if f.ChargeID == "" {
		f.ChargeID = r.ChargeID
	}
	if f.EndToEndID == "" {
		f.EndToEndID = r.EndToEndID
	}
	return f
}

// amountOf is the reading's amount, or the price when it names none; money of another currency counts as nothing.
func (p Payment) amountOf(r *Reading) money.Amount {
	switch {
	case otherCurrency(p, r):
		return 0
	case r.Amount != nil:
		return *r.Amount
	}
	return p.Amount
}

// The provider's moment of payment is used when it lies between a day before the sale (a zone taken wrongly) and a little after now
// (clocks differ).
const (
	paidBeforeCreation = 24 * time.Hour
	paidAheadOfUs      = 5 * time.Minute
)

// sensible is the reading's moment of payment in UTC, or nil when it names none or one that cannot be.
func (p Payment) sensible(e Event) *time.Time {
	at := e.Reading.PaidAt
	if at == nil || at.Before(p.CreatedAt.Add(-paidBeforeCreation)) || at.After(e.At.Add(paidAheadOfUs)) {
		return nil
	}
	utc := at.UTC()
	return &utc
}

// knowsExtra reports whether the reading's money is a further payment that was seen before.
func (p Payment) knowsExtra(r *Reading) bool {
	return slices.ContainsFunc(p.Extras, func(x Extra) bool { return sameMoney(x.ChargeID, x.EndToEndID, r.ChargeID, r.EndToEndID) })
}

// asExtra is the settling money in the form of a further payment.
func (p Payment) asExtra(outcome ExtraOutcome) Extra {
	x := Extra{ChargeID: p.ChargeID, EndToEndID: p.EndToEndID, Outcome: outcome}
	if p.PaidAmount != nil {
		x.Amount = *p.PaidAmount
	}
	if p.PaidAt != nil {
		x.At = *p.PaidAt
	}
	return x
}

// promoteExtra makes the first open further payment the one that settles the sale, since the first went back.
func (f Facts) promoteExtra() Facts {
	i := slices.IndexFunc(f.Extras, func(x Extra) bool { return x.Outcome == ExtraOpen })
	if i < 0 {
		return f
	}
	x := f.Extras[i]
	gone := Payment{Facts: f}.asExtra(ExtraReturned)
	f.Extras = settleExtras(f.Extras, ExtraKept, ExtraReturned)
	f.Extras[i] = gone
	f.ChargeID, f.EndToEndID, f.PaidAt, f.PaidAmount = x.ChargeID, x.EndToEndID, &x.At, &x.Amount
	return f
}
