package provider

import (
	"testing"

	"pgregory.net/rapid"
)

// The look that spares the pattern misses nothing that it would find.
func TestPersonal_asThePatternAlone(t *testing.T) {
	part := rapid.OneOf(rapid.StringMatching(`[0-9]{1,14}`), rapid.StringMatching(`[./_ a@é-]`),
		rapid.SampledFrom([]string{"123.456.789-09", "12345678909", "123456789-09", "12.345.678/0001-95", "12345678/000195", "9f3b29870-1234-4567-8901"}))
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		for _, p := range rapid.SliceOfN(part, 0, 8).Draw(t, "parts") {
			text += p
		}
		if got, want := personal(text), personalPattern.ReplaceAllString(text, redacted); got != want {
			t.Fatalf("personal(%q) = %q, the pattern makes it %q", text, got, want)
		}
	})
}

func TestNumbered_notEveryUUID(t *testing.T) {
	for text, want := range map[string]bool{
		"9f312345-1234-4567-8901-a23456789012": true, // twelve digits in a row may be a telephone number
		"9f312345-1234-4567-8901-ab3456789012": true,
		"9f312345-1234-4567-8901-abc456789abc": false,
		"12345678-1234-4567-8901-23456789abcd": false,
		"2026-11-23 11:00:00":                  false,
	} {
		if got := numbered(text); got != want {
			t.Errorf("numbered(%q) = %v", text, got)
		}
	}
}
