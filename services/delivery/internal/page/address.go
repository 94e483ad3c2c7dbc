package page

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks whose machines may say for whom they ask. The zero value trusts nobody.
type Proxies struct{ nets []netip.Prefix }

// ParseProxies reads networks ("10.0.0.0/8", "2001:db8::/32") and single addresses.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, s := range list {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		n, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return Proxies{}, fmt.Errorf("trusted proxy %q: expected a network such as 10.0.0.0/8 or an address", s)
			}
			n = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		p.nets = append(p.nets, n.Masked())
	}
	return p, nil
}

func (p Proxies) trust(a netip.Addr) bool {
	for _, n := range p.nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// maxHops bounds how much of X-Forwarded-For is read, from the right.
const maxHops = 16

// Client is the address of the visitor. A peer that is no trusted proxy is the visitor, whatever headers it sends. From a trusted
// one, X-Forwarded-For is read from the right up to the first address that is not trusted, since everything left of it can be
// invented by the visitor; CF-Connecting-IP counts when there is no X-Forwarded-For. The zero Addr means not known.
func (p Proxies) Client(r *http.Request) netip.Addr {
	peer := peerOf(r)
	if !peer.IsValid() || !p.trust(peer) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	nearest := peer
	seen := false
	for i := len(hops) - 1; i >= 0 && i >= len(hops)-maxHops; i-- {
		text := strings.TrimSpace(hops[i])
		if text == "" {
			continue
		}
		a, ok := parseHop(text)
		if !ok {
			break // what stands left of nonsense is not to be trusted either
		}
		seen, nearest = true, a
		if !p.trust(a) {
			return a
		}
	}
	if !seen {
		if a, ok := parseHop(strings.TrimSpace(r.Header.Get("CF-Connecting-IP"))); ok {
			return a
		}
	}
	return nearest
}

func peerOf(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// parseHop reads an address with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
