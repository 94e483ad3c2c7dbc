package sim

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// ring keeps the last max things added.
type ring[T any] struct {
	mu   sync.Mutex
	max  int
	buf  []T
	next int // where the oldest stands once the ring is full
}

func (r *ring[T]) add(v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.buf) < r.max {
		r.buf = append(r.buf, v)
		return
	}
	r.buf[r.next] = v
	r.next = (r.next + 1) % r.max
}

// all returns a copy, oldest first.
func (r *ring[T]) all() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]T, 0, len(r.buf))
	out = append(out, r.buf[r.next:]...)
	return append(out, r.buf[:r.next]...)
}

func (r *ring[T]) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buf, r.next = nil, 0
}

// loopbackOnly refuses to connect anywhere but to this machine. It sees the
// address after name resolution, so that no name can lead elsewhere.
func loopbackOnly(_ context.Context, _, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return err
	}
	if !ip.Unmap().IsLoopback() {
		return errRemote
	}
	return nil
}
