package document

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Sniff reads a webhook body by what it is, not by what its header claims: text that begins with { or [ is JSON,
// anything else with a key=value pair is a form. PushinPay, for one, sends either under either content type.
// The errors are Parse's.
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
// The last of two equal keys wins.
func ParseForm(body []byte) (Value, error) {
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return Value{}, ErrText
	}
	root := map[string]any{}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := fields[name]
		put(root, splitName(name), leaf(values[len(values)-1]))
	}
	text, err := json.Marshal(root)
	if err != nil {
		return Value{}, ErrText
	}
	return Parse(text)
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
