package pg

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzClip(f *testing.F) {
	f.Add("ação\x00", 3)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 0 || n > 1<<16 {
			return
		}
		got := Clip(s, n)
		if len(got) > n || !utf8.ValidString(got) || strings.ContainsRune(got, 0) {
			t.Errorf("Clip(%q, %d) = %q", s, n, got)
		}
	})
}
