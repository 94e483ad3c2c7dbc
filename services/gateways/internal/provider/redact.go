package provider

import (
	"regexp"
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
)

// line makes any text fit for an error or a log: secrets and personal data out, white space folded, at most limit
// bytes.
func (r redactor) line(text string, limit int) string {
	if len(text) > excerptWindow {
		cut := excerptWindow - max(r.longest()-1, 0)
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
	var room [maxExcerpt + 2*maxField]byte
	w := excerptWriter{redactor: r, touched: r.touches(body), text: room[:0]}
	w.value(doc)
	return clip(string(w.text), maxExcerpt)
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

// excerptWriter writes one document. Most values of most answers are harmless as they stand and are copied; touched
// tells that a secret is in the body, and then nothing is.
type excerptWriter struct {
	redactor
	touched bool
	text    []byte
}

func (w *excerptWriter) value(v document.Value) {
	switch v.Kind() {
	case document.Object, document.Array:
		w.members(v)
	case document.String:
		if raw := v.Raw(); !w.touched && harmless(raw[1:len(raw)-1]) {
			w.text = append(w.text, raw...)
			return
		}
		w.text = strconv.AppendQuote(w.text, w.field(v.Text()))
	case document.Number:
		raw := v.Raw()
		switch n := len(raw); {
		case n == 11 || n == 14: // as long as a CPF or a CNPJ
			w.text = append(w.text, `"`+redacted+`"`...)
		case !w.touched && n < 10:
			w.text = append(w.text, raw...)
		default:
			w.text = append(w.text, w.line(string(raw), maxField)...)
		}
	default:
		w.text = append(w.text, v.Raw()...)
	}
}

func (w *excerptWriter) members(v document.Value) {
	open, end := byte('{'), byte('}')
	if v.Kind() == document.Array {
		open, end = '[', ']'
	}
	w.text = append(w.text, open)
	first := true
	for c := range v.Children {
		if len(w.text) > maxExcerpt {
			break
		}
		if !first {
			w.text = append(w.text, ',')
		}
		first = false
		if open == '{' && w.key(c) {
			w.text = append(w.text, `"`+redacted+`"`...)
			continue
		}
		w.value(c)
	}
	w.text = append(w.text, end)
}

// key writes a member's key and reports whether its value must not be shown.
func (w *excerptWriter) key(c document.Value) bool {
	var hidden bool
	if raw, plain := c.RawKey(); plain && !w.touched && len(raw) <= maxField && utf8.Valid(raw) {
		w.text = append(append(append(w.text, '"'), raw...), '"', ':')
		hidden = private(raw)
	} else {
		key := w.secrets(c.Key())
		w.text = append(strconv.AppendQuote(w.text, clip(key, maxField)), ':')
		hidden = private([]byte(key))
	}
	return hidden && c.Kind() != document.Null
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

// harmless reports whether a string's inside can be shown as it was sent: short plain ASCII without escapes, and
// nothing in it that may be a person's number or address or a PIX code.
func harmless(inside []byte) bool {
	if len(inside) > maxField {
		return false
	}
	for _, c := range inside {
		if c < ' ' || c > '~' || c == '\\' || c == '@' {
			return false
		}
	}
	return !numbered(inside)
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
