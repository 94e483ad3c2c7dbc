package rest

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddrs tells who is behind a request.
type clientAddrs struct{ trusted []netip.Prefix }

// of is the address of the client: the peer, unless the peer is a trusted proxy; then the last address in X-Forwarded-For that
// no trusted proxy has. What stands further left, the client itself may have written. Invalid when the peer has none.
func (c clientAddrs) of(r *http.Request) netip.Addr {
	peer := parseAddr(r.RemoteAddr)
	if !c.trusts(peer) {
		return peer
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	client := peer
	for i := len(forwarded) - 1; i >= 0; i-- {
		hop := parseAddr(strings.TrimSpace(forwarded[i]))
		if !hop.IsValid() {
			return client // what is before it was added by nobody we know
		}
		if client = hop; !c.trusts(hop) {
			return client
		}
	}
	return client
}

func (c clientAddrs) trusts(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	for _, p := range c.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseAddr reads an address with or without a port.
func parseAddr(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
