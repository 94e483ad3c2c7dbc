package visitor

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks whose machines may say for whom they ask. The zero value trusts nobody.
type Proxies struct{ nets []netip.Prefix }

// ParseProxies reads networks ("10.0.0.0/8", "2001:db8::/32") and single addresses; empty texts are passed over. The error names
// the first that is neither.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, text := range list {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		n, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return Proxies{}, fmt.Errorf("trusted proxy %q: expected a network such as 10.0.0.0/8 or an address", text)
			}
			n = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		p.nets = append(p.nets, n)
	}
	return p, nil
}

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
	for _, n := range p.nets {
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
