package door

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// ClientAddrKey is the metadata key under which this process's own HTTP side names the address that it serves. It is believed
// only over the in-memory connection, which nobody else can open.
const ClientAddrKey = "baixa-client-addr"

const maxAddresses = 1 << 16

// clientAddr is whom a call is made for: the address that our HTTP side names, else the peer's. The zero Addr stands for all
// who have none.
func clientAddr(ctx context.Context) netip.Addr {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return netip.Addr{}
	}
	if inProcess(p) {
		if named := metadata.ValueFromIncomingContext(ctx, ClientAddrKey); len(named) == 1 {
			a, _ := netip.ParseAddr(named[0])
			return a.Unmap().WithZone("")
		}
		return netip.Addr{}
	}
	a, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}

func inProcess(p *peer.Peer) bool {
	network := p.Addr.Network()
	return network == "memory" || network == "bufconn"
}

// limiter bounds wrong keys per address (IPv6: per /64): a burst, then one each interval. It keeps a bounded number of
// addresses; when more guess at once some are forgotten. It is safe for concurrent use.
type limiter struct {
	burst int
	every time.Duration
	now   func() time.Time

	mu    sync.Mutex
	until map[netip.Prefix]time.Time // when the address owes nothing any more
}

func newLimiter(burst int, every time.Duration, now func() time.Time) *limiter {
	return &limiter{burst: burst, every: every, now: now, until: map[netip.Prefix]time.Time{}}
}

// wait is how long the address must stay away; 0 means that it may try.
func (l *limiter) wait(a netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	until, known := l.until[visitor(a)]
	if !known { // the zero time is too far away to count from
		return 0
	}
	return max(0, until.Sub(l.now())-time.Duration(l.burst-1)*l.every)
}

// wrong notes a wrong key.
func (l *limiter) wrong(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, who := l.now(), visitor(a)
	until := l.until[who]
	if until.Before(now) {
		until = now
	}
	if len(l.until) >= maxAddresses {
		l.drop(now)
	}
	l.until[who] = until.Add(l.every)
}

// drop makes room: who owes nothing goes first, then anyone.
func (l *limiter) drop(now time.Time) {
	for who, t := range l.until {
		if !t.After(now) {
			delete(l.until, who)
		}
	}
	for who := range l.until {
		if len(l.until) < maxAddresses/2 {
			return
		}
		delete(l.until, who)
	}
}

// visitor is what one caller can hardly have many of.
func visitor(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Addr gives the zero Prefix
	return p
}
