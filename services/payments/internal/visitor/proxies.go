package visitor

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks whose machines may say for whom they ask. The zero value trusts nobody.
type Proxies struct{ Trusted []netip.Prefix }

// Client is the address of whom a request is for: the peer, unless the peer is a trusted proxy; then the last address in
// X-Forwarded-For that no trusted proxy has. What stands further left, the client itself may have written. CF-Connecting-IP counts
// when a trusted proxy sends no X-Forwarded-For. Invalid when the peer has none.
func (p Proxies) Client(r *http.Request) netip.Addr {
	peer := parseAddr(r.RemoteAddr)
	if !p.trusts(peer) {
		return peer
	}
	header := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	if strings.Trim(header, ", ") == "" {
		if a := parseAddr(strings.TrimSpace(r.Header.Get("CF-Connecting-IP"))); a.IsValid() {
			return a
		}
		return peer
	}
	forwarded := strings.Split(header, ",")
	client := peer
	for i := len(forwarded) - 1; i >= 0; i-- {
		hop := parseAddr(strings.TrimSpace(forwarded[i]))
		if !hop.IsValid() {
			return client // what is before it was added by nobody we know
		}
		if client = hop; !p.trusts(hop) {
			return client
		}
	}
	return client
}

func (p Proxies) trusts(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	for _, n := range p.Trusted {
		if n.Contains(a) {
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
