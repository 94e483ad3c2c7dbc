package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

func measured(values ...float64) func(context.Context, *Env) (Round, error) {
	return func(_ context.Context, e *Env) (Round, error) {
		i := -1
		return func(context.Context) (Numbers, error) {
			i++
			return Numbers{Value: values[i], Baseline: 10, "p99_ms": 5}, nil
		}, nil
	}
}

func TestRun_judgesTheMedian(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		goals  []Goal
		want   bool
	}{
		"high enough":         {[]float64{1, 30, 40}, []Goal{{Of: Value, AtLeast: 30}}, true},
		"too low":             {[]float64{50, 29, 1}, []Goal{{Of: Value, AtLeast: 30}}, false},
		"low enough":          {[]float64{3}, []Goal{{Of: Ratio, AtMost: 0.3}}, true},
		"too high":            {[]float64{4}, []Goal{{Of: Ratio, AtMost: 0.3}}, false},
		"exact":               {[]float64{1, 1}, []Goal{{Of: Value, AtLeast: 1, AtMost: 1}}, true},
		"not exact":           {[]float64{1, 1.02}, []Goal{{Of: Value, AtLeast: 1, AtMost: 1}}, false},
		"one of two missed":   {[]float64{30}, []Goal{{Of: Value, AtLeast: 30}, {Of: "p99_ms", AtMost: 4}}, false},
		"not measured at all": {[]float64{30}, []Goal{{Of: "p50_ms", AtMost: 4}}, false},
	} {
		r, err := Run(t.Context(), Bench{Name: "x", Goals: c.goals, Start: measured(c.values...)}, Options{Rounds: len(c.values)})
		if err != nil || r.Met != c.want {
			t.Errorf("%s: met is %v (%v), want %v", name, r.Met, err, c.want)
		}
		if r.Ratio != r.Value/10 {
			t.Errorf("%s: ratio %v of %v to 10", name, r.Ratio, r.Value)
		}
	}
}

func TestRun_stopsWhatItStarted(t *testing.T) {
	wrong := errors.New("99 deliveries, want 100")
	var dir string
	var stopped []int
	b := Bench{Name: "x", Start: func(_ context.Context, e *Env) (Round, error) {
		dir = e.Dir
		for i := range 3 {
			e.Defer(func() error { stopped = append(stopped, i); return nil })
		}
		return func(context.Context) (Numbers, error) { return Numbers{Value: 1, Baseline: 1}, wrong }, nil
	}}
	if _, err := Run(t.Context(), b, Options{}); !errors.Is(err, wrong) {
		t.Errorf("error %v, want %v", err, wrong)
	}
	if len(stopped) != 3 || stopped[0] != 2 || stopped[2] != 0 {
		t.Errorf("stopped in the order %v, want the last first", stopped)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestRun_interruptedMeasuresNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := Bench{Name: "x", Start: func(context.Context, *Env) (Round, error) {
		return func(context.Context) (Numbers, error) { cancel(); return Numbers{Value: 1, Baseline: 1}, nil }, nil
	}}
	if _, err := Run(ctx, b, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
}

func TestRun_refusesWhatWasNotMeasured(t *testing.T) {
	b := Bench{Name: "x", Start: func(context.Context, *Env) (Round, error) {
		return func(context.Context) (Numbers, error) { return Numbers{Value: 1}, nil }, nil
	}}
	if _, err := Run(t.Context(), b, Options{}); err == nil || !strings.Contains(err.Error(), "no baseline") {
		t.Errorf("error %v, want one about the baseline", err)
	}
	if _, err := Run(t.Context(), b, Options{Rounds: -1}); err == nil || !strings.Contains(err.Error(), "--rounds") {
		t.Errorf("error %v, want one about --rounds", err)
	}
}

func TestAll_areComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range All() {
		if seen[b.Name] || b.Help == "" || b.Unit == "" || b.Baseline == "" || len(b.Goals) == 0 || b.Start == nil {
			t.Errorf("%q is there twice or lacks something", b.Name)
		}
		seen[b.Name] = true
		for _, g := range b.Goals {
			if g.AtLeast == 0 && g.AtMost == 0 {
				t.Errorf("%s: the goal %q bounds nothing", b.Name, g.Of)
			}
		}
	}
	if _, err := Find("nothing"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "flow") {
		t.Errorf("error %v, want one that lists what there is", err)
	}
}

// A value that a wave claims must be of sales that are right: the whole system is run once, in small.
func TestFlow_smallWaveIsRight(t *testing.T) {
	b := flow()
	b.Start = func(ctx context.Context, e *Env) (Round, error) {
		s, err := e.system(ctx, market{provider: flowProvider, merchants: 2, bots: 2})
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (Numbers, error) { return e.flow(ctx, s, 20) }, nil
	}
	r, err := Run(t.Context(), b, Options{Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Value <= 0 || r.Details["calls_per_sale"] != 1.0 {
		t.Errorf("%v sales a second with %v calls each", r.Value, r.Details["calls_per_sale"])
	}
}

// The stages of a sale are those between its payment and its message, so together they are what it took.
func TestLatency_stagesAreTheWhole(t *testing.T) {
	b := latency()
	r, err := Run(t.Context(), b, Options{Rounds: 1, Seconds: 1, Rate: 1})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, name := range stages {
		took, ok := r.Details[fmt.Sprintf("stage_%d_%s_ms", i+1, name)].(float64)
		if !ok {
			t.Errorf("nothing is told of the stage %s", name)
		}
		sum += took
	}
	if math.Abs(sum-r.Value) > r.Value/100+0.1 {
		t.Errorf("the stages of one sale took %v ms, and the sale %v", sum, r.Value)
	}
}
