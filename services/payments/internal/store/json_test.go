package store

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is stored is byte for byte what encoding/json writes, zero bytes apart.
func TestMarshal_asTheStandardLibrary(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z_0-9./: -]{0,20}`), rapid.StringOfN(rapid.RuneFrom([]rune("<>&\"\\\x7f\u2028\x00\x01é")), 0, 6, -1), rapid.Just("a\xff"))
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOfN(text, text, 0, 20).Draw(t, "texts")
		clean := map[string]string{}
		for name, v := range m {
			if strings.ContainsRune(name, 0) {
				delete(m, name)
				continue
			}
			clean[name] = strings.ReplaceAll(v, "\x00", "")
		}
		want, err := json.Marshal(clean)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := marshal(m); err != nil || string(got) != string(want) {
			t.Fatalf("%q, %v; encoding/json writes %q", got, err, want)
		}
	})
}
