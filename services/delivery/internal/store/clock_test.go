package store_test

import (
	"testing"
	"time"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

func TestPullPurchases_whatNoRightClockDelays(t *testing.T) {
	for name, c := range map[string]struct {
		attempts int
		ahead    time.Duration
		want     int
	}{
		"a lease":                 {0, 10 * time.Second, 0},
		"never asked for":         {0, 3 * time.Hour, 1},
		"asked for, to come soon": {2, 3 * time.Hour, 0},
		"asked for, out of reach": {2, 30 * time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.putPixel(merchantA, sale.BotID{}, "100001")
			is := draft()
			r.issue(is)
			r.open(is)
			r.exec(`UPDATE purchases SET attempts = $1, due_at = now() + make_interval(secs => $2::float8)`, c.attempts, c.ahead.Seconds())
			if err := r.PullPurchases(r.ctx, time.Minute, 6*time.Hour); err != nil {
				t.Fatal(err)
			}
			if got := r.claim(10, time.Minute); len(got) != c.want {
				t.Errorf("%d can be claimed, want %d", len(got), c.want)
			}
		})
	}
}
