package payment

import "time"

// schedule is one calculation.
type schedule struct {
	PollPolicy
	ScheduleInput
	polled bool
	last   time.Time // the last look, never after Now
	back   bool
	spread float64 // 0 to jitterShare, fixed for a sale
}

// urge lets hints, waiting buyers and wishes bring the next look forward, also where the routine has ended.
func (s schedule) urge(n *Next) {
	sooner := func(at time.Time, reason LookReason) {
		if n.Final || at.Before(n.At) {
			n.At, n.Final, n.Why = at, false, reason
		}
	}
	if s.WantAt != nil && (!s.polled || s.WantAt.After(s.last)) && !s.unanswered() {
		sooner(*s.WantAt, LookAgain)
	}
	unsettled := s.State == Pending || s.State.Closed()
	if unsettled && s.polled && s.waiting() && !s.unanswered() {
		sooner(s.last.Add(s.DenseEvery), LookBuyer)
	}
	if s.HintAt == nil || s.HintAt.After(s.Now.Add(hintAhead)) {
		return
	}
	hint := earlier(*s.HintAt, s.Now)
	if !s.polled || !hint.Before(s.last) {
		sooner(hint, LookHint)
	} else if unsettled && !s.HintsDoubted && s.LastPollOutcome.Answered() && s.last.Sub(hint) <= s.HintFor {
		sooner(s.last.Add(s.DenseEvery), LookHinted)
	}
}

// unanswered reports whether the last look got no answer: the distances of retry then rule over wishes and waiting buyers, or a provider that is down would
// be asked as often as its rule allows.
func (s schedule) unanswered() bool {
	return s.polled && s.LastPollOutcome != OutcomeNone && !s.LastPollOutcome.Answered()
}

// waiting reports whether the buyer is before the page.
func (s schedule) waiting() bool {
	return s.BuyerPresentUntil != nil && !s.BuyerPresentUntil.Before(s.Now) && !s.BuyerPresentUntil.After(s.Now.Add(presentAhead))
}

// routine is the schedule without hints, buyers and wishes.
func (s schedule) routine() Next {
	end := earlier(s.CreatedAt, s.Now).Add(s.Horizon)
	switch s.State {
	case Refunded, ChargedBack:
		return Next{Final: true, Why: LookSettled}
	case Paid, Disputed:
		if s.unanswered() && s.ErrorsInARow < s.FinalTries {
			return s.retry(end) // somebody said that the money went back, and we could not see
		}
	}
	switch s.State {
	case Paid:
		start := s.CreatedAt
		if s.PaidAt != nil {
			start = *s.PaidAt
		}
		return s.watch(start, s.WatchPaidFor, func(age time.Duration) time.Duration { return s.grown(age, s.RareGrowth, s.RareMin, s.RareMax) })
	case Disputed:
		start := s.CreatedAt
		if !s.StateSince.IsZero() {
			start = s.StateSince
		}
		return s.watch(start, s.WatchDisputedFor, func(time.Duration) time.Duration { return s.WatchDisputedEvery })
	}
	if !s.polled {
		return Next{At: earlier(s.CreatedAt, s.Now).Add(s.FirstLook), Why: LookFirst}
	}
	if s.unanswered() {
		return s.retry(end)
	}
	if !s.last.Before(end) {
		return Next{Final: true, Why: LookHorizon}
	}
	n, _ := s.settling()
	if !n.At.Before(end) {
		n.At, n.Why = end, LookLast
	}
	return n
}

// settling gives the look after an answer, for a sale that still may bring money, and the distance that the rule has in mind.
func (s schedule) settling() (Next, time.Duration) {
	age := s.last.Sub(s.CreatedAt)
	qrEnd := s.CreatedAt.Add(s.AssumedQRLife)
	if s.QRExpiresAt != nil {
		qrEnd = *s.QRExpiresAt
	}
	if s.last.Before(qrEnd) {
		every, reason := s.beforeEnd(age)
		at := s.last.Add(s.jittered(every))
		if len(s.LateLooks) > 0 {
			// The look that follows the QR code's end is the one that counts most.
			if first := qrEnd.Add(s.stretched(s.LateLooks[0])); first.Before(at) {
				at, reason = first, LookLate
			}
		}
		return Next{At: at, Why: reason}, every
	}
	for _, after := range s.LateLooks {
		if at := qrEnd.Add(s.stretched(after)); at.After(s.last) {
			return Next{At: at, Why: LookLate}, at.Sub(s.last)
		}
	}
	every := s.hushed(s.grown(s.last.Sub(qrEnd), s.RareGrowth, s.RareMin, s.RareMax))
	return Next{At: s.last.Add(s.jittered(every)), Why: LookRare}, every
}

// beforeEnd is the distance between looks at a sale of an age, before its QR code ends.
func (s schedule) beforeEnd(age time.Duration) (time.Duration, LookReason) {
	switch {
	case s.State != Pending:
		return s.hushed(s.grown(age, s.OpenGrowth, max(s.YoungEvery, s.FailureMax), s.OpenMax)), LookClosed
	case age < -s.YoungEvery:
		return s.YoungEvery, LookYoung // the clock went back after the sale was made: its age is not known
	case age < s.DenseFor:
		return s.DenseEvery, LookDense
	case age < s.YoungFor:
		return s.hushed(s.YoungEvery), LookYoung
	}
	return s.hushed(s.grown(age, s.OpenGrowth, s.YoungEvery, s.OpenMax)), LookOpen
}

// retry is the look after one that got no answer: at growing distances, sooner for what passes by itself than for what waits for a person.
func (s schedule) retry(end time.Time) Next {
	if !s.last.Before(end) && s.ErrorsInARow >= s.FinalTries {
		return Next{Final: true, Why: LookGivenUp}
	}
	_, routine := s.settling()
	low, high := s.FailureMin, max(s.FailureMax, routine/4)
	switch s.LastPollOutcome {
	case OutcomeRateLimited:
		low, high = max(low, time.Minute), max(high, time.Minute)
	case OutcomeContract:
		low, high = max(low, time.Minute), max(high, time.Hour)
	case OutcomeCredential:
		low, high = max(low, 5*time.Minute), max(high, time.Hour)
	case OutcomeInvalidRequest:
		low, high = max(low, 15*time.Minute), max(high, 6*time.Hour)
	}
	if s.LastPollOutcome == OutcomeRateLimited && s.RetryAfter > 0 {
		return Next{At: s.last.Add(s.stretched(max(s.RetryAfter, s.MinInterval))), Why: LookRetry}
	}
	wait := max(low, s.MinInterval)
	for i := 1; i < s.ErrorsInARow && wait < high; i++ {
		wait *= 2
	}
	wait = min(wait, max(high, low))
	return Next{At: s.last.Add(s.stretched(wait)), Why: LookRetry}
}

// watch is the schedule of a settled or disputed sale.
func (s schedule) watch(start time.Time, length time.Duration, every func(age time.Duration) time.Duration) Next {
	end := earlier(start, s.Now).Add(length)
	if length == 0 || s.polled && !s.last.Before(end) {
		return Next{Final: true, Why: LookSettled}
	}
	from := earlier(start, s.Now)
	if s.polled && s.last.After(from) {
		from = s.last
	}
	at := from.Add(s.jittered(every(from.Sub(start))))
	if at.After(end) {
		at = end
	}
	return Next{At: at, Why: LookWatch}
}

func (s schedule) grown(age time.Duration, growth float64, low, high time.Duration) time.Duration {
	return min(max(time.Duration(float64(age)*growth), low), max(low, high))
}

// hushed is a distance while the provider's webhooks are silent against its own habit.
func (s schedule) hushed(d time.Duration) time.Duration {
	if !s.WebhookSilence {
		return d
	}
	return max(time.Duration(float64(d)*silenceShare), s.DenseEvery)
}

// jittered shortens a distance by the sale's share, so that a bound on it stays true.
func (s schedule) jittered(d time.Duration) time.Duration {
	return max(d-time.Duration(float64(d)*s.spread), s.MinInterval)
}

// stretched lengthens a distance by the sale's share, so that nothing comes too early.
func (s schedule) stretched(d time.Duration) time.Duration {
	return d + time.Duration(float64(d)*s.spread)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
