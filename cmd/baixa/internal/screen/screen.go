// Package screen makes text fit for a terminal: broken into lines, and without anything that could steer it.
package screen

import (
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
)

// Wrap breaks a text into lines of at most n columns; a word that is longer has a line of its own.
func Wrap(text string, n int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(Clean(text)) {
		size := lipgloss.Width(word)
		if line != "" && used+1+size > n {
			lines, line, used = append(lines, line), "", 0
		}
		if line != "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+size
	}
	return append(lines, line)
}

// Clean takes out what could steer a terminal.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, text)
}
