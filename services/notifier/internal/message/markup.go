package message

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// tags are what Telegram takes in its HTML (core.telegram.org/bots/api#html-style), with the form of their attributes.
var tags = map[string]*regexp.Regexp{
	"b": nil, "strong": nil, "i": nil, "em": nil, "u": nil, "ins": nil, "s": nil, "strike": nil, "del": nil, "pre": nil, "tg-spoiler": nil,
	"code":       regexp.MustCompile(`^( class="language-[^"]*")?$`),
	"a":          regexp.MustCompile(`^ href=("[^"]*"|'[^']*')$`),
	"span":       regexp.MustCompile(`^ class="tg-spoiler"$`),
	"blockquote": regexp.MustCompile(`^( expandable)?$`),
	"tg-emoji":   regexp.MustCompile(`^ emoji-id="[0-9]+"$`),
}

var shape = regexp.MustCompile(`^<(/?)([a-zA-Z][a-zA-Z0-9-]*)([^<>]*)>`)

// checkMarkup says what Telegram would not take of a template's HTML: tags that it does not know, that are not closed, or that
// cross, and a "<" that begins none.
func checkMarkup(text string) error {
	var open []string
	for {
		at := strings.IndexByte(text, '<')
		if at < 0 {
			break
		}
		text = text[at:]
		m := shape.FindStringSubmatch(text)
		if m == nil {
			return fmt.Errorf("%w: %q is not a tag: expected &lt; for the sign itself", ErrTemplate, head(text))
		}
		text = text[len(m[0]):]
		name, attributes := strings.ToLower(m[2]), strings.TrimRight(m[3], " ")
		form, known := tags[name]
		switch {
		case !known:
			return fmt.Errorf("%w: tag <%s>: expected one that Telegram takes: <%s>", ErrTemplate, head(name), strings.Join(tagNames(), "> <"))
		case m[1] == "" && form == nil && attributes != "", m[1] == "" && form != nil && !form.MatchString(attributes):
			return fmt.Errorf("%w: tag <%s>: expected it as Telegram writes it, such as %s", ErrTemplate, name, example(name))
		case m[1] == "":
			open = append(open, name)
		case len(open) == 0:
			return fmt.Errorf("%w: </%s> closes no open tag", ErrTemplate, name)
		case open[len(open)-1] != name:
			return fmt.Errorf("%w: </%s> where </%s> was expected", ErrTemplate, name, open[len(open)-1])
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%w: <%s> is not closed: expected </%s>", ErrTemplate, open[len(open)-1], open[len(open)-1])
	}
	return nil
}

func tagNames() []string {
	names := make([]string, 0, len(tags))
	for name := range tags {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func example(name string) string {
	switch name {
	case "a":
		return `<a href="{link}">`
	case "span":
		return `<span class="tg-spoiler">`
	case "code":
		return `<code class="language-go">`
	case "blockquote":
		return `<blockquote expandable>`
	case "tg-emoji":
		return `<tg-emoji emoji-id="5368324170671202286">`
	}
	return "<" + name + ">"
}

// head is the beginning of a text, fit for an error.
func head(text string) string {
	if r := []rune(text); len(r) > 20 {
		return string(r[:20]) + "…"
	}
	return text
}
