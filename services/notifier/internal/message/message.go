// Package message makes the text that a buyer reads: a merchant's template (or the default one) with the sale's values in it,
// as Telegram's HTML and as plain text for when Telegram does not take the HTML.
//
// It refuses placeholders that it does not know, and it never puts a value into HTML unescaped. It sends nothing.
package message

import (
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/baixapay/baixa/internal/money"
)

// Limits. Telegram takes 4096 UTF-16 units after entities are parsed (core.telegram.org/bots/api#sendmessage); the template and
// the values are bounded so that no combination reaches it.
const (
	MaxTemplate = 2000 // UTF-16 units of a template's text
	maxValue    = 200  // runes of a product's or buyer's name that are shown
	maxLink     = 500  // bytes of a link, which a template may show more than once
	maxText     = 4096
)

// Languages of the default text and of the button.
const (
	Portuguese = "pt-BR"
	English    = "en"
)

// ErrTemplate is wrapped by every reason to refuse a template; the text names the placeholder or the limit.
var ErrTemplate = errors.New("template")

var placeholder = regexp.MustCompile(`\{([^{}\s]*)\}`)

// names are the placeholders, as merchants write them.
var names = []string{"produto", "valor", "link", "nome"}

// texts are the defaults, a button's label and the name of a buyer who has none, by language.
var texts = map[string]struct{ body, button, nobody string }{
	Portuguese: {
		body: "✅ <b>Pagamento confirmado!</b>\n\nOlá, {nome}! Recebemos o seu PIX de <b>{valor}</b>.\n\n" +
			"🎁 <b>{produto}</b>\n\n👉 Seu acesso: {link}",
		button: "🔓 Acessar agora", nobody: "tudo bem",
	},
	English: {
		body: "✅ <b>Payment confirmed!</b>\n\nHello, {nome}! We received your PIX of <b>{valor}</b>.\n\n" +
			"🎁 <b>{produto}</b>\n\n👉 Your access: {link}",
		button: "🔓 Open now", nobody: "there",
	},
}

// Values are what one message says. The zero value of a field leaves its place empty or general.
type Values struct {
	Product string
	Amount  money.Amount
	Link    string // http or https
	Buyer   string
	Lang    string // Portuguese when empty
}

// Text is one message, ready to send.
type Text struct {
	HTML   string // for parse_mode HTML
	Plain  string // the same without entities
	Button string // label of the button that opens Link
	Link   string
}

// Template is a checked text with placeholders. It is safe for concurrent use.
type Template struct{ text string }

// Parse checks a merchant's template: HTML as Telegram takes it (what it does not take is sent as plain text), the
// placeholders {produto} {valor} {link} {nome}, of which {link} must be there. The empty template stands for the default text
// of the message's language.
func Parse(text string) (*Template, error) {
	if strings.TrimSpace(text) == "" {
		return &Template{}, nil
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: expected UTF-8 text", ErrTemplate)
	}
	if n := units(text); n > MaxTemplate {
		return nil, fmt.Errorf("%w: %d characters, expected at most %d", ErrTemplate, n, MaxTemplate)
	}
	links := 0
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, m[1]) {
			return nil, fmt.Errorf("%w: unknown placeholder {%s}: expected {%s}", ErrTemplate, m[1], strings.Join(names, "} {"))
		}
		if m[1] == "link" {
			links++
		}
	}
	if links == 0 || links > 3 {
		return nil, fmt.Errorf("%w: expected the placeholder {link} one to three times", ErrTemplate)
	}
	return &Template{text}, nil
}

// Render fills the template in. It cannot fail: values that are too long are shortened, except the link, without which the
// message would be useless; CheckLink bounds that before.
func (t *Template) Render(v Values) Text {
	lang := v.Lang
	if _, known := texts[lang]; !known {
		lang = Portuguese
	}
	words, body := texts[lang], t.text
	if body == "" {
		body = words.body
	}
	value := map[string]string{
		"produto": shorten(v.Product), "valor": v.Amount.String(), "link": v.Link, "nome": shorten(v.Buyer),
	}
	if value["nome"] == "" {
		value["nome"] = words.nobody
	}
	fill := func(body string, escape func(string) string) string {
		return placeholder.ReplaceAllStringFunc(body, func(name string) string { return escape(value[name[1:len(name)-1]]) })
	}
	text := Text{HTML: fill(body, html.EscapeString), Plain: fill(strip(body), func(s string) string { return s }),
		Button: words.button, Link: v.Link}
	if units(text.Plain) > maxText { // a template of nothing but names
		text.HTML, text.Plain = html.EscapeString(v.Link), v.Link
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

// units counts UTF-16 code units, as Telegram does.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}
