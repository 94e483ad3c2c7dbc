package provider

import (
	"testing"
	"time"
)

// FuzzReadTime: the quick way gives what the layouts give.
func FuzzReadTime(f *testing.F) {
	for _, text := range []string{"2026-11-23 09:00:00", "2026-11-23T09:00:00Z", "2026-11-23T09:00:00.123456789-03:00", "2026-02-30 00:00:00",
		"2026-11-23 24:00:00", "2026-11-23T09:00:00.1234567891Z", "2026-11-23 09:00:00-0300", "2026-11-23 09:00:00.", "0000-00-00 00:00:00", "2026-13-01 00:00:00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quick, ok := plainTime(text)
		if !ok {
			return
		}
		for _, layout := range layouts {
			if at, err := time.ParseInLocation(layout, text, Brasilia); err == nil {
				if !at.Equal(quick) {
					t.Errorf("%q: %s, by layout %q %s", text, quick, layout, at)
				}
				return
			}
		}
		t.Errorf("%q: %s, and no layout reads it", text, quick)
	})
}
