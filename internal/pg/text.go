package pg

import (
	"strings"
	"unicode/utf8"
)

// Clip cuts s to at most n bytes at a character's edge and takes out what PostgreSQL cannot hold: NUL bytes and what is not UTF-8.
func Clip(s string, n int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
