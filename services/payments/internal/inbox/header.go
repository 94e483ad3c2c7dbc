package inbox

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxHeader = 1 << 10 // bytes of a header's value
	maxShort  = 200     // bytes of a key, a content type, an address
)

// kept are the headers that are stored, with whether the value is a secret and is sealed. Secrets are the static headers and
// signatures that providers are configured to send, or that receivers in the field were seen to look for.
var kept = map[string]bool{
	"content-type":         false,
	"content-encoding":     false,
	"user-agent":           false,
	"date":                 false,
	"x-request-id":         false,
	"x-correlation-id":     false,
	"idempotency-key":      false,
	"x-event-type":         false,
	"x-webhook-id":         false,
	"x-webhook-timestamp":  false,
	"webhook-id":           false, // Standard Webhooks
	"webhook-timestamp":    false,
	"authorization":        true,
	"webhook-signature":    true,
	"x-webhook-secret":     true, // OrionPay
	"x-webhook-token":      true,
	"x-webhook-signature":  true,
	"x-paradise-signature": true,
	"x-pushinpay-token":    true, // what PushinPay's panel proposes; the merchant may choose another
	"x-signature":          true,
}

// headerList is names of kept headers, and whether their values are sealed.
type headerList map[string]bool

func newHeaderList(more []string) (headerList, error) {
	l := make(headerList, len(kept)+len(more))
	for name, secret := range kept {
		l[name] = secret
	}
	for _, name := range more {
		folded := strings.ToLower(strings.TrimSpace(name))
		if folded == "" || len(folded) > maxShort || strings.IndexFunc(folded, notToken) >= 0 {
			return nil, fmt.Errorf("inbox: Headers: %q is not the name of a header", name)
		}
		if _, known := l[folded]; !known {
			l[folded] = true
		}
	}
	delete(l, "traceparent") // ours: it names our own span
	return l, nil
}

func notToken(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

// keeping is the list in use with its names, sorted. It is replaced, never changed.
type keeping struct {
	list  headerList
	names []string
}

// maxLearned bounds how many names accounts may add.
const maxLearned = 200

// Learn makes the inbox keep further headers from now on, sealed: those that merchants' accounts name for their secrets. What
// is no header's name is left out. Names once learned stay until the process ends.
func (b *Inbox) Learn(names []string) {
	now := b.headers.Load()
	var fresh []string
	for _, name := range names {
		folded := strings.ToLower(strings.TrimSpace(name))
		_, known := now.list[folded]
		ok := folded != "" && len(folded) <= maxShort && strings.IndexFunc(folded, notToken) < 0 && folded != "traceparent"
		if !known && ok && len(now.list)+len(fresh) < len(kept)+maxLearned {
			fresh = append(fresh, folded)
		}
	}
	if len(fresh) == 0 {
		return
	}
	next := make(headerList, len(now.list)+len(fresh))
	for name, secret := range now.list {
		next[name] = secret
	}
	for _, name := range fresh {
		next[name] = true
	}
	b.headers.Store(&keeping{list: next, names: next.names()})
}

func (l headerList) names() []string {
	out := make([]string, 0, len(l))
	for name := range l {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// plain makes text fit for a column: valid UTF-8 without control characters, cut to limit bytes at a whole character.
func plain(text string, limit int) string {
	clean := utf8.ValidString(text)
	for i := 0; clean && i < len(text); i++ {
		clean = text[i] >= 0x20 && text[i] < 0x7f
	}
	if !clean {
		text = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == utf8.RuneError {
				return -1
			}
			return r
		}, strings.ToValidUTF8(text, ""))
	}
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
