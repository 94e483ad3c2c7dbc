package sim

import (
	"strconv"
	"strings"
)

// entity is a formatted stretch of a message; offset and length count UTF-16
// code units.
type entity struct {
	kind           string
	offset, length int
	url            string
}

// entityKind is what a tag of Telegram's HTML parse mode becomes; empty for a
// tag that it does not know.
func entityKind(tag string) string {
	switch tag {
	case "b", "strong":
		return "bold"
	case "i", "em":
		return "italic"
	case "u", "ins":
		return "underline"
	case "s", "strike", "del":
		return "strikethrough"
	case "tg-spoiler", "span":
		return "spoiler"
	case "a":
		return "text_link"
	case "code", "pre", "blockquote":
		return tag
	case "tg-emoji":
		return "custom_emoji"
	}
	return ""
}

// parseHTML reads a text in Telegram's HTML parse mode as the Bot API does:
// only its own tags, all closed in order; a bare ampersand is text, a bare "<"
// is an error. Errors carry the API's wording.
func parseHTML(s string) (string, []entity, *tgError) {
	type open struct {
		tag   string
		e     entity
		start int
	}
	var out strings.Builder
	var done []entity
	var stack []open
	pos := 0 // in UTF-16 units
	for i := 0; i < len(s); {
		switch s[i] {
		case '&':
			r, n := charRef(s[i:])
			if n == 0 {
				out.WriteByte('&')
				pos, i = pos+1, i+1
				continue
			}
			out.WriteRune(r)
			pos, i = pos+units(string(r)), i+n
		case '<':
			end := strings.IndexByte(s[i:], '>')
			if strings.HasPrefix(s[i:], "</") {
				if end < 0 {
					return "", nil, entities("Unclosed end tag at byte offset " + strconv.Itoa(i))
				}
				name := strings.ToLower(strings.TrimSpace(s[i+2 : i+end]))
				if len(stack) == 0 {
					return "", nil, entities("Unexpected end tag at byte offset " + strconv.Itoa(i))
				}
				top := stack[len(stack)-1]
				if name != "" && name != top.tag {
					return "", nil, entities("Unmatched end tag at byte offset " + strconv.Itoa(i) +
						", expected \"</" + top.tag + ">\", found \"</" + name + ">\"")
				}
				stack = stack[:len(stack)-1]
				if top.e.length = pos - top.e.offset; top.e.length > 0 {
					if top.tag == "a" && top.e.url == "" {
						top.e.url = httpLink(out.String()[top.start:])
					}
					if top.tag != "a" || top.e.url != "" {
						done = append(done, top.e)
					}
				}
				i += end + 1
				continue
			}
			name, attrs, n, ok := startTag(s[i:])
			kind := entityKind(name)
			if kind == "" || name == "span" && attrs["class"] != "tg-spoiler" {
				return "", nil, entities("Unsupported start tag \"" + name + "\" at byte offset " + strconv.Itoa(i))
			}
			if !ok {
				return "", nil, entities("Unclosed start tag at byte offset " + strconv.Itoa(i))
			}
			e := entity{kind: kind, offset: pos}
			if name == "a" {
				e.url = httpLink(attrs["href"])
			}
			stack = append(stack, open{tag: name, e: e, start: out.Len()})
			i += n
		default:
			j := strings.IndexAny(s[i:], "<&")
			if j < 0 {
				j = len(s) - i
			}
			out.WriteString(s[i : i+j])
			pos, i = pos+units(s[i:i+j]), i+j
		}
	}
	if len(stack) > 0 {
		return "", nil, entities("Can't find end tag corresponding to start tag \"" + stack[len(stack)-1].tag + "\"")
	}
	return out.String(), done, nil
}

func entities(what string) *tgError { return badRequest("can't parse entities: " + what) }

func httpLink(u string) string {
	if strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "tg://") {
		return u
	}
	return ""
}

// charRef reads one of the references that Telegram knows, four names
// and numbers; n is 0 for anything else.
func charRef(s string) (r rune, n int) {
	switch {
	case strings.HasPrefix(s, "&lt;"):
		return '<', 4
	case strings.HasPrefix(s, "&gt;"):
		return '>', 4
	case strings.HasPrefix(s, "&amp;"):
		return '&', 5
	case strings.HasPrefix(s, "&quot;"):
		return '"', 6
	}
	end := strings.IndexByte(s, ';')
	if !strings.HasPrefix(s, "&#") || end < 3 || end > 10 {
		return 0, 0
	}
	num, base := s[2:end], 10
	if num[0] == 'x' || num[0] == 'X' {
		num, base = num[1:], 16
	}
	v, err := strconv.ParseInt(num, base, 32)
	if err != nil || v <= 0 || v > 0x10ffff {
		return 0, 0
	}
	return rune(v), end + 1
}

// startTag reads "<name attr="v" …>". ok is false when it does not end.
func startTag(s string) (name string, attrs map[string]string, n int, ok bool) {
	i := 1
	for i < len(s) && s[i] != '>' && s[i] != ' ' && s[i] != '\t' && s[i] != '\n' && s[i] != '\r' {
		i++
	}
	name = strings.ToLower(s[1:i])
	for {
		for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
			i++
		}
		if i >= len(s) {
			return name, attrs, i, false
		}
		if s[i] == '>' {
			return name, attrs, i + 1, true
		}
		start := i
		for i < len(s) && s[i] != '=' && s[i] != '>' && s[i] != ' ' {
			i++
		}
		key, val := strings.ToLower(s[start:i]), ""
		if i < len(s) && s[i] == '=' {
			i++
			if i < len(s) && (s[i] == '"' || s[i] == '\'') {
				end := strings.IndexByte(s[i+1:], s[i])
				if end < 0 {
					return name, attrs, len(s), false
				}
				val, i = s[i+1:i+1+end], i+end+2
			} else {
				start = i
				for i < len(s) && s[i] != '>' && s[i] != ' ' {
					i++
				}
				val = s[start:i]
			}
		}
		if attrs == nil {
			attrs = make(map[string]string)
		}
		attrs[key] = unescapeAttr(val)
	}
}

func unescapeAttr(v string) string {
	if !strings.Contains(v, "&") {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); {
		if r, n := charRef(v[i:]); n > 0 {
			b.WriteRune(r)
			i += n
			continue
		}
		b.WriteByte(v[i])
		i++
	}
	return b.String()
}
