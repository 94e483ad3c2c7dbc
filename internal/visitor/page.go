package visitor

import (
	"bytes"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// Language is a language that pages are written in, as HTML names it.
type Language string

// The languages of pages.
const (
	Portuguese Language = "pt-BR"
	English    Language = "en"
)

// LanguageOf chooses by Accept-Language (RFC 9110, section 12.5.4). Portuguese is the answer to everything that does not clearly
// prefer English.
func LanguageOf(r *http.Request) Language {
	var pt, en float64
	for i, part := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		if i == 32 {
			break
		}
		tag, params, _ := strings.Cut(part, ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			parsed, err := strconv.ParseFloat(v, 64)
			if err != nil || !(parsed >= 0 && parsed <= 1) {
				continue
			}
			q = parsed
		}
		switch primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-"); primary {
		case "pt":
			pt = max(pt, q)
		case "en":
			en = max(en, q)
		}
	}
	if en > pt {
		return English
	}
	return Portuguese
}

// Page is what the browser is told about a page: it loads nothing, sends nothing and stands in no frame, but for its own style and
// what is named here.
type Page struct {
	Language Language
	Nonce    string // of its style, and of its script when Script names it
	Vary     string // header names besides Accept-Language; may be empty
	Secure   bool   // it is under https and stays there
	// Sources, in the words of a content security policy; empty means none. Pictures may be in the page itself besides.
	Script, Connect, Form, Pictures string
}

// Serve answers with what the template makes of v. When it makes nothing the visitor gets a sentence instead, with 500, and the
// caller the error.
func (p Page) Serve(w http.ResponseWriter, r *http.Request, status int, t *template.Template, v any) error {
	var body bytes.Buffer
	if err := t.Execute(&body, v); err != nil {
		http.Error(w, "Tente de novo em instantes. / Please try again in a moment.", http.StatusInternalServerError)
		return err
	}
	to := w.Header()
	Secret(to, p.Secure)
	source := func(name, list string) string {
		if list == "" {
			list = "'none'"
		}
		return name + " " + list
	}
	to.Set("Content-Security-Policy", strings.Join([]string{"default-src 'none'", "style-src 'nonce-" + p.Nonce + "'", source("script-src", p.Script),
		strings.TrimSpace("img-src data: " + p.Pictures), source("connect-src", p.Connect), source("form-action", p.Form), "base-uri 'none'",
		"frame-ancestors 'none'"}, "; "))
	to.Set("Content-Type", "text/html; charset=utf-8")
	to.Set("Content-Language", string(p.Language))
	to.Set("Vary", strings.TrimSuffix("Accept-Language, "+p.Vary, ", "))
	to.Set("X-Frame-Options", "DENY")
	to.Set("Cross-Origin-Opener-Policy", "same-origin")
	to.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	to.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // the visitor may be gone; there is nobody to tell
	}
	return nil
}

// Secret says what everything under an address says that only its visitor knows: nobody keeps it, finds it or learns where it was.
func Secret(to http.Header, secure bool) {
	to.Set("Cache-Control", "no-store, private")
	to.Set("Referrer-Policy", "no-referrer")
	to.Set("X-Content-Type-Options", "nosniff")
	to.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	if secure {
		to.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
