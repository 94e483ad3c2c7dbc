package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/baixapay/baixa/e2e/browser"
)

func TestMain(m *testing.M) {
	code := m.Run()
	browser.Close()
	os.Exit(code)
}

// A page whose policy refuses what it tries.
func serve(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-abc'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="pt-BR"><title>x</title><link rel="icon" href="data:,"><p>língua %s</p>
			<p id=js>sem script</p><script nonce="abc">document.getElementById('js').textContent = 'com script'</script>
			<script>document.title = 'never'</script>`, r.Header.Get("Accept-Language"))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestPage_seesWhatAPersonDoesNot(t *testing.T) {
	url := serve(t)
	p := browser.New(t, browser.Options{Lang: "en"})
	if status := p.Open(url); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if text := p.Text(); !strings.Contains(text, "língua en") || !strings.Contains(text, "com script") {
		t.Errorf("the page shows %q", text)
	}
	if got := browser.Run(p, chromedp.Title()); got != "x" {
		t.Errorf("a script without a nonce ran: title %q", got)
	}
	if got := strings.Join(p.Problems(), "\n"); !strings.Contains(got, "Content Security Policy") {
		t.Errorf("the refused script was not noticed: %q", got)
	}
	if len(p.Requests()) == 0 {
		t.Error("no request was noticed")
	}
	path := filepath.Join(t.TempDir(), "page.png")
	p.Screenshot(path)
	if info, err := os.Stat(path); err != nil || info.Size() < 1000 {
		t.Errorf("screenshot: %v, %v", info, err)
	}
}

func TestPage_withoutScript(t *testing.T) {
	p := browser.New(t, browser.Options{NoScript: true, Dark: true})
	p.Open(serve(t))
	if text := p.Text(); !strings.Contains(text, "sem script") || !strings.Contains(text, "língua pt-BR") {
		t.Errorf("the page shows %q", text)
	}
}
