package click

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const person = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/470]"

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(pgtest.Run(m))
}

// gate is the real store, which can be away.
type gate struct {
	*store.Store
	mu    sync.Mutex
	away  error
	finds int // how often a link was looked for
}

func (g *gate) state() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.away
}

func (g *gate) FindClickLink(ctx context.Context, slug string) (store.ClickLink, error) {
	g.mu.Lock()
	g.finds++
	g.mu.Unlock()
	if err := g.state(); err != nil {
		return store.ClickLink{}, err
	}
	return g.Store.FindClickLink(ctx, slug)
}

func (g *gate) InsertClicks(ctx context.Context, clicks []store.Click) error {
	if err := g.state(); err != nil {
		return err
	}
	return g.Store.InsertClicks(ctx, clicks)
}

type stand struct {
	*Handler
	t        *testing.T
	gate     *gate
	merchant payment.MerchantID
	mu       sync.Mutex
	now      time.Time
}

// set makes a stand whose visitors wait as long as the database takes: the machine may be busy with other tests.
func set(t *testing.T) *stand {
	t.Helper()
	s := &stand{t: t, gate: &gate{Store: store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))}, merchant: payment.MerchantID(uuid.New()),
		now: time.Now().UTC().Truncate(time.Millisecond)}
	_, _, err := s.gate.CreateMerchant(t.Context(), store.Merchant{ID: s.merchant, Name: "Loja"})
	must(t, err)
	_, err = s.gate.PutClickLink(t.Context(), store.ClickLink{MerchantID: s.merchant, Slug: "promo-1", BotUsername: "clube_bot", Campaign: "c-35"})
	must(t, err)
	proxies, err := visitor.ParseProxies([]string{"192.0.2.0/24"})
	must(t, err)
	s.Handler, err = New(Config{Store: s.gate, PublicURL: "https://baixa.example", Now: s.clock, Patience: time.Minute,
		Client: proxies.Client})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return s
}

func (s *stand) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stand) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// ask is a visit; header are pairs.
func (s *stand) ask(method, target string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	u, err := url.Parse("http://baixa.example" + target)
	if err != nil { // what no URL is, a raw client may send all the same
		path, query, _ := strings.Cut(target, "?")
		u = &url.URL{Path: path, RawQuery: query}
	}
	r.URL = u
	r.Header.Set("User-Agent", person)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

var start = regexp.MustCompile(`^https://t\.me/clube_bot\?start=([0-9a-f]{32})$`)

// token is what a visitor was forwarded with.
func (s *stand) token(w *httptest.ResponseRecorder) string {
	s.t.Helper()
	m := start.FindStringSubmatch(w.Header().Get("Location"))
	if w.Code != http.StatusFound || m == nil {
		s.t.Fatalf("forwarded %d to %q", w.Code, w.Header().Get("Location"))
	}
	return m[1]
}

func (s *stand) kept(token string) (store.Click, map[string]string) {
	s.t.Helper()
	k, err := s.gate.GetClick(s.t.Context(), s.merchant, token)
	must(s.t, err)
	tracking := map[string]string{}
	must(s.t, json.Unmarshal(k.Tracking, &tracking))
	return k, tracking
}

func TestClick_keepsEverythingWordForWord(t *testing.T) {
	s := set(t)
	w := s.ask("GET", "/go/Promo-1?utm_source=FB&utm_medium=cpc&utm_campaign=lan%C3%A7amento+1&utm_term=t&utm_content=c&src=s1&sck=s2&fbclid=IwAR0ExEmPlO_-x&utm_source=second",
		"Referer", "https://l.facebook.com/x", "Cookie", "_fbp=fb.1.1700000000000.123; _fbc=fb.1.1600000000000.another", "X-Forwarded-For", "6.6.6.6, 198.51.100.7")
	token := s.token(w)
	k, got := s.kept(token)
	want := map[string]string{"utm_source": "FB", "utm_medium": "cpc", "utm_campaign": "lançamento 1", "utm_term": "t", "utm_content": "c", "src": "s1", "sck": "s2",
		"fbclid": "IwAR0ExEmPlO_-x", "fbp": "fb.1.1700000000000.123", "fbc": "", "campaign_code": "c-35", "client_ip": "198.51.100.7", "client_user_agent": person,
		"event_source_url": "https://baixa.example/go/promo-1", "tracking_token": token, "pageview_event_id": k.ID.String()}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	if k.Machine || k.Slug != "promo-1" || k.Referrer != "https://l.facebook.com/x" || len(k.Clipped) != 0 || !k.ClickedAt.Equal(s.clock()) || k.FBCLID != "IwAR0ExEmPlO_-x" {
		t.Errorf("click %+v", k)
	}
	cookie := w.Result().Cookies()[0]
	if cookie.Name != Cookie || cookie.Value != token || !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie %+v", cookie)
	}
	if w.Header().Get("Cache-Control") != "no-store, private" || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers %v", w.Header())
	}
	// The next click is another one, whatever cookie comes with it; Meta's own cookie of the same click is kept as it is.
	next := s.token(s.ask("GET", "/go/promo-1/?fbclid=IwAR0ExEmPlO_-x", "Cookie", Cookie+"="+token+"; _fbc=fb.1.1650000000000.IwAR0ExEmPlO_-x"))
	if _, again := s.kept(next); next == token || again["fbc"] != "fb.1.1650000000000.IwAR0ExEmPlO_-x" {
		t.Errorf("the next click: %q, %v", next, again)
	}
}

func TestClick_oddDataIsCutAndNoted(t *testing.T) {
	s := set(t)
	long := strings.Repeat("á", 2000)
	k, got := s.kept(s.token(s.ask("GET", "/go/promo-1?utm_source="+url.QueryEscape(long)+"&fbclid="+strings.Repeat("A", 1500)+"&utm_term=%zz%&utm_content=%ff%00x&&=&utm_medium",
		"Cookie", "_fbp="+strings.Repeat("1", 1100))))
	if len(got["utm_source"]) > maxValue || !utf8.ValidString(got["utm_source"]) || got["fbclid"] != "" || got["fbp"] != "" || got["utm_term"] != "%zz%" || got["utm_content"] != "x" {
		t.Errorf("kept %v", got)
	}
	if noted := strings.Join(k.Clipped, " "); noted != "utm_source utm_content fbclid fbp" {
		t.Errorf("noted %q", noted)
	}
	huge := "/go/promo-1?utm_source=x&junk=" + strings.Repeat("y", 2*maxQuery) + "&utm_medium=lost"
	if k, got := s.kept(s.token(s.ask("GET", huge))); got["utm_source"] != "x" || got["utm_medium"] != "" || strings.Join(k.Clipped, "") != "query" {
		t.Errorf("kept %v of a huge query, noted %v", got, k.Clipped)
	}
}

func TestClick_machinesAreForwardedAndMarked(t *testing.T) {
	s := set(t)
	for name, w := range map[string]*httptest.ResponseRecorder{
		"preview":  s.ask("GET", "/go/promo-1?utm_source=x", "User-Agent", "facebookexternalhit/1.1"),
		"HEAD":     s.ask("HEAD", "/go/promo-1"),
		"prefetch": s.ask("GET", "/go/promo-1", "Sec-Purpose", "prefetch"),
	} {
		if w.Code != http.StatusFound || w.Header().Get("Location") != "https://t.me/clube_bot" || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	list, err := s.gate.ClickLinks(t.Context(), s.merchant)
	if err != nil || list[0].Clicks != 0 || list[0].Machines != 3 {
		t.Errorf("counted %+v, %v", list, err)
	}
}

func TestClick_theDatabaseIsAway(t *testing.T) {
	s := set(t)
	s.token(s.ask("GET", "/go/promo-1"))
	s.gate.mu.Lock()
	s.gate.away = errors.New("away")
	s.gate.mu.Unlock()
	s.pass(time.Hour)
	for range 3 {
		w := s.ask("GET", "/go/promo-1?fbclid=x")
		if w.Code != http.StatusFound || w.Header().Get("Location") != "https://t.me/clube_bot" || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("a visitor is held up: %d %v", w.Code, w.Header())
		}
	}
	if w := s.ask("GET", "/go/never-seen"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("a link that nobody knows: %d", w.Code)
	}
}

func TestClick_badSlugsAreOnePageThenLimited(t *testing.T) {
	s := set(t)
	first := ""
	for _, slug := range []string{"", "x", "nope", "../v1/payments", "%2e%2e", "promo-1/x", "promo 1", "é", strings.Repeat("a", 3000), "promo-1'--", "%00"} {
		w := s.ask("GET", "/go/"+slug, "Accept-Language", "pt-BR")
		body := regexp.MustCompile(`nonce="[\w-]+"`).ReplaceAllString(w.Body.String(), "")
		if w.Code != http.StatusNotFound || first != "" && body != first || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("slug %.40q: %d %s", slug, w.Code, body)
		}
		first = body
	}
	codes := map[int]int{}
	for range 2 * guesses {
		codes[s.ask("GET", "/go/guess").Code]++
	}
	if codes[404] == 0 || codes[429] == 0 || len(codes) != 2 {
		t.Errorf("guesses: %v", codes)
	}
	if w := s.ask("POST", "/go/promo-1"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", w.Code)
	}
}

// Ten thousand guesses of one address: some are answered, all alike, and the others ask the database nothing, right ones as well.
func TestClick_tenThousandGuesses(t *testing.T) {
	s := set(t)
	pages, codes := map[string]bool{}, map[int]int{}
	for i := range 10_000 {
		w := s.ask("GET", "/go/promo-1"+strconv.Itoa(i))
		codes[w.Code]++
		if w.Code == http.StatusNotFound {
			pages[regexp.MustCompile(`nonce="[\w-]+"`).ReplaceAllString(w.Body.String(), "")] = true
		}
	}
	if codes[404] != guesses || codes[429] != 10_000-guesses || len(pages) != 1 {
		t.Errorf("answers %v and %d pages, want %d times the same", codes, len(pages), guesses)
	}
	if s.gate.finds > guesses {
		t.Errorf("the database was asked %d times", s.gate.finds)
	}
	if w := s.ask("GET", "/go/promo-1"); w.Code != http.StatusTooManyRequests {
		t.Errorf("a right one among wrong ones tells: %d", w.Code)
	}
}

func TestClick_oneAddressCannotFillTheDisk(t *testing.T) {
	s := set(t)
	without := 0
	for range clicks + 50 {
		if w := s.ask("GET", "/go/promo-1"); w.Code != http.StatusFound {
			t.Fatalf("not forwarded: %d", w.Code)
		} else if !strings.Contains(w.Header().Get("Location"), "start=") {
			without++
		}
	}
	if without == 0 {
		t.Error("every click of a flood is kept")
	}
}

func TestClick_manyAtOnceEachHaveTheirOwn(t *testing.T) {
	s := set(t)
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			w := s.ask("GET", "/go/promo-1")
			mu.Lock()
			defer mu.Unlock()
			seen[w.Header().Get("Location")] = true
		})
	}
	wg.Wait()
	list, err := s.gate.ClickLinks(t.Context(), s.merchant)
	if err != nil || len(seen) != 200 || list[0].Clicks != 200 {
		t.Errorf("%d tokens for 200 clicks, kept %+v, %v", len(seen), list, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzReadQuery(f *testing.F) {
	for _, seed := range []string{"utm_source=a&fbclid=B", "%zz=%", "&&==&", "a=%ff%00", strings.Repeat("a&", 500)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		values, whole := readQuery(raw)
		if len(values) > maxPairs || len(raw) > maxQuery && whole {
			t.Errorf("%d values, whole %t", len(values), whole)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = raw
		r.Header.Set("User-Agent", raw)
		c := store.Click{ID: uuid.New(), Token: newToken(), ClickedAt: time.Now()}
		capture(&c, r, store.ClickLink{}, netip.Addr{}, "")
		if !json.Valid(c.Tracking) || strings.Contains(string(c.Tracking), `\u0000`) {
			t.Errorf("kept as %q", c.Tracking)
		}
		if want, err := url.ParseQuery(raw); err == nil && whole && c.FBCLID != "" && !strings.Contains(strings.Join(want["fbclid"], " "), c.FBCLID) {
			t.Errorf("fbclid %q of %q", c.FBCLID, raw)
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add("Promo-1")
	f.Add("@Clube_Bot")
	f.Add(strings.Repeat("0aF", 11))
	f.Fuzz(func(t *testing.T, text string) {
		if slug, ok := Slug(text); ok && (len(slug) < 3 || len(slug) > 64 || url.PathEscape(slug) != slug) {
			t.Errorf("slug %q", slug)
		}
		if bot, ok := BotUsername(text); ok && url.PathEscape(bot) != bot {
			t.Errorf("bot %q", bot)
		}
		if token, ok := Token(text); ok && (len(token) != 32 || strings.Trim(token, "0123456789abcdef") != "") {
			t.Errorf("token %q", token)
		}
	})
}
