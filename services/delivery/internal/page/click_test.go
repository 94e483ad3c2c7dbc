package page_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// withFile makes the link one of a file, and returns where its button leads.
func (d *desk) withFile() string {
	d.t.Helper()
	tok, err := token.Parse(d.token)
	if err != nil {
		d.t.Fatal(err)
	}
	d.opened.AccessURL, d.opened.FileURL, d.opened.FileKey = "", "https://files.example/curso.pdf", true
	d.secret = []byte("an invented secret")
	d.file = store.File{
		State: store.Active, URL: d.opened.FileURL, ProductName: "Curso", Amount: 1990, Now: time.Unix(1_780_000_000, 0),
		KeyOf: store.FileKey{KeyID: "k1", Lifetime: 300},
	}
	return "/delivery/file/" + tok.File().Text()
}

func at(path string) func(*http.Request) {
	return func(r *http.Request) { r.URL.Path = path }
}

func TestFile_clickRedirectsSigned(t *testing.T) {
	d := newDesk(t)
	path := d.withFile()
	body := d.get().Body.String()
	if !strings.Contains(body, `href="`+path+`"`) || !strings.Contains(body, "Baixar arquivo") || strings.Contains(body, "files.example") || strings.Contains(body, d.token) {
		t.Error("the page has no button for the file, or shows its address or the token")
	}
	w := d.get(at(path))
	const want = "https://files.example/curso.pdf?baixa_expires=1780000300&baixa_key=k1&baixa_signature="
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || !strings.HasPrefix(got, want) || len(got) != len(want)+64 {
		t.Errorf("click: status %d to %q", w.Code, got)
	}
	if w.Header().Get("Referrer-Policy") != "no-referrer" || !strings.Contains(w.Header().Get("Cache-Control"), "no-store") || w.Body.Len() != 0 {
		t.Errorf("the redirection tells where it comes from, or may be kept: %v", w.Header())
	}
	tok, err := token.Parse(d.token)
	if err != nil || d.hashes[1] != tok.File().Hash() || tok.File().Hash() == tok.Hash() {
		t.Error("another ticket was looked up")
	}
}

func TestFile_withoutKeyTheBuyerReadsTheContact(t *testing.T) {
	d := newDesk(t)
	path := d.withFile()
	d.opened.FileKey, d.opened.ContactText, d.file.KeyOf = false, "Chame a Ana", store.FileKey{}
	if body := d.get().Body.String(); !strings.Contains(body, "Chame a Ana") || strings.Contains(body, "Baixar arquivo") {
		t.Error("the page has a button that leads nowhere, or no contact text")
	}
	if w := d.get(at(path)); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "Arquivo indisponível") || strings.Contains(w.Body.String(), "files.example") {
		t.Errorf("click without a key: status %d", w.Code)
	}
}

func TestFile_closed(t *testing.T) {
	for state, want := range map[store.State]int{store.Revoked: 410, store.Expired: 410, store.UsedUp: 410, store.OtherDevice: 403} {
		d := newDesk(t)
		path := d.withFile()
		d.file.State = state
		if w := d.get(at(path)); w.Code != want || w.Header().Get("Location") != "" || strings.Contains(w.Body.String(), "files.example") {
			t.Errorf("%s: status %d to %q, want %d", state, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestFile_machinesAndGuesses(t *testing.T) {
	d := newDesk(t)
	path := d.withFile()
	for _, edit := range []func(*http.Request){header("User-Agent", "TelegramBot (like TwitterBot)"), func(r *http.Request) { r.Method = http.MethodHead }} {
		if w := d.get(at(path), edit); w.Code != http.StatusOK || w.Header().Get("Location") != "" {
			t.Errorf("a machine is led to the file: status %d", w.Code)
		}
	}
	if w := d.get(at(path), func(r *http.Request) { r.Method = http.MethodPost }); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: status %d", w.Code)
	}
	if len(d.visits) != 0 {
		t.Errorf("%d of them reached the database", len(d.visits))
	}
	d.err = store.ErrNotFound
	var last int
	for range 100 {
		last = d.get(at("/delivery/file/" + strings.Repeat("A", token.Length))).Code
	}
	if last != http.StatusTooManyRequests || len(d.visits) > 30 {
		t.Errorf("a hundred guesses: %d, %d reached the database", last, len(d.visits))
	}
}

func TestPage_linkOfOneDevice(t *testing.T) {
	d := newDesk(t)
	d.opened.Bound = true
	first := d.get()
	var device *http.Cookie
	for _, c := range first.Result().Cookies() {
		if c.Name == "baixa_device" {
			device = c
		}
	}
	if device == nil || len(device.Value) != 43 || !device.HttpOnly || !device.Secure || device.Path != "/delivery/" || device.SameSite != http.SameSiteLaxMode {
		t.Fatalf("device's cookie = %+v", device)
	}
	d.get(func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "baixa_device", Value: device.Value}) })
	d.get(func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "baixa_device", Value: "made up"}) })
	if d.visits[0].Device != d.visits[1].Device {
		t.Error("the browser that shows its cookie is another device")
	}
	if d.visits[2].Device == d.visits[0].Device {
		t.Error("a made-up cookie is the device")
	}
	if !strings.Contains(first.Body.String(), "Abre somente neste aparelho") {
		t.Error("the page does not say that it opens on this device only")
	}
	d.opened.State = store.OtherDevice
	w := d.get()
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "Este link é de outro aparelho") || len(w.Result().Cookies()) != 0 {
		t.Errorf("another device: status %d, cookies %v", w.Code, w.Result().Cookies())
	}
}

func TestPage_saysItsRules(t *testing.T) {
	d := newDesk(t)
	end := time.Date(2026, 11, 26, 1, 30, 0, 0, time.UTC)
	d.opened.ExpiresAt, d.opened.OpensLeft = &end, 1
	if body := d.get().Body.String(); !strings.Contains(body, "Vale até 25/11/2026 22:30.") || !strings.Contains(body, "Resta 1 acesso.") {
		t.Errorf("rules in Portuguese are missing")
	}
	d.opened.OpensLeft = 0
	if body := d.get(header("Accept-Language", "en")).Body.String(); !strings.Contains(body, "Good until 25 Nov 2026, 22:30 (UTC-3).") || !strings.Contains(body, "This was the last visit.") {
		t.Errorf("rules in English are missing")
	}
}
