package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// minSecret is the shortest text that is searched for: shorter ones would blacken every answer.
const minSecret = 4

// maxForms bounds a cache of forms; what is over it is forgotten and made again.
const maxForms = 4096

// forms are the ways in which a server may echo one secret.
type forms struct {
	secret string
	texts  []string
	raw    [][]byte
}

func formsOf(secret string) *forms {
	query := url.QueryEscape(secret)
	quoted, _ := json.Marshal(secret) // a string always has a JSON form
	f := &forms{secret: secret}
	for _, form := range []string{
		secret, query, strings.ToLower(query), url.PathEscape(secret), html.EscapeString(secret), strings.ReplaceAll(secret, "/", `\/`),
		string(quoted[1 : len(quoted)-1]), base64.StdEncoding.EncodeToString([]byte(secret)),
	} {
		if !slices.Contains(f.texts, form) {
			f.texts = append(f.texts, form)
			f.raw = append(f.raw, []byte(form))
		}
	}
	return f
}

// formCache remembers the forms of the secrets that calls use over and over. The zero formCache is ready.
type formCache struct {
	mu       sync.RWMutex
	bySecret map[string]*forms
}

func (c *formCache) get(secret string) *forms {
	c.mu.RLock()
	f := c.bySecret[secret]
	c.mu.RUnlock()
	if f != nil {
		return f
	}
	f = formsOf(secret)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySecret == nil || len(c.bySecret) >= maxForms {
		c.bySecret = map[string]*forms{}
	}
	c.bySecret[secret] = f
	return f
}

// redactor removes an account's secrets, in every form in which a server may echo them, and personal data. The zero
// redactor knows no secrets and still removes personal data.
type redactor struct{ all []*forms }

// add makes r remove one more secret.
func (r *redactor) add(cache *formCache, s Secret) {
	if len(s.text) < minSecret {
		return
	}
	for _, f := range r.all {
		if f.secret == s.text {
			return
		}
	}
	r.all = append(r.all, cache.get(s.text))
}

func newRedactor(secrets ...Secret) redactor {
	var r redactor
	for _, s := range secrets {
		r.add(&formCache{}, s)
	}
	return r
}

// secrets replaces every known secret in text.
func (r redactor) secrets(text string) string {
	for _, f := range r.all {
		for _, form := range f.texts {
			if strings.Contains(text, form) {
				text = strings.ReplaceAll(text, form, redacted)
			}
		}
	}
	return text
}

// touches reports whether a secret stands in text as it is. Where text has escapes of its own, one may also hide
// behind them.
func (r redactor) touches(text []byte) bool {
	for _, f := range r.all {
		for _, form := range f.raw {
			if bytes.Contains(text, form) {
				return true
			}
		}
	}
	return false
}

// longest is the length of the longest form of any secret.
func (r redactor) longest() int {
	n := 0
	for _, f := range r.all {
		for _, form := range f.texts {
			n = max(n, len(form))
		}
	}
	return n
}
