package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	maxURL      = 2000
	resolveTime = 3 * time.Second
)

// Why an address is refused. Their texts are what the caller is told.
var (
	ErrURL      = errors.New("an absolute https address of at most 2000 bytes, without user and fragment")
	ErrPrivate  = errors.New("an address that the whole internet reaches; this host is, or resolves to, a private, local or reserved one")
	ErrLoopback = errors.New("https; plain http to this machine itself is for operators only")
)

// reserved are the networks of IANA's special-purpose registries that are not the public internet, and those through which an IPv4
// address could be smuggled into an IPv6 one (mapped ones are unwrapped before; NAT64, 6to4, Teredo).
// https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry
var reserved = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")

// global is all that is public of IPv6 today; everything else, ::/8 with the mapped and NAT64 networks included, is refused.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// public reports whether an address is one that a stranger's webhook may go to.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if a.Is6() && !global.Contains(a) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// admit is the check of every connection, made of the very address that is about to be dialled: whatever a name resolved to before,
// and however often that changes, nothing else is ever connected to.
func admit(ok func(netip.Addr) bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !strings.HasPrefix(network, "tcp") || !ok(to.Addr()) {
			return ErrPrivate
		}
		return nil
	}
}

func loopbackOnly(a netip.Addr) bool { return a.Unmap().IsLoopback() }

// target is a checked address.
type target struct {
	url      string
	loopback bool
}

// check says whether messages may be sent to an address: https, or, for operators, http on this machine. A name is resolved once
// more with every connection; here it is so that the mistake is told to whoever makes it. A name that does not resolve now passes.
func check(ctx context.Context, resolver *net.Resolver, text string, operator bool) (target, error) {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" ||
		strings.ContainsAny(text, " \t\r\n\x00") {
		return target{}, ErrURL
	}
	if u.Scheme == "http" && operator {
		if a, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "localhost" || err == nil && loopbackOnly(a) {
			return target{text, true}, nil
		}
	}
	if u.Scheme == "http" {
		return target{}, ErrLoopback
	}
	if u.Scheme != "https" {
		return target{}, ErrURL
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		if !public(a) {
			return target{}, ErrPrivate
		}
		return target{text, false}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found, err := resolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil && ctx.Err() == nil && strings.HasSuffix(strings.TrimSuffix(u.Hostname(), "."), "localhost") {
		return target{}, ErrPrivate
	}
	for _, a := range found {
		if !public(a) {
			return target{}, ErrPrivate
		}
	}
	return target{text, false}, nil
}

// CheckURL is check for the server: it returns whether the address is on this machine, or the expectation that it misses.
func (s *Sender) CheckURL(ctx context.Context, text string, operator bool) (loopback bool, err error) {
	t, err := check(ctx, s.cfg.Resolver, text, operator)
	if err != nil {
		return false, fmt.Errorf("endpoint address: %w", err)
	}
	return t.loopback, nil
}
