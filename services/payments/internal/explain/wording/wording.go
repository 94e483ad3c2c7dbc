// Package wording puts the payments service's vocabularies into words, Brazilian Portuguese first and English beside it, for
// people who sell and not for those who program.
//
// It refuses to pass on what must not be read by everybody: values are redacted, shortened and freed of control characters
// before they become part of a sentence, since providers and merchants wrote them.
package wording

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/baixapay/baixa/internal/telemetry"
)

// Lang is a language that people read.
type Lang int

// The languages. The zero value is Portuguese.
const (
	Portuguese Lang = iota
	English
)

// Parse reads a language tag: "pt-BR" and "en" with their usual variants, and "" for Portuguese. ok is false for any other tag.
func Parse(tag string) (l Lang, ok bool) {
	switch primary, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(tag, "_", "-")), "-"); primary {
	case "", "pt":
		return Portuguese, true
	case "en":
		return English, true
	}
	return Portuguese, false
}

// Tag is the language's tag, "pt-BR" or "en".
func (l Lang) Tag() string {
	if l == English {
		return "en"
	}
	return "pt-BR"
}

// Sentence is one text in both languages. {name} stands for a value as it is, {name:form} for one in a form ("money", "time",
// "state", …; see forms), and what is in [brackets] is left out when one of the values in it is missing.
type Sentence struct{ PT, EN string }

// Values are a sentence's values by name: texts as they are stored, amounts in centavos, times in RFC 3339.
type Values map[string]string

// In is the sentence in a language, before its values.
func (s Sentence) In(l Lang) string {
	if l == English {
		return s.EN
	}
	return s.PT
}

// Say is the sentence in a language with its values. A value that is missing outside of brackets reads as "?".
func (s Sentence) Say(l Lang, v Values) string {
	out, _ := fill(s.In(l), l, v)
	return out
}

// With is v and more, which go before those of v; neither is changed.
func (v Values) With(more Values) Values {
	out := make(Values, len(v)+len(more))
	for name, value := range v {
		out[name] = value
	}
	for name, value := range more {
		out[name] = value
	}
	return out
}

// fill puts values into a text; complete is false when one outside of brackets was missing.
func fill(text string, l Lang, v Values) (out string, complete bool) {
	var b strings.Builder
	complete = true
	for text != "" {
		at := strings.IndexAny(text, "{[")
		if at < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:at])
		end := strings.IndexByte(text[at:], map[byte]byte{'{': '}', '[': ']'}[text[at]])
		if end < 0 { // a stray bracket is a mistake in our own text, which a test finds
			b.WriteString(text[at:])
			break
		}
		inside := text[at+1 : at+end]
		if text[at] == '[' {
			if part, ok := fill(inside, l, v); ok {
				b.WriteString(part)
			}
		} else {
			name, form, _ := strings.Cut(inside, ":")
			value, ok := format(form, l, v[name])
			if !ok {
				value, complete = "?", false
			}
			b.WriteString(value)
		}
		text = text[at+end+1:]
	}
	return b.String(), complete
}

const longest = 160 // runes of one value

// Plain makes a foreign text fit to be read anywhere: one line, no control or direction characters, redacted, not long.
func Plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.Is(unicode.Cf, r):
			return -1
		case unicode.IsControl(r), unicode.IsSpace(r):
			return ' '
		}
		return r
	}, text)
	text = telemetry.Redact(strings.Join(strings.Fields(text), " "))
	if utf8.RuneCountInString(text) > longest {
		text = string([]rune(text)[:longest-1]) + "…"
	}
	return text
}
