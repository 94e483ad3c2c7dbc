package run_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/baixapay/baixa/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// diary notes what happens, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) want(t *testing.T, lines ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if diff := cmp.Diff(lines, d.lines); diff != "" {
		t.Errorf("what happened (-want +got):\n%s", diff)
	}
}

// part runs until stopped, and takes d to stop.
func (d *diary) part(name string, stopping time.Duration) run.Part {
	return func(ctx context.Context) error {
		d.note("start " + name)
		<-ctx.Done()
		time.Sleep(stopping)
		d.note("stop " + name)
		return ctx.Err()
	}
}

func group(limit time.Duration) *run.Group {
	return &run.Group{Limit: limit, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

var errBroken = errors.New("broken")

func TestGroup_startsInOrderAndStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := group(0)
		for _, name := range []string{"postgres", "gateways", "payments"} {
			g.AddReady(name, func(ctx context.Context, ready func()) error {
				time.Sleep(time.Second)
				d.note("ready " + name)
				ready()
				ready() // twice is once
				return d.part(name, time.Second)(ctx)
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := g.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.want(t, "ready postgres", "start postgres", "ready gateways", "start gateways", "ready payments", "start payments",
			"stop payments", "stop gateways", "stop postgres")
	})
}

func TestGroup_firstErrorWinsAndStopsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := group(0)
		g.Add("a", func(ctx context.Context) error { <-ctx.Done(); return errors.New("while stopping") })
		g.Add("b", func(context.Context) error { time.Sleep(time.Second); return errBroken })
		g.Add("c", d.part("c", 0))
		g.Add("d", func(context.Context) error { time.Sleep(2 * time.Second); return errors.New("too late") })
		err := g.Run(t.Context())
		if !errors.Is(err, errBroken) || err.Error() != "b: broken" {
			t.Errorf("Run: %v, want exactly b: broken", err)
		}
		d.want(t, "start c", "stop c")
	})
}

func TestGroup_errorBeforeReadyKeepsTheRestFromStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := group(0)
		g.Add("a", d.part("a", 0))
		g.AddReady("b", func(context.Context, func()) error { time.Sleep(time.Second); return errBroken })
		g.Add("c", d.part("c", 0))
		if err := g.Run(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("Run: %v, want %v", err, errBroken)
		}
		d.want(t, "start a", "stop a")
	})
}

func TestGroup_errorOfAnEarlierPartEndsTheWaitForReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := group(0)
		g.Add("a", func(context.Context) error { time.Sleep(time.Second); return errBroken })
		g.AddReady("b", func(ctx context.Context, _ func()) error { <-ctx.Done(); return nil })
		if err := g.Run(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("Run: %v, want %v", err, errBroken)
		}
	})
}

func TestGroup_stopDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := group(0)
		g.Add("a", d.part("a", 0))
		g.AddReady("b", func(ctx context.Context, _ func()) error { return d.part("b", 0)(ctx) })
		g.Add("c", d.part("c", 0))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.want(t, "start a", "start b", "stop b", "stop a")
	})
}

func TestGroup_finishedPartsLetTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := group(0)
		g.AddReady("migrate", func(context.Context, func()) error { d.note("migrated"); return nil })
		g.Add("serve", func(context.Context) error { time.Sleep(time.Minute); d.note("served"); return nil })
		if err := g.Run(t.Context()); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.want(t, "migrated", "served")
	})
}

func TestGroup_panicIsAnErrorOfThatPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := group(0)
		g.Add("a", d.part("a", 0))
		g.Add("b", func(context.Context) error { time.Sleep(time.Second); panic("a body") })
		if err := g.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "b: panic: a value of type string in ") || strings.Contains(err.Error(), "a body") {
			t.Errorf("Run: %v, want the type alone", err)
		}
		d.want(t, "start a", "stop a")
	})
}

func TestGroup_slowPartIsLeftBehindAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := group(5 * time.Second)
		g.Add("quick", d.part("quick", 0))
		g.Add("slow", d.part("slow", time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		err := g.Run(ctx)
		if !errors.Is(err, run.ErrNotStopped) || !strings.HasPrefix(err.Error(), "slow: ") {
			t.Errorf("Run: %v, want ErrNotStopped of slow", err)
		}
		if took := time.Since(begin); took != 6*time.Second {
			t.Errorf("Run took %s, want 6s: a second of work and the limit", took)
		}
		time.Sleep(time.Hour)
		d.want(t, "start quick", "start slow", "stop quick", "stop slow")
	})
}

func TestGroup_errorWhileStoppingIsReturnedWhenThereIsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := group(0)
		g.Add("a", func(ctx context.Context) error { <-ctx.Done(); return errBroken })
		g.Add("b", func(ctx context.Context) error { <-ctx.Done(); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Run(ctx); !errors.Is(err, errBroken) || err.Error() != "a: broken" {
			t.Errorf("Run: %v, want a: broken", err)
		}
	})
}

func TestGroup_emptyEndsAtOnce(t *testing.T) {
	if err := group(0).Run(t.Context()); err != nil {
		t.Errorf("Run: %v", err)
	}
}
