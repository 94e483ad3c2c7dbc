package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// Sniff reads a webhook body by what it is, not by what its header claims: text that begins with { or [ is JSON,
// anything else with a key=value pair is a form. PushinPay, for one, sends either under either content type.
// The errors are Parse's, and ErrForm.
func Sniff(body []byte) (Value, error) {
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf")))
	if len(trimmed) == 0 {
		return Value{}, ErrEmpty
	}
	switch trimmed[0] {
	case '{', '[', '"':
		return Parse(trimmed)
	case '<':
		return Value{}, ErrHTML
	}
	if !bytes.Contains(trimmed, []byte("=")) {
		return Parse(trimmed)
	}
	return ParseForm(trimmed)
}

// ParseForm reads application/x-www-form-urlencoded text into an object of strings. Keys with brackets nest as PHP
// writes them (data[id]=1, items[0][hash]=x); a value that is itself a JSON object or array is read as such.
// The last of two equal keys wins. What is no form is ErrForm.
func ParseForm(body []byte) (Value, error) {
	fields, err := pairs(string(body))
	if err != nil {
		return Value{}, ErrForm
	}
	text, err := object(fields)
	if err != nil {
		return Value{}, ErrForm
	}
	return Parse(text)
}

// pair is a field of a form.
type pair struct{ name, value string }

var errSemicolon = errors.New("a semicolon between fields")

// pairs decodes a form as url.ParseQuery does, in the order of the names, the last of equal ones alone.
func pairs(form string) ([]pair, error) {
	all := make([]pair, 0, strings.Count(form, "&")+1)
	for part := range strings.SplitSeq(form, "&") {
		if strings.Contains(part, ";") {
			return nil, errSemicolon
		}
		name, value, _ := strings.Cut(part, "=")
		if part == "" {
			continue
		}
		p := pair{}
		var err error
		if p.name, err = url.QueryUnescape(name); err != nil {
			return nil, err
		}
		if p.value, err = url.QueryUnescape(value); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(all, func(a, b pair) bool { return a.name == b.name }), nil
}

// object writes fields as a JSON object.
func object(fields []pair) ([]byte, error) {
	if slices.ContainsFunc(fields, func(p pair) bool { return strings.Contains(p.name, "[") || !plain(p.name) || !plain(p.value) }) {
		root := map[string]any{}
		for _, p := range fields {
			put(root, splitName(p.name), leaf(p.value))
		}
		return json.Marshal(root)
	}
	n := 2
	for _, p := range fields {
		n += len(p.name) + len(p.value) + len(`"":"",`)
	}
	text := append(make([]byte, 0, n), '{')
	for i, p := range fields {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(append(append(text, '"'), p.name...), `":"`...), p.value...), '"')
	}
	return append(text, '}'), nil
}

// plain reports whether text is its own JSON string between quotes, and no JSON of its own.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '{' || c == '[' {
			return false
		}
	}
	return true
}

// maxFormDepth bounds nesting by brackets; deeper keys are kept flat under their whole name.
const maxFormDepth = 8

func splitName(name string) []string {
	head, rest, nested := strings.Cut(name, "[")
	if !nested || head == "" || !strings.HasSuffix(rest, "]") {
		return []string{name}
	}
	keys := append([]string{head}, strings.Split(strings.TrimSuffix(rest, "]"), "][")...)
	if len(keys) > maxFormDepth {
		return []string{name}
	}
	return keys
}

func leaf(value string) any {
	text := strings.TrimSpace(value)
	if len(text) > 1 && (text[0] == '{' || text[0] == '[') && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return value
}

func put(into map[string]any, keys []string, value any) {
	for _, key := range keys[:len(keys)-1] {
		inner, ok := into[key].(map[string]any)
		if !ok {
			inner = map[string]any{}
			into[key] = inner
		}
		into = inner
	}
	last := keys[len(keys)-1]
	if _, taken := into[last].(map[string]any); taken {
		return // a[b]=1 was there first; a plain a=2 must not hide it
	}
	into[last] = value
}
