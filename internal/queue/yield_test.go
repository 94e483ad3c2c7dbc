package queue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/queue"
)

func TestLoop_yieldWaitsAsLongAsItIsAskedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, w := newTable(0), queue.NewWaker()
		until := time.Now().Add(1100 * time.Millisecond)
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 10, Workers: 4, Idle: time.Minute, Wake: w.C(),
			Yield: func() time.Duration {
				if time.Since(until) > -time.Second && time.Now().Before(until) {
					return 25 * time.Millisecond
				}
				return 0
			}})
		time.Sleep(time.Second)
		tb.set(1, nil)
		w.Wake()
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		want := []time.Duration{0, 1100 * time.Millisecond}
		if d := cmp.Diff(want, tb.claimed()); d != "" {
			t.Errorf("claims (-want +got):\n%s", d)
		}
	})
}

func TestLoop_yieldEndsWithTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(1)
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 10, Workers: 1, Idle: time.Minute,
			Yield: func() time.Duration { return time.Hour }})
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if got := tb.claimed(); len(got) != 0 {
			t.Errorf("claimed at %v", got)
		}
	})
}
