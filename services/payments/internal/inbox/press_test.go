package inbox

import (
	"testing"
	"time"
)

func TestPress(t *testing.T) {
	const every = 10 * time.Millisecond
	start := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		rows  int           // of a commit, one each 10 ms
		last  time.Duration // for which they come
		after time.Duration // asked so long after the last
		want  bool
	}{
		"a flood":                     {40, time.Second, 0, true},
		"one at a time, fast":         {1, time.Second, 0, false},
		"large commits, shortly":      {200, 100 * time.Millisecond, 0, false},
		"and asked when it was over":  {200, 190 * time.Millisecond, 50 * time.Millisecond, false},
		"a flood that ended just now": {40, time.Second, 50 * time.Millisecond, true},
		"a flood that ended":          {40, time.Second, 300 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			var p press
			now := start
			for ; now.Sub(start) < c.last; now = now.Add(every) {
				p.note(now, c.rows)
			}
			if got := p.now(now.Add(c.after)); got != c.want {
				t.Errorf("pressed: %t, want %t", got, c.want)
			}
		})
	}
	t.Run("as many as reading keeps up with", func(t *testing.T) {
		var p press
		now := start
		for range 10 {
			p.note(now, 200)
			now = now.Add(pressSlot)
		}
		if p.now(now) {
			t.Error("pressed by two thousand webhooks a second")
		}
	})
	t.Run("a clock that went back", func(t *testing.T) {
		var p press
		for now := start; now.Sub(start) < time.Second; now = now.Add(every) {
			p.note(now, 40)
		}
		if p.now(start.Add(-time.Hour)) {
			t.Error("still pressed by what lies ahead")
		}
	})
}
