package store

import "encoding/json"

// marshal is the JSON of a map of texts, "{}" when it is empty.
func marshal(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	raw, err := json.Marshal(m)
	return string(raw), err
}
