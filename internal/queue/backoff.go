package queue

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// Defaults of a zero Backoff.
const (
	DefaultBackoffBase  = 100 * time.Millisecond
	DefaultBackoffLimit = 30 * time.Second
)

// Backoff is exponential with full jitter: attempt n waits a uniformly random time between zero and Base·2ⁿ⁻¹, never more
// than Limit. Full jitter spreads replicas that fail together better than any fixed share of it. The zero value is ready.
type Backoff struct {
	// Base is the longest first wait, Limit the longest of all. Zero means the defaults; a Limit under Base counts as Base.
	Base, Limit time.Duration
	// Jitter returns a number in [0, n), n > 0. Nil means a random one. Tests give their own.
	Jitter func(n int64) int64
}

// Delay returns the wait before attempt number attempt is made again, counting failed attempts from 1. Numbers below 1
// count as 1; however large the number, the result is within (0, Limit].
func (b Backoff) Delay(attempt int) time.Duration {
	jitter := b.Jitter
	if jitter == nil {
		jitter = rand.Int64N
	}
	return time.Duration(jitter(int64(b.Ceiling(attempt)))) + 1
}

// Ceiling returns the longest wait that Delay may return for the attempt.
func (b Backoff) Ceiling(attempt int) time.Duration {
	ceiling, limit := cmp.Or(b.Base, DefaultBackoffBase), cmp.Or(b.Limit, DefaultBackoffLimit)
	limit = max(limit, ceiling)
	for n := 1; n < attempt; n++ {
		if ceiling > limit/2 {
			return limit
		}
		ceiling *= 2
	}
	return ceiling
}
