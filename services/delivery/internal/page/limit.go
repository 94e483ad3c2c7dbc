package page

import (
	"net/netip"
	"sync"
	"time"
)

// limiter bounds wrong guesses per address (IPv6: per /64) by the generic cell rate algorithm: a burst, then one per interval.
// It keeps at most max addresses; when more guess at once, half of them is forgotten. It is safe for concurrent use.
type limiter struct {
	burst    int
	interval time.Duration
	max      int
	now      func() time.Time

	mu   sync.Mutex
	full map[netip.Prefix]time.Time // when the address's debt is paid
}

func newLimiter(burst int, interval time.Duration, now func() time.Time) *limiter {
	return &limiter{burst: burst, interval: interval, max: 1 << 16, now: now, full: map[netip.Prefix]time.Time{}}
}

// wait is how long an address must stay away; 0 means that it may ask.
func (l *limiter) wait(a netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	paid, known := l.full[group(a)]
	if !known {
		return 0
	}
	return max(0, paid.Sub(l.now())-time.Duration(l.burst-1)*l.interval)
}

// wrong notes a guess that named nothing.
func (l *limiter) wrong(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, key := l.now(), group(a)
	paid := l.full[key]
	if paid.Before(now) {
		paid = now
	}
	if _, known := l.full[key]; !known && len(l.full) >= l.max {
		l.forget(now)
	}
	l.full[key] = paid.Add(l.interval)
}

// forget drops who owes nothing and, if that is not enough, half of the rest.
func (l *limiter) forget(now time.Time) {
	for k, t := range l.full {
		if !t.After(now) {
			delete(l.full, k)
		}
	}
	if len(l.full) < l.max {
		return
	}
	drop := len(l.full) / 2
	for k := range l.full {
		if drop == 0 {
			return
		}
		delete(l.full, k)
		drop--
	}
}

// group is what one visitor can hardly have many of.
func group(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Addr gives the zero Prefix: all unknown visitors together
	return p
}
