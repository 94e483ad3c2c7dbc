package visitor

import (
	"net/netip"
	"sync"
	"time"
)

const maxAddresses = 1 << 16

// Limiter bounds something per address (IPv6: per /64) by the generic cell rate algorithm: a burst, then one each interval. It keeps
// a bounded number of addresses; when more come at once, some are forgotten. It is safe for concurrent use.
type Limiter struct {
	burst int
	every time.Duration
	now   func() time.Time

	mu   sync.Mutex
	free map[netip.Prefix]time.Time // when the address owes nothing any more
}

// NewLimiter allows burst at once and one more each interval.
func NewLimiter(burst int, every time.Duration, now func() time.Time) *Limiter {
	return &Limiter{burst: burst, every: every, now: now, free: map[netip.Prefix]time.Time{}}
}

// Wait is how long the address must stay away; 0 means that it may.
func (l *Limiter) Wait(a netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait(group(a), l.now())
}

func (l *Limiter) wait(who netip.Prefix, now time.Time) time.Duration {
	free, known := l.free[who]
	if !known { // the zero time is too far away to count from
		return 0
	}
	return max(0, free.Sub(now)-time.Duration(l.burst-1)*l.every)
}

// Count notes one more of the address.
func (l *Limiter) Count(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(group(a), l.now())
}

// Take is Wait and, when the address may, Count.
func (l *Limiter) Take(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, who := l.now(), group(a)
	if l.wait(who, now) > 0 {
		return false
	}
	l.count(who, now)
	return true
}

func (l *Limiter) count(who netip.Prefix, now time.Time) {
	free := l.free[who]
	if free.Before(now) {
		free = now
	}
	if _, known := l.free[who]; !known && len(l.free) >= maxAddresses {
		l.drop(now)
	}
	l.free[who] = free.Add(l.every)
}

// drop makes room: who owes nothing goes first, then anyone.
func (l *Limiter) drop(now time.Time) {
	for who, t := range l.free {
		if !t.After(now) {
			delete(l.free, who)
		}
	}
	for who := range l.free {
		if len(l.free) < maxAddresses/2 {
			return
		}
		delete(l.free, who)
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
