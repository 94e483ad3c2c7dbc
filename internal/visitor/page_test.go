package visitor

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLanguageOf(t *testing.T) {
	for accept, want := range map[string]bool{"": false, "pt-BR,pt;q=0.9,en;q=0.8": false, "en-US,en;q=0.9": true, "en;q=0.3,pt;q=0.4": false,
		"de,en;q=0.5": true, "fr": false, "en;q=x": false, "en;q=2": false, "*": false, "en;q=NaN": false,
		"en-GB;q=0.5, pt;q=0.6": false, "en;q=0.9,pt-PT;q=0.1": true, "en,pt": false, "en;q=0": false} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", accept)
		if got := LanguageOf(r); (got == English) != want {
			t.Errorf("%q: %s", accept, got)
		}
	}
}

func TestPage_namesWhatItHasAndNothingMore(t *testing.T) {
	words := template.Must(template.New("page").Parse("<p>{{.Name}}</p>"))
	ask := func(p Page, method string, v any) (*httptest.ResponseRecorder, error) {
		w := httptest.NewRecorder()
		err := p.Serve(w, httptest.NewRequest(method, "/", nil), http.StatusGone, words, v)
		return w, err
	}
	someone := struct{ Name string }{"<Ana>"}
	bare, err := ask(Page{Language: Portuguese, Nonce: "n"}, http.MethodGet, someone)
	if err != nil || bare.Code != http.StatusGone || bare.Body.String() != "<p>&lt;Ana&gt;</p>" {
		t.Errorf("%d %q, %v", bare.Code, bare.Body, err)
	}
	full, _ := ask(Page{Language: English, Nonce: "n", Vary: "User-Agent", Secure: true, Script: "'nonce-n'", Connect: "'self'", Form: "'self'", Pictures: "https://x"},
		http.MethodHead, someone)
	if full.Body.Len() != 0 || full.Header().Get("Content-Length") != "18" {
		t.Errorf("HEAD has a body of %d bytes and says %s, want none and 18", full.Body.Len(), full.Header().Get("Content-Length"))
	}
	for name, want := range map[string][2]string{
		"Content-Security-Policy": {
			"default-src 'none'; style-src 'nonce-n'; script-src 'none'; img-src data:; connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
			"default-src 'none'; style-src 'nonce-n'; script-src 'nonce-n'; img-src data: https://x; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
		"Content-Language":          {"pt-BR", "en"},
		"Vary":                      {"Accept-Language", "Accept-Language, User-Agent"},
		"Cache-Control":             {"no-store, private", "no-store, private"},
		"Referrer-Policy":           {"no-referrer", "no-referrer"},
		"X-Frame-Options":           {"DENY", "DENY"},
		"Strict-Transport-Security": {"", "max-age=31536000"},
	} {
		if got := [2]string{bare.Header().Get(name), full.Header().Get(name)}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	broken, err := ask(Page{}, http.MethodGet, struct{}{})
	if err == nil || broken.Code != http.StatusInternalServerError || !strings.Contains(broken.Body.String(), "Tente de novo") {
		t.Errorf("a page that is not made: %d %q, %v", broken.Code, broken.Body, err)
	}
}
