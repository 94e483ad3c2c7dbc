package payment

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// PollPolicy is how often a provider is asked about one sale over the sale's life. All durations are positive unless a field says
// otherwise; Validate says which field is not.
type PollPolicy struct {
	// MinInterval is the provider's rule: two looks at one sale are never closer.
	MinInterval time.Duration
	// FirstLook is how long after its creation a sale is looked at first. A sale that is older than that is due at once.
	FirstLook time.Duration
	// For DenseFor after its creation a sale is looked at every DenseEvery.
	DenseFor, DenseEvery time.Duration
	// Until it is YoungFor old, no two looks at a pending sale are further apart than YoungEvery, as long as the provider answers.
	YoungFor, YoungEvery time.Duration
	// Then, until the QR code ends, looks are OpenGrowth of the sale's age apart, between YoungEvery and OpenMax. 0.2 means a fifth.
	OpenGrowth float64
	OpenMax    time.Duration
	// AssumedQRLife is the life of a QR code whose provider names no end.
	AssumedQRLife time.Duration
	// LateLooks are the looks for late money, as ascending distances from the QR code's end.
	LateLooks []time.Duration
	// Then looks are RareGrowth of the time since the QR code's end apart, between RareMin and RareMax, until the sale is Horizon old;
	// the last one is exactly then.
	RareGrowth       float64
	RareMin, RareMax time.Duration
	Horizon          time.Duration
	// WatchPaidFor keeps looking at a paid sale, rarely, to learn of refunds that no webhook announced. 0 is off, as in the origin
	// system: a webhook about a paid sale still gets its look.
	WatchPaidFor time.Duration
	// WatchDisputedFor keeps looking at a disputed sale every WatchDisputedEvery. 0 is off.
	WatchDisputedFor, WatchDisputedEvery time.Duration
	// HintFor is how long after a hint the looks stay dense, for some providers send the webhook before their status API knows.
	HintFor time.Duration
	// FailureMin and FailureMax bound the growing distance between looks that got no answer; the upper bound grows with the routine
	// distance of an old sale.
	FailureMin, FailureMax time.Duration
	// FinalTries ends a sale beyond its horizon whose last look got no answer so many times in a row.
	FinalTries int
}

// DefaultPolicy is the policy of a provider where nobody configured another; a name that it does not know gets a cautious one. The
// origin system's cadences (Atomopay 60 s, PushinPay 60 s, Paradise 300 s) are the slowest bound for young sales. PushinPay's minimum is
// its documented rule of one query a minute.
func DefaultPolicy(provider string) PollPolicy {
	p := PollPolicy{
		MinInterval: 10 * time.Second, FirstLook: 10 * time.Second,
		DenseFor: 3 * time.Minute, DenseEvery: 15 * time.Second,
		YoungFor: time.Hour, YoungEvery: time.Minute,
		OpenGrowth: 0.2, OpenMax: time.Hour,
		AssumedQRLife: day,
		LateLooks:     []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 45 * time.Minute},
		RareGrowth:    0.5, RareMin: time.Hour, RareMax: 3 * day,
		Horizon:          30 * day,
		WatchDisputedFor: 30 * day, WatchDisputedEvery: 12 * time.Hour,
		HintFor:    2 * time.Minute,
		FailureMin: 15 * time.Second, FailureMax: 5 * time.Minute,
		FinalTries: 8,
	}
	switch provider {
	case "atomopay":
		p.MinInterval, p.FirstLook, p.DenseEvery = 5*time.Second, 5*time.Second, 10*time.Second
	case "paradise":
		p.DenseEvery, p.YoungEvery = 20*time.Second, 5*time.Minute
	case "umbrellapag":
		p.DenseEvery, p.YoungEvery = 30*time.Second, 5*time.Minute
	}
	if rule := ProviderRule(provider); rule > p.MinInterval {
		p.MinInterval, p.FirstLook = rule, 30*time.Second
		p.DenseEvery, p.YoungEvery = max(p.DenseEvery, rule), max(p.YoungEvery, rule)
		p.FailureMin, p.FailureMax = max(p.FailureMin, rule), max(p.FailureMax, 2*rule)
	}
	return p
}

// ProviderRule is the shortest distance between two looks at one sale that a provider tolerates, from its documentation or its
// customers' experience; 0 where nothing is known.
func ProviderRule(provider string) time.Duration {
	switch provider {
	case "pushinpay", "pushynpay":
		return time.Minute // documented: at most one query a minute, else the account may be blocked
	case "sigilopay":
		return 5 * time.Minute // its customers keep five minutes
	}
	return 0
}

// ValidateFor is Validate and refuses a MinInterval below the provider's own rule.
func (p PollPolicy) ValidateFor(provider string) error {
	err := p.Validate()
	if rule := ProviderRule(provider); p.MinInterval < rule {
		err = errors.Join(err, &FieldError{Field: "min_interval", Problem: fmt.Sprintf("%v breaks the rule of %s: not under %v", p.MinInterval, provider, rule)})
	}
	return err
}

// Validate reports every field that makes no sense, as joined *FieldError values; nil when the policy can be used.
func (p PollPolicy) Validate() error {
	var errs []error
	refuse := func(bad bool, field, format string, args ...any) {
		if bad {
			errs = append(errs, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
		}
	}
	between := func(field string, d, low, high time.Duration) {
		refuse(d < low || d > high, field, "%v is outside %v to %v", d, low, high)
	}
	between("min_interval", p.MinInterval, time.Second, day)
	between("first_look", p.FirstLook, 0, time.Hour)
	between("dense_for", p.DenseFor, 0, day)
	between("dense_every", p.DenseEvery, max(p.MinInterval, time.Second), day)
	between("young_for", p.YoungFor, p.DenseFor, 30*day)
	between("young_every", p.YoungEvery, max(p.DenseEvery, time.Second), day)
	between("open_max", p.OpenMax, p.YoungEvery, 30*day)
	between("assumed_qr_life", p.AssumedQRLife, time.Minute, 366*day)
	between("rare_min", p.RareMin, p.MinInterval, 30*day)
	between("rare_max", p.RareMax, p.RareMin, 90*day)
	between("horizon", p.Horizon, time.Hour, 366*day)
	between("watch_paid_for", p.WatchPaidFor, 0, 366*day)
	between("watch_disputed_for", p.WatchDisputedFor, 0, 366*day)
	if p.WatchDisputedFor > 0 {
		between("watch_disputed_every", p.WatchDisputedEvery, p.MinInterval, 30*day)
	}
	between("hint_for", p.HintFor, 0, time.Hour)
	between("failure_min", p.FailureMin, time.Second, day)
	between("failure_max", p.FailureMax, p.FailureMin, day)
	// Negated, so that NaN is refused as well.
	refuse(!(p.OpenGrowth > 0 && p.OpenGrowth <= 10), "open_growth", "%v is outside 0 (exclusive) to 10", p.OpenGrowth)
	refuse(!(p.RareGrowth >= 0.05 && p.RareGrowth <= 10), "rare_growth", "%v is outside 0.05 to 10", p.RareGrowth)
	refuse(p.FinalTries < 1 || p.FinalTries > 100, "final_tries", "%d is outside 1 to 100", p.FinalTries)
	refuse(len(p.LateLooks) > 50, "late_looks", "%d are more than 50", len(p.LateLooks))
	refuse(!slices.IsSorted(p.LateLooks), "late_looks", "%v is not ascending", p.LateLooks)
	if len(p.LateLooks) > 0 {
		refuse(p.LateLooks[0] <= 0, "late_looks", "%v is not after the QR code's end", p.LateLooks[0])
	}
	return errors.Join(errs...)
}
