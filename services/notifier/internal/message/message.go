// Package message makes the texts that buyers and owners read. A buyer's is a merchant's template (or the default one) with the
// sale's values in it, an owner's is a title and a body; both as Telegram's HTML and as plain text for when Telegram does not take
// the HTML.
//
// It refuses placeholders and tags that it does not know, and it never puts a value into HTML unescaped. It sends nothing.
package message

import (
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/baixapay/baixa/internal/money"
)

// Limits. Telegram takes 4096 UTF-16 units after entities are parsed (core.telegram.org/bots/api#sendmessage); the template and
// the values are bounded so that what is taken here stays below.
const (
	MaxTemplate = 4096 // UTF-16 units of a template's text
	maxValue    = 200  // runes of a name that are shown
	maxLink     = 500  // bytes of a link, which a template may show more than once
	maxText     = 4096
)

// ErrTemplate is wrapped by every reason to refuse a template; the text names the placeholder, the tag or the limit.
var ErrTemplate = errors.New("template")

var placeholder = regexp.MustCompile(`\{([^{}\s]*)\}`)

// Values are what one message says. The zero value of a field leaves its place empty or general.
type Values struct {
	Product string
	Amount  money.Amount
	Link    string // http or https; may be empty in kinds without one
	Buyer   string
	Bot     string
	Lang    string // Portuguese when empty
}

// Text is one message, ready to send.
type Text struct {
	HTML   string // for parse_mode HTML
	Plain  string // the same without entities
	Button string // label of the button that opens Link; empty: no button
	Link   string
}

// Template is a checked text with placeholders. It is safe for concurrent use.
type Template struct {
	kind Kind
	text string
	body body // of text
}

// Parse checks a text of a kind: HTML as Telegram takes it, placeholders that exist, {link} one to three times in a delivery, and
// not more than Telegram takes even with the longest values. The empty text stands for the default one of the message's language.
func Parse(kind Kind, text string) (*Template, error) {
	if strings.TrimSpace(text) == "" {
		return &Template{kind: kind}, nil
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, fmt.Errorf("%w: expected UTF-8 text", ErrTemplate)
	}
	if n := units(text); n > MaxTemplate {
		return nil, fmt.Errorf("%w: %d characters, expected at most %d", ErrTemplate, n, MaxTemplate)
	}
	links := 0
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		value, ok := meaning(m[1])
		if !ok {
			return nil, fmt.Errorf("%w: unknown placeholder {%s}: expected one of %s", ErrTemplate, head(m[1]), existing())
		}
		if value == "link" {
			links++
		}
	}
	if links > 3 || links == 0 && kind == Delivery {
		return nil, fmt.Errorf("%w: expected the placeholder {link} one to three times", ErrTemplate)
	}
	if err := checkMarkup(text); err != nil {
		return nil, err
	}
	t := &Template{kind: kind, text: text, body: bodyOf(text)}
	if n := units(fill(t.body, longest, html.EscapeString).Plain); n > maxText {
		return nil, fmt.Errorf("%w: up to %d characters once it is filled in, expected at most %d", ErrTemplate, n, maxText)
	}
	return t, nil
}

// longest are values of the length to which real ones are shortened, the link of a length that ours never have.
var longest = map[string]string{"produto": strings.Repeat("W", maxValue), "nome": strings.Repeat("W", maxValue),
	"bot": strings.Repeat("W", maxValue), "valor": "R$ 999.999.999,99", "link": "https://" + strings.Repeat("w", 192)}

// Default reports whether the text is the default one.
func (t *Template) Default() bool { return t.text == "" }

// Render fills the template in. It cannot fail: names that are too long are shortened, but never the link, without which a
// delivery would be useless; CheckLink bounds that before.
func (t *Template) Render(v Values) Text {
	lang := v.Lang
	if _, known := languages[lang]; !known {
		lang = Portuguese
	}
	l, text, body := languages[lang], t.text, t.body
	if text == "" {
		text = Default(t.kind, lang)
		body = defaults[text]
	}
	value := map[string]string{"produto": shorten(v.Product), "valor": v.Amount.String(), "link": v.Link, "nome": shorten(v.Buyer),
		"bot": shorten(v.Bot)}
	if value["nome"] == "" {
		value["nome"] = l.nobody
	}
	filled := fill(body, value, html.EscapeString)
	if units(filled.Plain) > maxText { // a template of older rules, of nothing but names
		filled.HTML, filled.Plain = html.EscapeString(v.Link), v.Link
	}
	if v.Link != "" && (t.kind == Delivery || strings.Contains(text, "{link}")) {
		filled.Button, filled.Link = l.button, v.Link
	}
	return filled
}

func fill(b body, value map[string]string, escape func(string) string) Text {
	put := func(parts []part, escape func(string) string) string {
		var out strings.Builder
		for _, p := range parts {
			out.WriteString(p.text)
			if p.value != "" {
				out.WriteString(escape(value[p.value]))
			}
		}
		return out.String()
	}
	return Text{HTML: put(b.html, escape), Plain: put(b.plain, func(s string) string { return s })}
}

// body is a text taken apart once, as HTML and without its markup.
type body struct{ html, plain []part }

// part is a stretch of text and the value that stands behind it; empty: none.
type part struct{ text, value string }

func bodyOf(text string) body { return body{partsOf(text), partsOf(strip(text))} }

func partsOf(text string) (parts []part) {
	from := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		if value, ok := meaning(text[at[2]:at[3]]); ok {
			parts = append(parts, part{text[from:at[0]], value})
			from = at[1]
		}
	}
	return append(parts, part{text: text[from:]})
}

// Notice is an owner's message: a title in bold over a body, both as they are. It is shortened to what Telegram takes.
func Notice(title, body string) Text {
	title, body = strings.ToValidUTF8(title, ""), strings.ToValidUTF8(body, "")
	for units(title)+units(body)+2 > maxText && body != "" {
		_, size := utf8.DecodeLastRuneInString(body)
		body = body[:len(body)-size]
	}
	text := Text{HTML: "<b>" + html.EscapeString(title) + "</b>", Plain: title}
	if body != "" {
		text.HTML += "\n\n" + html.EscapeString(body)
		text.Plain += "\n\n" + body
	}
	return text
}

// CheckLink says whether a link can be sent: an absolute http or https address of at most 500 bytes.
func CheckLink(link string) bool {
	u, err := url.Parse(link)
	return err == nil && len(link) <= maxLink && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

var tag = regexp.MustCompile(`</?[a-zA-Z][^<>]*>`)

// strip takes the markup out of a template. Addresses in tags are lost, except {link}, which is put behind a text that was
// its anchor's.
func strip(body string) string {
	plain := tag.ReplaceAllStringFunc(body, func(t string) string {
		if strings.Contains(t, "{link}") {
			return "{link} "
		}
		return ""
	})
	return html.UnescapeString(plain)
}

func shorten(s string) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, ""))
	if utf8.RuneCountInString(s) <= maxValue {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:maxValue-1])) + "…"
}

// Length counts UTF-16 code units, as Telegram does.
func Length(text string) int { return units(text) }

func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}
