package queue_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/baixapay/baixa/internal/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table stands for the owner's SQL: rows that are due, claimed once each.
type table struct {
	mu     sync.Mutex
	due    int
	claims []time.Duration // since start, every claim
	start  time.Time
	err    error
}

func newTable(due int) *table { return &table{due: due, start: time.Now()} }

func (t *table) claim(_ context.Context, limit int) ([]int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.claims = append(t.claims, time.Since(t.start))
	if t.err != nil {
		return nil, t.err
	}
	n := min(limit, t.due)
	t.due -= n
	return make([]int, n), nil
}

func (t *table) set(due int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due, t.err = due, err
}

func (t *table) claimed() []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]time.Duration(nil), t.claims...)
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// start runs the loop inside a synctest bubble and returns what stops it and waits.
func start[T any](t *testing.T, l queue.Loop[T]) (stop func() error) {
	t.Helper()
	if l.Log == nil {
		l.Log = quiet()
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

func noWork(context.Context, []int) error { return nil }

func TestLoop_refusesAWrongDescription(t *testing.T) {
	l := queue.Loop[int]{Idle: -1}
	err := l.Run(t.Context())
	if err == nil {
		t.Fatal("Run of an empty loop succeeded")
	}
	for _, field := range []string{"Name", "Claim", "Work", "Batch", "Workers", "Idle"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

func TestLoop_idlePacesEmptyClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(0)
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 10, Workers: 2, Idle: time.Second})
		time.Sleep(3500 * time.Millisecond)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		want := []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}
		if d := cmp.Diff(want, tb.claimed()); d != "" {
			t.Errorf("claims (-want +got):\n%s", d)
		}
	})
}

func TestLoop_fullBatchesAreFollowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(25)
		var sizes []int
		var mu sync.Mutex
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 10, Workers: 1, Idle: time.Hour,
			Work: func(_ context.Context, rows []int) error {
				mu.Lock()
				defer mu.Unlock()
				sizes = append(sizes, len(rows))
				return nil
			}})
		synctest.Wait()
		if d := cmp.Diff([]time.Duration{0, 0, 0}, tb.claimed()); d != "" {
			t.Errorf("25 rows in batches of 10 (-want +got claims):\n%s", d)
		}
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if d := cmp.Diff([]int{10, 10, 5}, sizes); d != "" {
			t.Errorf("batches worked (-want +got):\n%s", d)
		}
	})
}

func TestLoop_wakeClaimsAtOnceAndCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, w := newTable(0), queue.NewWaker()
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 10, Workers: 2, Idle: time.Hour, Wake: w.C()})
		time.Sleep(time.Minute)
		for range 100 {
			w.Wake()
		}
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		got := tb.claimed()
		// The reader may take the first wake while the others come, which is one claim more.
		if len(got) < 2 || len(got) > 3 || got[1] != time.Minute {
			t.Errorf("claims at %v, want one at 0s and one or two at 1m0s", got)
		}
	})
}

func TestLoop_wakeDuringAClaimIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := queue.NewWaker()
		claims := 0
		stop := start(t, queue.Loop[int]{Name: "q", Work: noWork, Batch: 10, Workers: 1, Idle: time.Hour, Wake: w.C(),
			Claim: func(context.Context, int) ([]int, error) {
				if claims++; claims == 1 {
					w.Wake() // a row becomes due after this claim has looked
				}
				return nil, nil
			}})
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if claims != 2 {
			t.Errorf("%d claims, want 2: the wake during the first one must lead to another", claims)
		}
	})
}

func TestLoop_gatherWaitsAfterAWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, w := newTable(0), queue.NewWaker()
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 10, Workers: 1, Idle: time.Hour,
			Wake: w.C(), Gather: 2 * time.Millisecond})
		time.Sleep(time.Second)
		w.Wake()
		time.Sleep(time.Millisecond)
		w.Wake()
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		want := []time.Duration{0, time.Second + 2*time.Millisecond} // the second wake came before the claim
		if d := cmp.Diff(want, tb.claimed()); d != "" {
			t.Errorf("claims (-want +got):\n%s", d)
		}
	})
}

func TestLoop_claimsOnlyForAFreeWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(1000)
		var busy, most atomic.Int64
		release := make(chan struct{})
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 10, Workers: 3, Idle: time.Hour,
			Work: func(context.Context, []int) error {
				most.Store(max(most.Load(), busy.Add(1)))
				defer busy.Add(-1)
				<-release
				return nil
			}})
		synctest.Wait()
		if got := len(tb.claimed()); got != 3 {
			t.Errorf("%d claims while 3 workers are busy, want 3", got)
		}
		release <- struct{}{}
		synctest.Wait()
		if got := len(tb.claimed()); got != 4 {
			t.Errorf("%d claims after one of 3 workers became free, want 4", got)
		}
		close(release)
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if most.Load() != 3 {
			t.Errorf("%d batches at once, want 3", most.Load())
		}
	})
}

func TestLoop_emptyClaimKeepsNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(0)
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 1, Workers: 1, Idle: time.Second})
		time.Sleep(10*time.Second + 500*time.Millisecond)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if got := len(tb.claimed()); got != 11 {
			t.Errorf("%d claims in 10 s, want 11: an empty claim must give its worker back", got)
		}
	})
}

func TestLoop_panicIsAFailureAndTheLoopGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable(2)
		var worked atomic.Int64
		var log strings.Builder
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 1, Workers: 1, Idle: time.Second, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Work: func(context.Context, []int) error {
				if worked.Add(1) == 1 {
					panic("a body")
				}
				return nil
			}})
		time.Sleep(5 * time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if worked.Load() != 2 {
			t.Errorf("%d batches were begun, want 2", worked.Load())
		}
		if text := log.String(); !strings.Contains(text, "a value of type string") || !strings.Contains(text, "queue_test.go") || strings.Contains(text, "a body") {
			t.Errorf("the log must tell the type and the place, and not what was thrown: %s", text)
		}
	})
}

func TestLoop_timeoutBoundsClaimAndWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ends []string
		note := func(ctx context.Context, what string) error {
			begin := time.Now()
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			ends = append(ends, what+" "+time.Since(begin).String())
			return ctx.Err()
		}
		claims := 0
		stop := start(t, queue.Loop[int]{Name: "q", Batch: 1, Workers: 1, Idle: time.Hour, Timeout: 5 * time.Second,
			Retry: queue.Backoff{Base: time.Millisecond},
			Claim: func(ctx context.Context, _ int) ([]int, error) {
				if claims++; claims == 1 {
					return nil, note(ctx, "claim")
				}
				return []int{1}[:max(0, 3-claims)], nil
			},
			Work: func(ctx context.Context, _ []int) error { return note(ctx, "work") }})
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		if d := cmp.Diff([]string{"claim 5s", "work 5s"}, ends); d != "" {
			t.Errorf("ends (-want +got):\n%s", d)
		}
	})
}

var errDown = errors.New("database is down")

// A loop that is busy claims what came meanwhile together, an idle one at once, and a slow batch holds nobody for long.
func TestLoop_holdClaimsTogetherWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, w := newTable(0), queue.NewWaker()
		took := make(chan time.Duration, 3)
		took <- 20 * time.Millisecond
		took <- time.Hour
		took <- 0
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 10, Workers: 3, Idle: time.Minute, Timeout: 2 * time.Hour,
			Wake: w.C(), Hold: 100 * time.Millisecond, Grace: 2 * time.Hour,
			Work: func(context.Context, []int) error { time.Sleep(<-took); return nil }})
		arrive := func(after time.Duration) {
			time.Sleep(after)
			tb.set(1, nil)
			w.Wake()
		}
		arrive(time.Second)            // idle: claimed at once
		arrive(5 * time.Millisecond)   // waits for the end of the first, which is 15 ms away
		arrive(995 * time.Millisecond) // the second never ends, and was claimed long ago
		time.Sleep(30 * time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		want := []time.Duration{0, time.Second, 1020 * time.Millisecond, 2 * time.Second}
		if d := cmp.Diff(want, tb.claimed()[:4]); d != "" {
			t.Errorf("claims (-want +got):\n%s", d)
		}
	})
}

// Wakes that come faster than Space are one claim, and an idle loop makes it at once.
func TestLoop_spaceClaimsTogetherWhatComesFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, w := newTable(0), queue.NewWaker()
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Work: noWork, Batch: 10, Workers: 4, Idle: time.Minute,
			Wake: w.C(), Space: 25 * time.Millisecond})
		for _, after := range []time.Duration{time.Second, 10 * time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond} {
			time.Sleep(after)
			tb.set(1, nil)
			w.Wake()
		}
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		want := []time.Duration{0, time.Second, 1025 * time.Millisecond, 1120 * time.Millisecond}
		if d := cmp.Diff(want, tb.claimed()); d != "" {
			t.Errorf("claims (-want +got):\n%s", d)
		}
	})
}

// While little is in flight nothing is held: what comes is claimed at once, beside it.
func TestLoop_holdAtLetsAnIdleLoopClaimBesideItsBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, w := newTable(0), queue.NewWaker()
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 10, Workers: 4, Idle: time.Minute,
			Wake: w.C(), Hold: 100 * time.Millisecond, HoldAt: 5,
			Work: func(context.Context, []int) error { time.Sleep(50 * time.Millisecond); return nil }})
		arrive := func(rows int, after time.Duration) {
			time.Sleep(after)
			tb.set(rows, nil)
			w.Wake()
		}
		arrive(1, time.Second)
		arrive(4, 10*time.Millisecond) // 1 in flight: claimed at once
		arrive(1, 10*time.Millisecond) // 5 in flight: waits for the end of the first, at 1050 ms
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		want := []time.Duration{0, time.Second, 1010 * time.Millisecond, 1050 * time.Millisecond}
		if d := cmp.Diff(want, tb.claimed()); d != "" {
			t.Errorf("claims (-want +got):\n%s", d)
		}
	})
}

// Rows that come right after the claim of a batch that takes long wait no longer than Hold.
func TestLoop_holdEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, w := newTable(1), queue.NewWaker()
		took := make(chan time.Duration, 2)
		took <- time.Hour
		took <- 0
		stop := start(t, queue.Loop[int]{Name: "q", Claim: tb.claim, Batch: 10, Workers: 2, Idle: time.Minute, Timeout: 2 * time.Hour, Grace: 2 * time.Hour,
			Wake: w.C(), Hold: 100 * time.Millisecond, Work: func(context.Context, []int) error { time.Sleep(<-took); return nil }})
		time.Sleep(time.Millisecond)
		tb.set(1, nil)
		w.Wake()
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Fatalf("Run: %v", err)
		}
		want := []time.Duration{0, 100 * time.Millisecond}
		if d := cmp.Diff(want, tb.claimed()[:2]); d != "" {
			t.Errorf("claims (-want +got):\n%s", d)
		}
	})
}
