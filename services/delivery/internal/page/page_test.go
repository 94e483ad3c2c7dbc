package page_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/delivery/internal/page"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

const phone = "Mozilla/5.0 (Linux; Android 14; SM-A155M) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36"

// desk is a handler over an opener that the test decides about.
type desk struct {
	t       *testing.T
	handler http.Handler
	token   string
	log     *bytes.Buffer

	mu     sync.Mutex
	opened store.Opened
	err    error
	visits []store.Visit
	hashes []token.Hash
	queued int
	file   store.File
	secret []byte
}

func (d *desk) Click(_ context.Context, h token.Hash, device store.Device) (store.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.visits, d.hashes = append(d.visits, store.Visit{Device: device}), append(d.hashes, h)
	return d.file, d.err
}

func (d *desk) Open(_ context.Context, h token.Hash, v store.Visit) (store.Opened, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.visits, d.hashes = append(d.visits, v), append(d.hashes, h)
	return d.opened, d.err
}

func newDesk(t *testing.T, edit ...func(*page.Config)) *desk {
	t.Helper()
	ring, err := token.NewRing(map[int32][]byte{1: token.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := ring.Derive(token.Name{Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	d := &desk{t: t, token: tok.Text(), log: &bytes.Buffer{}, opened: store.Opened{
		Key: sale.Key{Payment: sale.PaymentID(uuid.MustParse("01930000-0000-7000-8000-0000000000ff"))}, State: store.Active,
		ProductName: "Curso <b>violão</b>", Amount: 123456, AccessURL: "https://t.me/+invented?a=1&b=2", First: true, PurchaseAt: now, Now: now, OpensLeft: -1,
	}}
	c := page.Config{
		Opener: d, PublicURL: "https://pay.example.com", Log: slog.New(slog.NewTextHandler(d.log, nil)),
		Queued:     func() { d.queued++ },
		OpenSecret: func(store.FileKey) ([]byte, error) { return d.secret, nil },
	}
	for _, e := range edit {
		e(&c)
	}
	h, err := page.New(c)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/delivery/{token}", h)
	mux.Handle("/delivery/{$}", h)
	mux.HandleFunc("/delivery/file/{ticket}", h.ServeFile)
	d.handler = mux
	return d
}

func (d *desk) withPixel() {
	d.opened.PixelID, d.opened.EventID, d.opened.Queued = "123456789012345", "pageview_7", true
	d.opened.ExternalID = strings.Repeat("ab", 32)
	d.opened.FBP, d.opened.FBC = "fb.1.1780000000000.123", "fb.1.1780000000000.IwAR"
}

func (d *desk) get(edit ...func(*http.Request)) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/delivery/"+d.token, nil)
	r.Header.Set("User-Agent", phone)
	r.RemoteAddr = "203.0.113.9:4711"
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestPage_active(t *testing.T) {
	d := newDesk(t)
	w := d.get()
	body := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(body, "<!doctype html>\n<html lang=\"pt-BR\">") {
		t.Fatalf("status %d, page begins %.60q", w.Code, body)
	}
	for _, want := range []string{"Pagamento confirmado", "Curso &lt;b&gt;violão&lt;/b&gt;", "R$ 1.234,56", `href="https://t.me/+invented?a=1&amp;b=2"`, "Acessar agora", `name="viewport"`} {
		if !strings.Contains(strings.ReplaceAll(body, "&#43;", "+"), want) {
			t.Errorf("page lacks %q", want)
		}
	}
	for _, not := range []string{"<script", "facebook", d.token, "ZgotmplZ"} {
		if strings.Contains(body, not) {
			t.Errorf("page without a pixel holds %q", not)
		}
	}
	if len(w.Result().Cookies()) != 0 {
		t.Errorf("page without a pixel sets cookies: %v", w.Result().Cookies())
	}
	v := d.visits[0]
	if v.ClientIP != "203.0.113.9" || v.UserAgent != phone {
		t.Errorf("visit = %+v, want the phone's address and agent", v)
	}
	if tok, _ := token.Parse(d.token); d.hashes[0] != tok.Hash() {
		t.Error("another token was looked up")
	}
}

func TestPage_english(t *testing.T) {
	w := newDesk(t).get(header("Accept-Language", "en-US,en;q=0.9"))
	if !strings.Contains(w.Body.String(), `<html lang="en">`) || !strings.Contains(w.Body.String(), "Get access") || w.Header().Get("Content-Language") != "en" {
		t.Errorf("page is not in English: %.200q", w.Body.String())
	}
}

func TestPage_contactInsteadOfAccess(t *testing.T) {
	d := newDesk(t)
	d.opened.AccessURL, d.opened.ContactText = "", "Chame <Ana>\nno Telegram"
	if body := d.get().Body.String(); !strings.Contains(body, "Chame &lt;Ana&gt;\nno Telegram") || strings.Contains(body, "Acessar agora") {
		t.Error("page shows no contact text, or a button that leads nowhere")
	}
	d.opened.ContactText = ""
	if body := d.get().Body.String(); !strings.Contains(body, "O vendedor vai enviar o seu acesso") {
		t.Error("page without access and contact says nothing")
	}
}

func TestPage_telegramScheme(t *testing.T) {
	d := newDesk(t)
	d.opened.AccessURL = "tg://resolve?domain=invented"
	if body := d.get().Body.String(); !strings.Contains(body, `href="tg://resolve?domain=invented"`) {
		t.Error("a tg:// link does not survive the template")
	}
}

func TestPage_headers(t *testing.T) {
	d := newDesk(t)
	first, second := d.get(), d.get()
	csp := regexp.MustCompile(`^default-src 'none'; style-src 'nonce-([A-Za-z0-9_-]{24})'; script-src 'none'; img-src data:; connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'$`)
	m := csp.FindStringSubmatch(first.Header().Get("Content-Security-Policy"))
	if m == nil {
		t.Fatalf("policy = %q", first.Header().Get("Content-Security-Policy"))
	}
	if !strings.Contains(first.Body.String(), `<style nonce="`+m[1]+`">`) {
		t.Error("the style has another nonce than the policy")
	}
	if strings.Contains(second.Header().Get("Content-Security-Policy"), m[1]) {
		t.Error("two answers share a nonce")
	}
	for name, want := range map[string]string{
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store, private", "X-Content-Type-Options": "nosniff",
		"X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=31536000", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := first.Header().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestPage_pixel(t *testing.T) {
	d := newDesk(t)
	d.withPixel()
	w := d.get()
	body := w.Body.String()
	squeezed := regexp.MustCompile(`\s+`).ReplaceAllString(body, "")
	for _, want := range []string{
		`fbq("init","123456789012345",{"external_id":"` + d.opened.ExternalID + `"});`, `fbq("track","PageView");`,
		`},{"eventID":"pageview_7"});`, `"value":1234.56,"currency":"BRL"`, `history.replaceState(null,"","./");`,
		`src="https://connect.facebook.net/en_US/fbevents.js"`,
	} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("page lacks %s", want)
		}
	}
	if strings.Index(body, "replaceState") > strings.Index(body, `fbq("init"`) {
		t.Error("the pixel sees the address before it loses the token")
	}
	csp := w.Header().Get("Content-Security-Policy")
	nonces := regexp.MustCompile(`<(?:script|style) nonce="([^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(nonces) != 3 {
		t.Errorf("%d scripts and styles with a nonce, want 3", len(nonces))
	}
	for _, n := range nonces {
		if !strings.Contains(csp, "'nonce-"+n[1]+"'") {
			t.Errorf("nonce %s is not in the policy", n[1])
		}
	}
	if !strings.Contains(csp, "script-src 'nonce-"+nonces[0][1]+"' https://connect.facebook.net;") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy = %q", csp)
	}
	got := map[string]*http.Cookie{}
	for _, c := range w.Result().Cookies() {
		got[c.Name] = c
	}
	if c := got["baixa_delivery"]; c == nil || !c.HttpOnly || !c.Secure || c.Path != "/delivery/" || c.Value != d.token || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("token's cookie = %+v", c)
	}
	for name, want := range map[string]string{"_fbp": d.opened.FBP, "_fbc": d.opened.FBC} {
		if c := got[name]; c == nil || c.HttpOnly || c.Value != want {
			t.Errorf("%s = %+v, want %s within scripts' reach", name, c, want)
		}
	}
	if d.queued != 1 {
		t.Errorf("worker woken %d times, want once", d.queued)
	}
}

func TestPage_reloadWithoutTokenInTheAddress(t *testing.T) {
	d := newDesk(t)
	d.withPixel()
	w := d.get(func(r *http.Request) {
		r.URL.Path = "/delivery/"
		r.AddCookie(&http.Cookie{Name: "baixa_delivery", Value: d.token})
		r.AddCookie(&http.Cookie{Name: "_fbp", Value: "fb.1.1780000000000.999"})
	})
	if w.Code != http.StatusOK || d.visits[0].FBP != "fb.1.1780000000000.999" {
		t.Errorf("status %d, visit %+v; want the page, with the browser's cookie noted", w.Code, d.visits)
	}
	for _, c := range w.Result().Cookies() {
		if c.Name == "_fbp" {
			t.Error("the browser's own _fbp is overwritten")
		}
	}
	if w := d.get(func(r *http.Request) { r.URL.Path = "/delivery/" }); w.Code != http.StatusNotFound {
		t.Errorf("without a cookie: status %d, want 404", w.Code)
	}
}

func TestPage_browserPurchaseEndsAfterADay(t *testing.T) {
	d := newDesk(t)
	d.withPixel()
	d.opened.PurchaseAt = d.opened.Now.Add(-25 * time.Hour)
	if body := d.get().Body.String(); strings.Contains(body, `"Purchase"`) || !strings.Contains(body, `"PageView"`) {
		t.Error("a visit after the window must report PageView only: Meta would count the Purchase again")
	}
}

func TestPage_scriptCannotBeInjected(t *testing.T) {
	d := newDesk(t)
	d.withPixel()
	d.opened.ProductName = `</script><script>alert(1)</script>"); alert(2); ("`
	body := d.get().Body.String()
	if strings.Count(body, "<script") != 2 || strings.Count(body, "</script") != 2 {
		t.Errorf("page has %d script tags, want 2", strings.Count(body, "<script"))
	}
	if strings.Contains(strings.ReplaceAll(body, `\"`, ""), `"); alert(2)`) {
		t.Error("a product's name ends the string that it stands in")
	}
}
