package sim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pixelReports reads a page's calls of fbq, and the pixel's image for those
// without JavaScript is ignored: what comes out is what the pixel would send,
// one set of parameters per event and pixel.
func pixelReports(page string) []url.Values {
	type pixel struct {
		id   string
		data map[string]any
	}
	var pixels []pixel
	var out []url.Values
	for _, args := range fbqCalls(page) {
		cmd, _ := args[0].(string)
		switch {
		case cmd == "init" && len(args) > 1:
			p := pixel{id: plain(args[1])}
			if len(args) > 2 {
				p.data, _ = args[2].(map[string]any)
			}
			pixels = append(pixels, p)
		case (cmd == "track" || cmd == "trackCustom" || cmd == "trackSingle") && len(args) > 1:
			targets := pixels
			if cmd == "trackSingle" {
				targets = nil
				for _, p := range pixels {
					if p.id == plain(args[1]) {
						targets = append(targets, p)
					}
				}
				args = args[1:]
			}
			if len(args) < 2 {
				continue
			}
			for _, p := range targets {
				q := url.Values{"id": {p.id}, "ev": {plain(args[1])}}
				if len(args) > 2 {
					data, _ := args[2].(map[string]any)
					for k, v := range data {
						q.Set("cd["+k+"]", plain(v))
					}
				}
				if len(args) > 3 { // the event id is the fourth argument's, never the third's
					opts, _ := args[3].(map[string]any)
					q.Set("eid", plain(opts["eventID"]))
				}
				for k, v := range p.data {
					q.Set("ud["+k+"]", plain(v))
				}
				out = append(out, q)
			}
		}
	}
	return out
}

// plain is a value as a query parameter carries it.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// fbqCalls finds every fbq(…) whose arguments are literals, in page order.
// Calls with variables or functions in them are passed over: reading those
// would need a browser.
func fbqCalls(page string) [][]any {
	var out [][]any
	for rest := page; ; {
		i := strings.Index(rest, "fbq(")
		if i < 0 {
			return out
		}
		named := i > 0 && (wordByte(rest[i-1]) || strings.HasSuffix(rest[:i], "function "))
		rest = rest[i+4:]
		if named {
			continue
		}
		p := literal{s: rest}
		if args, ok := p.list(')'); ok && len(args) > 0 {
			out = append(out, args)
			rest = rest[p.i:]
		}
	}
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// literal parses JavaScript literals: strings in either quote, numbers,
// arrays, objects with or without quoted keys, true, false, null.
type literal struct {
	s     string
	i     int
	depth int
}

func (p *literal) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *literal) next(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// list reads values up to end, which it consumes.
func (p *literal) list(end byte) ([]any, bool) {
	out := []any{}
	for {
		if p.next(end) {
			return out, true
		}
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		out = append(out, v)
		if !p.next(',') {
			return out, p.next(end)
		}
	}
}

func (p *literal) value() (any, bool) {
	p.space()
	if p.i >= len(p.s) || p.depth > 20 {
		return nil, false
	}
	p.depth++
	defer func() { p.depth-- }()
	switch c := p.s[p.i]; {
	case c == '"' || c == '\'':
		return p.text()
	case c == '[':
		p.i++
		return p.list(']')
	case c == '{':
		p.i++
		return p.object()
	}
	start := p.i
	for p.i < len(p.s) && (wordByte(p.s[p.i]) || strings.IndexByte("+-.", p.s[p.i]) >= 0) {
		p.i++
	}
	switch w := p.s[start:p.i]; w {
	case "true":
		return true, true
	case "false":
		return false, true
	case "null", "undefined":
		return nil, true
	default:
		if _, err := strconv.ParseFloat(w, 64); err != nil {
			return nil, false
		}
		return json.Number(w), true
	}
}

func (p *literal) object() (any, bool) {
	out := make(map[string]any)
	for {
		if p.next('}') {
			return out, true
		}
		p.space()
		if p.i >= len(p.s) {
			return nil, false
		}
		var key any
		if c := p.s[p.i]; c == '"' || c == '\'' {
			var ok bool
			if key, ok = p.text(); !ok {
				return nil, false
			}
		} else {
			start := p.i
			for p.i < len(p.s) && wordByte(p.s[p.i]) {
				p.i++
			}
			key = p.s[start:p.i]
		}
		if key == "" || !p.next(':') {
			return nil, false
		}
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		out[key.(string)] = v
		if !p.next(',') {
			return out, p.next('}')
		}
	}
}

func (p *literal) text() (any, bool) {
	quote := p.s[p.i]
	p.i++
	var b strings.Builder
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch c {
		case quote:
			return b.String(), true
		case '\n':
			return nil, false
		case '\\':
			if !p.escape(&b) {
				return nil, false
			}
		default:
			b.WriteByte(c)
		}
	}
	return nil, false
}

func (p *literal) escape(b *strings.Builder) bool {
	if p.i >= len(p.s) {
		return false
	}
	c := p.s[p.i]
	p.i++
	n := 0
	switch c {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'u':
		n = 4
	case 'x':
		n = 2
	default:
		b.WriteByte(c)
	}
	if n == 0 {
		return true
	}
	if p.i+n > len(p.s) {
		return false
	}
	v, err := strconv.ParseUint(p.s[p.i:p.i+n], 16, 32)
	if err != nil {
		return false
	}
	p.i += n
	r := rune(v)
	if !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	b.WriteRune(r)
	return true
}
