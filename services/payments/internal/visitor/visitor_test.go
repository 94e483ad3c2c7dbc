package visitor

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestProxies_believesThemOnly(t *testing.T) {
	c := Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}}
	for name, v := range map[string]struct {
		peer       string
		forwarded  []string
		cloudflare string
		want       string
	}{
		"nobody between":            {"203.0.113.1:5000", nil, "", "203.0.113.1"},
		"a claim of a stranger":     {"203.0.113.1:5000", []string{"198.51.100.1"}, "", "203.0.113.1"},
		"behind a proxy":            {"10.0.0.1:5000", []string{"198.51.100.1"}, "", "198.51.100.1"},
		"behind two":                {"10.0.0.1:5000", []string{"198.51.100.1, 10.0.0.2"}, "", "198.51.100.1"},
		"what the client wrote":     {"10.0.0.1:5000", []string{"1.1.1.1, 198.51.100.1", "10.0.0.2"}, "", "198.51.100.1"},
		"garbage":                   {"10.0.0.1:5000", []string{"198.51.100.1, unknown"}, "", "10.0.0.1"},
		"garbage before a proxy":    {"10.0.0.1:5000", []string{"unknown, 10.0.0.2"}, "", "10.0.0.2"},
		"a proxy that says nothing": {"10.0.0.1:5000", nil, "", "10.0.0.1"},
		"IPv6":                      {"[2001:db8::1]:5000", []string{"[2600::1]:443"}, "", "2600::1"},
		"IPv4 in IPv6":              {"[::ffff:10.0.0.1]:5000", []string{"::ffff:198.51.100.1"}, "", "198.51.100.1"},
		"Cloudflare, listed":        {"10.0.0.1:5000", nil, "198.51.100.9", "198.51.100.9"},
		"Cloudflare, not listed":    {"203.0.113.1:5000", nil, "198.51.100.9", "203.0.113.1"},
		"Cloudflare and a chain":    {"10.0.0.1:5000", []string{"198.51.100.1"}, "198.51.100.9", "198.51.100.1"},
		"Cloudflare, nonsense":      {"10.0.0.1:5000", nil, "x", "10.0.0.1"},
		"no address at all":         {"@", nil, "", "invalid IP"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = v.peer
		r.Header["X-Forwarded-For"] = v.forwarded
		if v.cloudflare != "" {
			r.Header.Set("CF-Connecting-IP", v.cloudflare)
		}
		if got := c.Client(r).String(); got != v.want {
			t.Errorf("%s: got %s, want %s", name, got, v.want)
		}
	}
}

func TestIsMachine(t *testing.T) {
	people := []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/470]",
		"Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 Chrome/124.0 Mobile Safari/537.36 Telegram-Android/10.14",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
	}
	for _, agent := range people {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("User-Agent", agent)
		if IsMachine(r) {
			t.Errorf("a person: %s", agent)
		}
		r.Header.Set("Sec-Purpose", "prefetch;prerender")
		if !IsMachine(r) {
			t.Errorf("a browser that fetches ahead: %s", agent)
		}
		r = httptest.NewRequest("HEAD", "/", nil)
		r.Header.Set("User-Agent", agent)
		if !IsMachine(r) {
			t.Errorf("HEAD is nobody: %s", agent)
		}
	}
	for _, agent := range []string{"", "  ", "TelegramBot (like TwitterBot)", "WhatsApp/2.23.20.0", "facebookexternalhit/1.1", "curl/8.5.0",
		"Mozilla/5.0 (compatible; SomeBot/1.0; +https://example.com/bot)"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("User-Agent", agent)
		if !IsMachine(r) {
			t.Errorf("a program: %q", agent)
		}
	}
}

func TestEnglish(t *testing.T) {
	for accept, want := range map[string]bool{"": false, "pt-BR,pt;q=0.9,en;q=0.8": false, "en-US,en;q=0.9": true, "en;q=0.3,pt;q=0.4": false,
		"de,en;q=0.5": true, "fr": false, "en;q=x": false, "en;q=2": false, "*": false, "en;q=NaN": false} {
		if English(accept) != want {
			t.Errorf("%q: English %t", accept, !want)
		}
	}
}

func TestLimiter_burstThenOneEachInterval(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := NewLimiter(3, time.Second, func() time.Time { return now })
	a, neighbour, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("198.51.100.1")
	for i := range 3 {
		if !l.Take(a) {
			t.Fatalf("refused at %d", i)
		}
	}
	if l.Take(neighbour) || l.Wait(a) <= 0 {
		t.Error("the same /64 goes on")
	}
	if !l.Take(other) {
		t.Error("another address is refused")
	}
	now = now.Add(l.Wait(a))
	if !l.Take(a) || l.Take(a) {
		t.Error("one each interval is what is promised")
	}
	for i := range 2 * maxAddresses {
		l.Count(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if n := len(l.free); n > maxAddresses {
		t.Errorf("%d addresses are kept", n)
	}
}

func FuzzClip(f *testing.F) {
	f.Add("ação\x00", 3)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 0 || n > 1<<16 {
			return
		}
		got := Clip(s, n)
		if len(got) > n || !utf8.ValidString(got) || strings.ContainsRune(got, 0) {
			t.Errorf("Clip(%q, %d) = %q", s, n, got)
		}
	})
}

func TestNonce_isNew(t *testing.T) {
	if a, b := Nonce(), Nonce(); a == b || len(a) != 24 {
		t.Errorf("%q, %q", a, b)
	}
}
