package queue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/queue"
)

// most is a jitter that always waits the ceiling, so that back-off is exact.
func most(n int64) int64 { return n - 1 }

func TestLoop_backsOffAfterErrorsAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		tb := newTable(0)
		tb.set(0, errDown)
		w := queue.NewWaker()
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 1, Workers: 4, Idle: time.Hour, Wake: w.C(),
			Retry: queue.Backoff{Base: time.Second, Limit: 4 * time.Second, Jitter: most}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(500 * time.Millisecond)
		w.Wake() // a wake does not hammer what is down
		time.Sleep(14*time.Second - 500*time.Millisecond)
		tb.set(0, nil)
		time.Sleep(10 * time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		s := time.Second
		// 1, 2, 4, 4 seconds of back-off; the claim at 15 s succeeds and the wake that was kept claims once more.
		want := []time.Duration{0, s, 3 * s, 7 * s, 11 * s, 15 * s, 15 * s}
		if d := cmp.Diff(want, tb.claimed()); d != "" {
			t.Errorf("claims (-want +got):\n%s", d)
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != 1 {
			t.Errorf("%d error records for one lasting failure, want 1:\n%s", got, log.String())
		}
		if !strings.Contains(log.String(), "claims succeed again") || !strings.Contains(log.String(), "failures=5") {
			t.Errorf("the recovery after 5 failures is not logged:\n%s", log.String())
		}
	})
}

func TestLoop_anotherErrorIsLoggedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		tb := newTable(0)
		tb.set(0, errDown)
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 1, Workers: 1, Idle: time.Hour,
			Retry: queue.Backoff{Base: time.Second, Jitter: most}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(4 * time.Second)
		tb.set(0, errors.New("permission denied"))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != 2 {
			t.Errorf("%d error records for two different failures, want 2:\n%s", got, log.String())
		}
	})
}

func TestLoop_failingWorkHoldsBackClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(1000)
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 10, Workers: 3, Idle: time.Hour,
			Retry: queue.Backoff{Base: time.Second, Limit: time.Minute, Jitter: most},
			Work:  func(context.Context, []int) error { time.Sleep(time.Millisecond); return errDown }})
		time.Sleep(20 * time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		// Three batches fail together, which is one attempt: 1 s; then 2, 4, 8 s.
		got := tb.claimed()
		if len(got) > 3*5 {
			t.Errorf("%d claims in 20 s of failing work, want at most 15: %v", len(got), got)
		}
		if len(got) < 3*4 {
			t.Errorf("%d claims in 20 s of failing work, want at least 12: failures at once must count once: %v", len(got), got)
		}
	})
}

// TestLoop_successBegunBeforeAFailureProvesNothing: a slow batch that ends well while another one's back-off runs does not end it.
func TestLoop_successBegunBeforeAFailureProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(1000)
		var begun atomic.Int64
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 10, Workers: 2, Idle: time.Hour,
			Retry: queue.Backoff{Base: 10 * time.Second, Limit: time.Minute, Jitter: most},
			Work: func(context.Context, []int) error {
				if begun.Add(1) == 1 {
					time.Sleep(2 * time.Second)
					return nil
				}
				time.Sleep(time.Second)
				return errDown
			}})
		time.Sleep(9 * time.Second)
		if got := len(tb.claimed()); got != 2 {
			t.Errorf("%d claims within the back-off, want 2: %v", got, tb.claimed())
		}
		time.Sleep(20 * time.Second) // the second back-off is 20 s, not again 10 s
		got := len(tb.claimed())
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if got != 4 {
			t.Errorf("%d claims after 29 s, want 4: the back-off must have grown", got)
		}
	})
}

func TestLoop_stopLetsBatchesFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(1)
		var cut error
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 1, Workers: 1, Idle: time.Second, Grace: 10 * time.Second,
			Work: func(ctx context.Context, _ []int) error { time.Sleep(9 * time.Second); cut = ctx.Err(); return nil }})
		synctest.Wait()
		begin := time.Now()
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if cut != nil || time.Since(begin) != 9*time.Second {
			t.Errorf("work of 9 s within a grace of 10 s: context %v after %s, want alive after 9s", cut, time.Since(begin))
		}
		if got := len(tb.claimed()); got != 1 {
			t.Errorf("%d claims, want 1: none after the stop", got)
		}
	})
}

func TestLoop_stopDuringAClaimStillWorksItsRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		worked := 0
		stop := start(t, queue.Loop[int]{Name: "q", Batch: 1, Workers: 1, Idle: time.Second, Grace: 10 * time.Second,
			Claim: func(ctx context.Context, _ int) ([]int, error) {
				time.Sleep(time.Second)
				return []int{1}, ctx.Err()
			},
			Work: func(_ context.Context, rows []int) error { worked += len(rows); return nil }})
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if worked != 1 {
			t.Errorf("%d rows worked, want 1: rows claimed while stopping are leased already", worked)
		}
	})
}

func TestLoop_stopCancelsAfterGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(1)
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 1, Workers: 1, Grace: 2 * time.Second,
			Work: func(ctx context.Context, _ []int) error { <-ctx.Done(); return ctx.Err() }})
		synctest.Wait()
		begin := time.Now()
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if got := time.Since(begin); got != 2*time.Second {
			t.Errorf("stopped after %s, want the grace of 2s", got)
		}
	})
}

func TestLoop_stopNamesWorkThatIgnoresCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(1)
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 1, Workers: 1, Grace: 2 * time.Second,
			Work: func(context.Context, []int) error { time.Sleep(time.Hour); return nil }})
		synctest.Wait()
		begin := time.Now()
		err := stop()
		if err == nil || !strings.Contains(err.Error(), "1 batches still at work") {
			t.Errorf("Run returned %v, want an error that counts the batch", err)
		}
		if got := time.Since(begin); got != 3*time.Second {
			t.Errorf("returned after %s, want 3s: grace and a second to unwind", got)
		}
		time.Sleep(time.Hour)
	})
}

func TestLoop_stopEndsBackOffAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(0)
		tb.set(0, errDown)
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 1, Workers: 1,
			Retry: queue.Backoff{Base: time.Hour, Limit: time.Hour, Jitter: most}})
		synctest.Wait()
		begin := time.Now()
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if got := time.Since(begin); got != 0 {
			t.Errorf("stopped after %s, want at once", got)
		}
	})
}
