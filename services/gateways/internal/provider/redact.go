package provider

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/baixapay/baixa/services/gateways/internal/document"
	"github.com/baixapay/baixa/services/gateways/internal/emv"
)

const (
	maxExcerpt = 512
	// excerptWindow is how much of a body that is not JSON is looked at to make an excerpt.
	excerptWindow = 8 << 10
	maxField      = 96
	// minSecret is the shortest text that is searched for: shorter ones would blacken every answer.
	minSecret = 4
)

// redactor removes an account's secrets, in every form in which a server may echo them, and personal data. The zero
// redactor knows no secrets and still removes personal data.
type redactor struct{ forms []string }

func newRedactor(secrets ...Secret) redactor {
	var r redactor
	for _, s := range secrets {
		v := s.Reveal()
		if len(v) < minSecret {
			continue
		}
		query := url.QueryEscape(v)
		quoted, _ := json.Marshal(v) // a string always has a JSON form
		for _, form := range []string{
			v, query, strings.ToLower(query), url.PathEscape(v), html.EscapeString(v), strings.ReplaceAll(v, "/", `\/`),
			string(quoted[1 : len(quoted)-1]), base64.StdEncoding.EncodeToString([]byte(v)),
		} {
			if !slices.Contains(r.forms, form) {
				r.forms = append(r.forms, form)
			}
		}
	}
	return r
}

// secrets replaces every known secret in text.
func (r redactor) secrets(text string) string {
	for _, form := range r.forms {
		if strings.Contains(text, form) {
			text = strings.ReplaceAll(text, form, redacted)
		}
	}
	return text
}

// line makes any text fit for an error or a log: secrets and personal data out, white space folded, at most limit
// bytes.
func (r redactor) line(text string, limit int) string {
	if len(text) > excerptWindow {
		cut := excerptWindow
		for _, form := range r.forms {
			cut = min(cut, excerptWindow-len(form)+1)
		}
		text = r.secrets(text[:excerptWindow])
		text = text[:min(len(text), max(cut, 0))] // what may be half a secret at the window's edge goes
	} else {
		text = r.secrets(text)
	}
	text = personal(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
	return clip(text, limit)
}

// excerpt is a body as evidence: JSON keeps its shape, with personal fields, codes and images left out.
func (r redactor) excerpt(body []byte, doc document.Value) string {
	if doc.Kind() != document.Object && doc.Kind() != document.Array {
		return r.line(unescape(string(body[:min(len(body), 2*excerptWindow)])), maxExcerpt)
	}
	b := make([]byte, 0, maxExcerpt+2*maxField)
	b = r.appendValue(b, doc)
	return clip(string(b), maxExcerpt)
}

// unescape resolves JSON escapes of ASCII in a text that is not JSON as a whole, since a secret may stand in it so.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	return escapes.ReplaceAllStringFunc(text, func(e string) string {
		if len(e) == 2 {
			return e[1:]
		}
		n, _ := strconv.ParseUint(e[2:], 16, 8)
		return string(rune(n))
	})
}

var escapes = regexp.MustCompile(`\\u00[0-7][0-9a-fA-F]|\\[/"\\]`)

func (r redactor) appendValue(b []byte, v document.Value) []byte {
	switch v.Kind() {
	case document.Object, document.Array:
		open, end := byte('{'), byte('}')
		if v.Kind() == document.Array {
			open, end = '[', ']'
		}
		b = append(b, open)
		first := true
		for c := range v.Children {
			if len(b) > maxExcerpt {
				break
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			if open == '{' {
				key := r.secrets(c.Key())
				b = append(strconv.AppendQuote(b, clip(key, maxField)), ':')
				if private(key) && c.Kind() != document.Null {
					b = append(b, `"`+redacted+`"`...)
					continue
				}
			}
			b = r.appendValue(b, c)
		}
		return append(b, end)
	case document.String:
		return appendQuoted(b, r.field(v.Text()))
	case document.Number:
		if n := len(v.Raw()); n == 11 || n == 14 {
			return appendQuoted(b, redacted)
		}
		return append(b, r.line(v.Text(), maxField)...)
	default:
		return append(b, v.Raw()...)
	}
}

func (r redactor) field(text string) string {
	switch {
	case emv.Looks(text):
		return "[pix code]"
	case len(text) > 4*maxField && !strings.Contains(text[:maxField], " "):
		return "[" + strconv.Itoa(len(text)) + " bytes]"
	default:
		return r.line(text, maxField)
	}
}

func appendQuoted(b []byte, text string) []byte {
	return strconv.AppendQuote(b, text)
}

// privateParts mark keys whose values belong to a person or open a door.
var privateParts = []string{"token", "secret", "password", "authorization", "apikey", "document", "cpf", "cnpj", "email",
	"phone", "name", "payer", "customer", "client", "buyer", "address", "card", "birth", "nationalregistration", "useragent"}

// private reports whether a key's value never belongs into evidence.
func private(key string) bool {
	key = strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return -1
		}
		return r
	}, lowerASCII(key))
	if key == "ip" || key == "fbp" || key == "fbc" || key == "key" {
		return true
	}
	for _, part := range privateParts {
		if strings.Contains(key, part) {
			return true
		}
	}
	return false
}

var personalPattern = regexp.MustCompile(`\b\d{3}\.?\d{3}\.?\d{3}-?\d{2}\b|\b\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}\b|\b\d{10,14}\b|[\w.+-]+@[\w-]+\.[\w.-]+`)

// personal masks CPF, CNPJ, telephone numbers and e-mail addresses in running text.
func personal(text string) string {
	digits := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			digits++
		}
	}
	if digits < 10 && !strings.Contains(text, "@") {
		return text
	}
	return personalPattern.ReplaceAllString(text, redacted)
}

func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const mark = "…"
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}

func lowerASCII(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
