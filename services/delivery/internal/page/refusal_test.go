package page_test

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/delivery/internal/page"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

func TestPage_closedLinks(t *testing.T) {
	for state, want := range map[store.State]string{store.Revoked: "Este acesso foi encerrado", store.Expired: "Este link expirou", store.UsedUp: "Este link já foi usado"} {
		d := newDesk(t)
		d.withPixel()
		d.opened.State = state
		w := d.get()
		body := w.Body.String()
		if w.Code != http.StatusGone || !strings.Contains(body, want) {
			t.Errorf("%s: status %d, want 410 with %q", state, w.Code, want)
		}
		for _, not := range []string{"t.me", "fbq", "<script"} {
			if strings.Contains(body, not) {
				t.Errorf("%s: page holds %q", state, not)
			}
		}
	}
}

func TestPage_machinesTouchNothing(t *testing.T) {
	d := newDesk(t)
	d.withPixel()
	var bodies []string
	nonce := regexp.MustCompile(`nonce="[^"]+"`)
	for name, edit := range map[string]func(*http.Request){
		"Telegram": header("User-Agent", "TelegramBot (like TwitterBot)"), "WhatsApp": header("User-Agent", "WhatsApp/2.23.20.0 A"),
		"Facebook": header("User-Agent", "facebookexternalhit/1.1"), "nobody": header("User-Agent", ""),
		"wrong token": func(r *http.Request) { r.URL.Path = "/delivery/x"; r.Header.Set("User-Agent", "Twitterbot/1.0") },
	} {
		w := d.get(edit)
		body := nonce.ReplaceAllString(w.Body.String(), "")
		if w.Code != http.StatusOK || strings.Contains(body, "t.me") || strings.Contains(body, "violão") || strings.Contains(body, "fbq") {
			t.Errorf("%s: status %d, page tells of the sale", name, w.Code)
		}
		bodies = append(bodies, body)
	}
	for _, b := range bodies[1:] {
		if b != bodies[0] {
			t.Error("machines get different pages for different tokens")
		}
	}
	head := d.get(func(r *http.Request) { r.Method = http.MethodHead })
	if head.Code != http.StatusOK || head.Body.Len() != 0 {
		t.Errorf("HEAD: status %d with %d bytes", head.Code, head.Body.Len())
	}
	if w := d.get(header("Sec-Purpose", "prefetch")); w.Code != http.StatusServiceUnavailable {
		t.Errorf("prefetch: status %d, want 503 so that the browser asks again", w.Code)
	}
	if len(d.visits) != 0 || d.queued != 0 {
		t.Errorf("machines made %d visits", len(d.visits))
	}
}

func TestPage_takenForAMachineButAPerson(t *testing.T) {
	d := newDesk(t)
	w := d.get(header("User-Agent", "curl/8 but really Maria"))
	if !strings.Contains(w.Body.String(), `<form method="post">`) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "form-action 'self'") {
		t.Error("the preview has no button that works")
	}
	w = d.get(header("User-Agent", "curl/8 but really Maria"), func(r *http.Request) { r.Method = http.MethodPost })
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Acessar agora") || len(d.visits) != 1 {
		t.Errorf("after the button: status %d, %d visits; want the page", w.Code, len(d.visits))
	}
}

func TestPage_guessing(t *testing.T) {
	now := time.Now()
	d := newDesk(t, func(c *page.Config) {
		c.Guesses, c.Interval, c.Now = 5, time.Second, func() time.Time { return now }
	})
	d.err = store.ErrNotFound
	nonce := regexp.MustCompile(`nonce="[^"]+"`)
	pages := map[string]bool{}
	for i := range 10_000 {
		w := d.get(func(r *http.Request) {
			if i%2 == 1 {
				r.URL.Path = "/delivery/short"
			}
		})
		want := http.StatusNotFound
		if i >= 5 {
			want = http.StatusTooManyRequests
		}
		if w.Code != want {
			t.Fatalf("guess %d: status %d, want %d", i+1, w.Code, want)
		}
		if want == http.StatusNotFound {
			pages[nonce.ReplaceAllString(w.Body.String(), "")] = true
		} else if w.Header().Get("Retry-After") == "" {
			t.Fatal("429 without Retry-After")
		}
	}
	if len(pages) != 1 {
		t.Errorf("%d different pages for wrong tokens: an oracle", len(pages))
	}
	if len(d.visits) > 3 {
		t.Errorf("%d guesses reached the database", len(d.visits))
	}
	d.err = nil
	if w := d.get(func(r *http.Request) { r.RemoteAddr = "198.51.100.2:1" }); w.Code != http.StatusOK {
		t.Errorf("another visitor: status %d, want 200", w.Code)
	}
	now = now.Add(time.Minute)
	if w := d.get(); w.Code != http.StatusOK {
		t.Errorf("after a minute: status %d, want 200", w.Code)
	}
}

func TestPage_databaseDown(t *testing.T) {
	d := newDesk(t)
	d.err = errors.New("dial tcp 10.0.0.1:5432: connection refused")
	w := d.get()
	body := w.Body.String()
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(body, `http-equiv="refresh"`) || !strings.Contains(body, "Voltamos em instantes") {
		t.Errorf("status %d: %.100q", w.Code, body)
	}
	if strings.Contains(body, "10.0.0.1") || strings.Contains(d.log.String(), d.token) || !strings.Contains(d.log.String(), "connection refused") {
		t.Errorf("the page must not tell, the log must, without the token: %s", d.log)
	}
}

func TestPage_methods(t *testing.T) {
	w := newDesk(t).get(func(r *http.Request) { r.Method = http.MethodDelete })
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("DELETE: status %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestPage_brokenBytesInHeaders(t *testing.T) {
	d := newDesk(t)
	d.get(header("User-Agent", phone+"\xff\xfe"+strings.Repeat("x", 4000)))
	if v := d.visits[0]; len(v.UserAgent) > 512 || strings.ContainsRune(v.UserAgent, '\ufffd') || !strings.HasPrefix(v.UserAgent, phone) {
		t.Errorf("agent of %d bytes is kept as %.20q", len(v.UserAgent), v.UserAgent)
	}
}

func TestNew_refuses(t *testing.T) {
	d := &desk{}
	for name, c := range map[string]page.Config{
		"no opener": {PublicURL: "https://pay.example.com"}, "no address": {Opener: d}, "address": {Opener: d, PublicURL: "pay.example.com"},
		"script": {Opener: d, PublicURL: "https://pay.example.com", PixelScript: "fbevents.js"},
	} {
		if _, err := page.New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
