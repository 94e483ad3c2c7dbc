package payment

import "time"

// Outcome is what the last look at a provider got: a status, or one of the taxonomy of provider errors.
type Outcome string

// The outcomes of a look.
const (
	OutcomeNone           Outcome = ""                // never looked
	OutcomeStatus         Outcome = "status"          // a status, StatusUnknown included
	OutcomeNotFound       Outcome = "not_found"       // the provider does not know the charge (yet)
	OutcomeTransient      Outcome = "transient"       // no answer that means anything: 5xx, HTML, timeout
	OutcomeRateLimited    Outcome = "rate_limited"    // too many calls
	OutcomeCredential     Outcome = "credential"      // the credentials were refused
	OutcomeContract       Outcome = "contract"        // the answer's shape was not understood
	OutcomeInvalidRequest Outcome = "invalid_request" // the provider refused our request
)

// Answered reports whether the look learned where the sale stands at the provider.
func (o Outcome) Answered() bool { return o == OutcomeStatus || o == OutcomeNotFound }

// ScheduleInput is all that the next look depends on. Pointers are nil for "never" and "not known".
type ScheduleInput struct {
	State       State
	StateSince  time.Time
	CreatedAt   time.Time
	QRExpiresAt *time.Time
	PaidAt      *time.Time
	// LastPollAt is when the last look was asked (not when it was answered: a hint that comes in between must count).
	LastPollAt      *time.Time
	LastPollOutcome Outcome
	// RetryAfter is the provider's wish counted from LastPollAt, or its rule where the call was made later than that; 0 for none. It is obeyed
	// exactly.
	RetryAfter time.Duration
	// ErrorsInARow counts the looks in a row that got no answer (see Outcome.Answered); an answer sets it to 0.
	ErrorsInARow int
	// BuyerPresentUntil is how long the buyer is believed to be waiting before the payment page. While the provider does not answer, that
	// makes no look earlier; a new hint does.
	BuyerPresentUntil *time.Time
	// HintAt is when something last said "look now": a webhook, a button.
	HintAt *time.Time
	// WantAt is when a decision wants one more look: the At of a PollAgain effect. It waits while the provider does not answer.
	WantAt *time.Time
	// WebhookSilence is true while a provider that normally notifies keeps silent; looks are then twice as frequent.
	WebhookSilence bool
	// HintsDoubted is true for an account whose webhooks were often false: a hint earns its one look and no dense looks after it.
	HintsDoubted bool
	Now          time.Time
	// Seed spreads sales of one moment: any number that is fixed for the sale, see Seed.
	Seed uint64
}

// Next is the next look.
type Next struct {
	// At is when the sale is due, in UTC; it may have passed. Zero when Final.
	At time.Time
	// Final means that no look is due any more. Any later hint makes one due.
	Final bool
	// Why says which rule decided.
	Why LookReason
	// ClockBack means that LastPollAt (CreatedAt for a sale that was never looked at) lies after Now: the clock went back, and what was
	// stored as due would wait until it has caught up. Store At, and Now in the place of LastPollAt. Who asks for such rows now and then
	// is safe from jumps of the clock.
	ClockBack bool
}

// LookReason says which rule of the schedule decided.
type LookReason string

// The rules of the schedule.
const (
	LookFirst   LookReason = "first"         // never looked at
	LookDense   LookReason = "dense"         // in the first minutes
	LookYoung   LookReason = "young"         // at the provider's cadence
	LookOpen    LookReason = "open"          // until the QR code's end
	LookClosed  LookReason = "closed"        // ended before its QR code did
	LookLate    LookReason = "late"          // for late money
	LookRare    LookReason = "rare"          // to the horizon
	LookLast    LookReason = "last"          // the last look, at the horizon
	LookWatch   LookReason = "watch"         // at a settled or disputed sale
	LookHint    LookReason = "hint"          // somebody said "look now"
	LookHinted  LookReason = "hinted"        // shortly after a hint
	LookBuyer   LookReason = "buyer_present" // the buyer is waiting
	LookAgain   LookReason = "again"         // a decision wants one more look
	LookRetry   LookReason = "retry"         // the last look got no answer
	LookSettled LookReason = "settled"       // nothing left to learn
	LookHorizon LookReason = "horizon"       // the horizon has passed
	LookGivenUp LookReason = "given_up"      // beyond the horizon, and no answer
)

const (
	jitterShare  = 0.1 // looks of one sale are up to this share of their distance off
	silenceShare = 0.5 // of the usual distance, while webhooks are silent

	// What lies further ahead of Now than this was written before the clock went back. It would otherwise count again and again until
	// the clock has caught up.
	hintAhead    = time.Minute
	presentAhead = 30 * time.Minute
)

// Seed makes a schedule's seed of a sale's id.
func Seed(id ID) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range id {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// Schedule says when a sale's provider is asked next. It is a pure function. Two looks are never closer than policy.MinInterval nor than
// RetryAfter; without hints, buyers and wishes every sale reaches its end. The policy must be valid.
func Schedule(policy PollPolicy, in ScheduleInput) Next {
	s := schedule{PollPolicy: policy, ScheduleInput: in, spread: float64(in.Seed%1024) / 1024 * jitterShare}
	if in.LastPollAt != nil {
		s.polled, s.last = true, *in.LastPollAt
		if s.last.After(in.Now) {
			s.last, s.back = in.Now, true
		}
	}
	if !s.polled && in.CreatedAt.After(in.Now) {
		s.back = true
	}
	n := s.routine()
	s.urge(&n)
	if !n.Final && s.polled {
		n.At = later(n.At, s.last.Add(max(s.MinInterval, s.RetryAfter)))
	}
	if n.Final {
		n.At = time.Time{}
	}
	n.At, n.ClockBack = n.At.UTC(), s.back
	return n
}
