package page

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

func TestProxies_Client(t *testing.T) {
	p, err := ParseProxies([]string{"10.0.0.0/8", "2001:db8:ffff::/48", " 192.0.2.1 ", ""})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer string
		xff  []string
		cf   string
		want string
	}{
		"direct":                                {"203.0.113.5:99", nil, "", "203.0.113.5"},
		"stranger's headers":                    {"203.0.113.5:99", []string{"198.51.100.1"}, "198.51.100.2", "203.0.113.5"},
		"one proxy":                             {"10.1.1.1:99", []string{"198.51.100.1"}, "", "198.51.100.1"},
		"invented part on the left":             {"10.1.1.1:99", []string{"1.1.1.1, 198.51.100.1"}, "", "198.51.100.1"},
		"two proxies":                           {"10.1.1.1:99", []string{"198.51.100.1, 192.0.2.1"}, "", "198.51.100.1"},
		"several headers":                       {"10.1.1.1:99", []string{"1.1.1.1", "198.51.100.1"}, "", "198.51.100.1"},
		"with ports":                            {"10.1.1.1:99", []string{"198.51.100.1:5555"}, "", "198.51.100.1"},
		"IPv6":                                  {"[2001:db8:ffff::2]:99", []string{"2001:db8::7"}, "", "2001:db8::7"},
		"IPv6 in brackets":                      {"10.1.1.1:99", []string{"[2001:db8::7]:443"}, "", "2001:db8::7"},
		"IPv4 in IPv6":                          {"[::ffff:10.1.1.1]:99", []string{"::ffff:198.51.100.1"}, "", "198.51.100.1"},
		"Cloudflare":                            {"10.1.1.1:99", nil, "198.51.100.9", "198.51.100.9"},
		"Cloudflare's header sent by a visitor": {"10.1.1.1:99", []string{"198.51.100.1"}, "1.1.1.1", "198.51.100.1"},
		"nonsense":                              {"10.1.1.1:99", []string{"1.1.1.1, unknown"}, "", "10.1.1.1"},
		"only proxies":                          {"10.1.1.1:99", []string{"10.2.2.2"}, "", "10.2.2.2"},
		"no address":                            {"pipe", []string{"198.51.100.1"}, "", "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		for _, v := range c.xff {
			r.Header.Add("X-Forwarded-For", v)
		}
		if c.cf != "" {
			r.Header.Set("CF-Connecting-IP", c.cf)
		}
		if got := p.Client(r).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if _, err := ParseProxies([]string{"10.0.0.0/33"}); err == nil {
		t.Error("a network of 33 bits is accepted")
	}
}

func TestIsMachine(t *testing.T) {
	for agent, want := range map[string]bool{
		"":                              true,
		"TelegramBot (like TwitterBot)": true,
		"WhatsApp/2.23.20.0 A":          true,
		"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)":                                               true,
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                                                true,
		"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) AppleWebKit/537.36 Chrome/1 Mobile Safari/537.36 (compatible; GoogleOther)": true,
		"Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)":                                                       true,
		"Twitterbot/1.0":     true,
		"curl/8.5.0":         true,
		"Go-http-client/2.0": true,
		"SomeNewCrawler/0.1 (+https://crawler.example)": true,
		"Mozilla/5.0 (Linux; Android 14; SM-A155M) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36":                   false,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1":  false,
		"Mozilla/5.0 (Linux; Android 13; Pixel) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36 Telegram-Android/11.3.3 (Xiaomi; SDK 33; HIGH)": false,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/440.0;FBBV/1]":                 false,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Instagram 300.0.0.0":                            false,
		"Mozilla/5.0 (Linux; Android 9; CUBOT X20 PRO) AppleWebKit/537.36 Chrome/90 Mobile Safari/537.36":                                          false,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/128.0.0.0 Safari/537.36":                            false,
	} {
		if got := isMachine(agent); got != want {
			t.Errorf("isMachine(%q) = %v, want %v", agent, got, want)
		}
	}
}

func TestPick(t *testing.T) {
	for in, want := range map[string]language{
		"": portuguese, "pt-BR,pt;q=0.9,en;q=0.8": portuguese, "en-US,en;q=0.9": english, "en-GB;q=0.5, pt;q=0.6": portuguese,
		"en;q=0.9,pt-PT;q=0.1": english, "fr,de": portuguese, "en,pt": portuguese, "en;q=2": portuguese, "en;q=0": portuguese, "*": portuguese,
	} {
		if got := pick(in); got != want {
			t.Errorf("pick(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestLimiter(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	l := newLimiter(3, 2*time.Second, func() time.Time { return now })
	a, b := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	for i := range 3 {
		if w := l.wait(a); w != 0 {
			t.Fatalf("guess %d must wait %v", i+1, w)
		}
		l.wrong(a)
	}
	if w := l.wait(a); w != 2*time.Second {
		t.Errorf("after the burst: wait %v, want 2s", w)
	}
	if w := l.wait(b); w != 0 {
		t.Errorf("another address must wait %v", w)
	}
	now = now.Add(2 * time.Second)
	if w := l.wait(a); w != 0 {
		t.Errorf("after an interval: wait %v, want none", w)
	}
	l.wrong(a)
	if w := l.wait(a); w != 2*time.Second {
		t.Errorf("after one more guess: wait %v, want 2s", w)
	}
}

func TestLimiter_oneVisitorOfManyIPv6Addresses(t *testing.T) {
	l := newLimiter(1, time.Minute, time.Now)
	l.wrong(netip.MustParseAddr("2001:db8::1"))
	if l.wait(netip.MustParseAddr("2001:db8::ffff")) == 0 {
		t.Error("another address of the same /64 need not wait")
	}
	if l.wait(netip.MustParseAddr("2001:db8:0:1::1")) != 0 {
		t.Error("another /64 must wait")
	}
}

func TestLimiter_isBounded(t *testing.T) {
	l := newLimiter(1, time.Hour, time.Now)
	l.max = 100
	a := netip.MustParseAddr("10.0.0.0")
	for range 1000 {
		l.wrong(a)
		a = a.Next()
	}
	if len(l.full) > 100 {
		t.Errorf("%d addresses are kept, want at most 100", len(l.full))
	}
}

func TestIsPrefetch(t *testing.T) {
	for name, value := range map[string]string{"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch", "X-Purpose": "preview", "X-Moz": "prefetch"} {
		if !isPrefetch(http.Header{name: {value}}) {
			t.Errorf("%s: %s is not taken for a prefetch", name, value)
		}
	}
	if isPrefetch(http.Header{"Sec-Fetch-Dest": {"document"}}) {
		t.Error("a navigation is taken for a prefetch")
	}
}
