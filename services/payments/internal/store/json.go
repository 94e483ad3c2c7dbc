package store

import (
	"encoding/json"
	"maps"
	"strings"
)

// marshal is the JSON of a map of texts, "{}" when it is empty. Zero bytes, which jsonb refuses, are left out: a provider's odd
// answer must not keep a history from being written.
func marshal(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	for name, text := range m {
		if strings.ContainsRune(text, 0) {
			m = maps.Clone(m)
			m[name] = strings.ReplaceAll(text, "\x00", "")
		}
	}
	raw, err := json.Marshal(m)
	return string(raw), err
}
