package config

import (
	"strings"
	"testing"
)

// FuzzParseFile: whatever the file holds, it is taken or refused with its name, and only known keys come out.
func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{"", "a: 1", "a: {b: 2, c: [x, y]}", "a-b: 1\na: {b: 2}", "&x a: *x", "a: &x {b: *x}", "<<: {a: 1}", "- 1", "a:\n  d: {k: v}",
		"? [a]\n: b", "a: !!binary x", "---\n---\n", "\xff", "a: {b: {c: {}}}"} {
		f.Add(seed)
	}
	known := map[string]bool{"a-b": true, "a-c": true, "a-d": true, "e": true}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseFile("x.yaml", []byte(text), known)
		if err != nil {
			if !strings.Contains(err.Error(), "x.yaml") {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		for key, e := range d.values {
			if !known[key] || e.line < 1 {
				t.Fatalf("%q gives %q from line %d", text, key, e.line)
			}
		}
	})
}
