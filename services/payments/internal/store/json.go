package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// marshal is the JSON of a map of texts, its names in order, "{}" when it is empty. Zero bytes, which jsonb refuses, are left out: a provider's
// odd answer must not keep a history from being written. By hand, because a sale has half a dozen of them and encoding/json sorts by reflection.
func marshal(m map[string]string) ([]byte, error) {
	if len(m) == 0 {
		return []byte("{}"), nil
	}
	size, room := 1, [16]string{}
	names := room[:0]
	for name, text := range m {
		names = append(names, name)
		size += len(name) + len(text) + len(`"":"",`)
	}
	slices.Sort(names)
	out := append(make([]byte, 0, size), '{')
	var err error
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendText(out, name); err != nil {
			return nil, err
		}
		if out, err = appendText(append(out, ':'), m[name]); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// appendText appends a text as JSON, as encoding/json writes it.
func appendText(out []byte, text string) ([]byte, error) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			raw, err := json.Marshal(strings.ReplaceAll(text, "\x00", ""))
			if err != nil {
				return nil, fmt.Errorf("a text as JSON: %w", err)
			}
			return append(out, raw...), nil
		}
	}
	return append(append(append(out, '"'), text...), '"'), nil
}
