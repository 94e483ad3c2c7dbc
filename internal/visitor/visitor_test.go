package visitor

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func proxies(t *testing.T, list ...string) Proxies {
	t.Helper()
	p, err := ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseProxies(t *testing.T) {
	got := proxies(t, "10.0.0.0/8", " 192.0.2.7 ", "", "2001:db8::1", "::ffff:192.0.2.8").nets
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::1/128"),
		netip.MustParsePrefix("192.0.2.8/32")}
	if !slices.Equal(got, want) {
		t.Errorf("networks are %v, want %v", got, want)
	}
	for _, text := range []string{"10.0.0.0/33", "proxy"} {
		if _, err := ParseProxies([]string{"10.0.0.0/8", text}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v; want it named", text, err)
		}
	}
}

func TestProxies_believesThemOnly(t *testing.T) {
	c := proxies(t, "10.0.0.0/8", "2001:db8::/32")
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
		"two headers":               {"10.0.0.1:5000", []string{"1.1.1.1", "198.51.100.1"}, "", "198.51.100.1"},
		"with a port":               {"10.0.0.1:5000", []string{"198.51.100.1:5555"}, "", "198.51.100.1"},
		"only proxies":              {"10.0.0.1:5000", []string{"10.2.2.2"}, "", "10.2.2.2"},
		"a hop without a name":      {"10.0.0.1:5000", []string{"198.51.100.1, "}, "", "10.0.0.1"},
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
	for agent, want := range map[string]bool{
		"":                              true,
		"  ":                            true,
		"TelegramBot (like TwitterBot)": true,
		"WhatsApp/2.23.20.0 A":          true,
		"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)":                                               true,
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                                                true,
		"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) AppleWebKit/537.36 Chrome/1 Mobile Safari/537.36 (compatible; GoogleOther)": true,
		"Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)":                                                       true,
		"Mozilla/5.0 (compatible; SomeBot/1.0; +https://example.com/bot)":                                                         true,
		"Twitterbot/1.0":     true,
		"curl/8.5.0":         true,
		"Go-http-client/2.0": true,
		"SomeNewCrawler/0.1": true,
		"Mozilla/5.0 (Linux; Android 14; SM-A155M) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36":                   false,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1":  false,
		"Mozilla/5.0 (Linux; Android 13; Pixel) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36 Telegram-Android/11.3.3 (Xiaomi; SDK 33; HIGH)": false,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/440.0;FBBV/1]":                 false,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Instagram 300.0.0.0":                            false,
		"Mozilla/5.0 (Linux; Android 9; CUBOT X20 PRO) AppleWebKit/537.36 Chrome/90 Mobile Safari/537.36":                                          false,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/128.0.0.0 Safari/537.36":                            false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("User-Agent", agent)
		if got := IsMachine(r); got != want {
			t.Errorf("IsMachine(%q) = %v, want %v", agent, got, want)
		}
		if r.Method = http.MethodHead; !IsMachine(r) {
			t.Errorf("%q: HEAD is nobody", agent)
		}
	}
}

func TestIsPrefetch(t *testing.T) {
	for name, value := range map[string]string{"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch", "X-Purpose": "preview", "X-Moz": "prefetch"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if r.Header.Set("Sec-Fetch-Dest", "document"); IsPrefetch(r) {
			t.Error("a navigation is taken for a prefetch")
		}
		if r.Header.Set(name, value); !IsPrefetch(r) {
			t.Errorf("%s: %s is not taken for a prefetch", name, value)
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
	if !l.Take(other) || !l.Take(netip.MustParseAddr("2001:db8:0:1::1")) {
		t.Error("another address is refused")
	}
	if wait := l.Wait(a); wait != time.Second {
		t.Errorf("after the burst: wait %v, want 1s", wait)
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

func TestNonce_isNew(t *testing.T) {
	if a, b := Nonce(), Nonce(); a == b || len(a) != 24 {
		t.Errorf("%q, %q", a, b)
	}
}
