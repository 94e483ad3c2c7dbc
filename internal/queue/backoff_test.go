package queue_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/baixapay/baixa/internal/queue"
)

func TestBackoff_ceilingDoublesToLimit(t *testing.T) {
	b := queue.Backoff{Base: 100 * time.Millisecond, Limit: time.Second}
	var got []time.Duration
	for attempt := -1; attempt <= 6; attempt++ {
		got = append(got, b.Ceiling(attempt))
	}
	ms := time.Millisecond
	want := []time.Duration{100 * ms, 100 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, time.Second, time.Second}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ceilings of attempts -1 to 6 (-want +got):\n%s", d)
	}
}

func TestBackoff_zeroValueHasDefaults(t *testing.T) {
	var b queue.Backoff
	if got := b.Ceiling(1); got != queue.DefaultBackoffBase {
		t.Errorf("Ceiling(1) = %s, want %s", got, queue.DefaultBackoffBase)
	}
	if got := b.Ceiling(1 << 40); got != queue.DefaultBackoffLimit {
		t.Errorf("Ceiling of a huge attempt = %s, want %s", got, queue.DefaultBackoffLimit)
	}
}

func TestBackoff_jitterIsInjectedAndFull(t *testing.T) {
	asked := int64(0)
	b := queue.Backoff{Base: time.Second, Limit: time.Minute, Jitter: func(n int64) int64 { asked = n; return n - 1 }}
	if got := b.Delay(3); got != 4*time.Second {
		t.Errorf("Delay(3) with the greatest jitter = %s, want 4s", got)
	}
	if asked != int64(4*time.Second) {
		t.Errorf("jitter was asked for [0, %d), want [0, %d)", asked, int64(4*time.Second))
	}
	b.Jitter = func(int64) int64 { return 0 }
	if got := b.Delay(3); got <= 0 || got > time.Microsecond {
		t.Errorf("Delay(3) with the least jitter = %s, want just above zero", got)
	}
}

func TestBackoff_alwaysWithinLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := queue.Backoff{
			Base:  time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "base")),
			Limit: time.Duration(rapid.Int64Range(1, int64(1000*time.Hour)).Draw(t, "limit")),
		}
		attempt := rapid.Int().Draw(t, "attempt")
		if d := b.Delay(attempt); d <= 0 || d > max(b.Base, b.Limit) {
			t.Fatalf("Delay(%d) = %s, want within (0, %s]", attempt, d, max(b.Base, b.Limit))
		}
		if a, n := b.Ceiling(attempt), b.Ceiling(attempt/2); attempt > 0 && a < n {
			t.Fatalf("Ceiling(%d) = %s is less than that of attempt %d, %s", attempt, a, attempt/2, n)
		}
	})
}
