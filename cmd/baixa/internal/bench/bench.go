// Package bench measures Baixa on the machine where it runs: each benchmark starts what it needs by itself (a PostgreSQL with fsync
// on in a temporary folder, the whole system, simulators of the outside world), measures, checks that what was measured is also
// right, and takes everything down again, also when it is interrupted.
//
// It refuses to write a verdict: goals are bounds on numbers, and whether they are met is computed. A number that no round
// measured is a failure, never a zero.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/baixapay/baixa/internal/run"
)

// Bench is one benchmark. A new one is a file with a function that returns it, and a line in All.
type Bench struct {
	// Name is what it is called on the command line; Help says in one line what is measured.
	Name, Help string
	// Unit of the value and the baseline.
	Unit string
	// Baseline says where the baseline comes from.
	Baseline string
	// Goals are all to be met, by the median over the rounds.
	Goals []Goal
	// Rounds is how often it is measured when the caller does not say; Seconds how long a round that lasts as long as one wants is.
	Rounds, Seconds int
	// Start prepares what all rounds need and returns the function that measures one. What it starts it gives to e.Defer.
	Start func(ctx context.Context, e *Env) (Round, error)
}

// Round measures once. An error ends the benchmark: also that what was measured was not right.
type Round func(ctx context.Context) (Numbers, error)

// The numbers that every round gives; the ratio is computed.
const (
	Value    = "value"
	Baseline = "baseline"
	Ratio    = "ratio"
)

// Numbers are what one round measured, by name: Value, Baseline and whatever else is worth telling.
type Numbers map[string]float64

// Goal is a bound on a number.
type Goal struct {
	Of string
	// AtLeast or AtMost; the other is zero. Exactly is both.
	AtLeast, AtMost float64
}

func (g Goal) String() string {
	var parts []string
	if g.AtLeast == g.AtMost {
		return fmt.Sprintf("%s = %s", g.Of, short(g.AtMost))
	}
	if g.AtLeast != 0 {
		parts = append(parts, fmt.Sprintf("%s ≥ %s", g.Of, short(g.AtLeast)))
	}
	if g.AtMost != 0 {
		parts = append(parts, fmt.Sprintf("%s ≤ %s", g.Of, short(g.AtMost)))
	}
	return strings.Join(parts, " and ")
}

func (g Goal) met(n Numbers) bool {
	v, measured := n[g.Of]
	return measured && (g.AtLeast == 0 || v >= g.AtLeast) && (g.AtMost == 0 || v <= g.AtMost)
}

// Goal is all goals in one line.
func (b Bench) Goal() string {
	parts := make([]string, len(b.Goals))
	for i, g := range b.Goals {
		parts[i] = g.String()
	}
	return strings.Join(parts, ", ")
}

// Options are what the caller may choose; zeros mean the benchmark's own.
type Options struct {
	Rounds, Seconds int
	// Rate is how many sales a second are paid where they are paid at a fixed rate.
	Rate int
	// Version is the binary's.
	Version string
	// Progress receives what is going on, for people. Nil drops it.
	Progress io.Writer
}

// Result is what a benchmark prints.
type Result struct {
	Name     string         `json:"name"`
	Value    float64        `json:"value"`
	Unit     string         `json:"unit"`
	Baseline float64        `json:"baseline"`
	Ratio    float64        `json:"ratio"`
	Goal     string         `json:"goal"`
	Met      bool           `json:"met"`
	Details  map[string]any `json:"details"`

	rounds []Numbers
}

// ErrUnknown means that no benchmark has the name; its text lists those that there are.
var ErrUnknown = errors.New("no such benchmark")

// Find returns a benchmark by its name.
func Find(name string) (Bench, error) {
	names := make([]string, 0, len(All()))
	for _, b := range All() {
		if b.Name == name {
			return b, nil
		}
		names = append(names, b.Name)
	}
	return Bench{}, fmt.Errorf("%w: %q; expected one of %s", ErrUnknown, name, strings.Join(names, ", "))
}

// Run measures. Whatever was started is stopped when it returns, also when ctx ends.
func Run(ctx context.Context, b Bench, o Options) (r Result, err error) {
	if o.Rounds < 0 || o.Seconds < 0 || o.Rate < 0 {
		return Result{}, fmt.Errorf("--rounds, --seconds and --rate: expected positive numbers, got %d, %d and %d", o.Rounds, o.Seconds, o.Rate)
	}
	o.Rounds, o.Seconds = cmp.Or(o.Rounds, max(1, b.Rounds)), cmp.Or(o.Seconds, b.Seconds)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	defer run.Thrift(ctx, 0)() // as in `baixa up`, whose limit would be too low for the load and the simulators
	dir, err := os.MkdirTemp("", "baixa-bench-")
	if err != nil {
		return Result{}, fmt.Errorf("make a folder for the benchmark: %w", err)
	}
	e := &Env{Options: o, Dir: dir}
	defer func() { err = errors.Join(err, e.close()) }()
	e.Say("%s: starting what it needs", b.Name)
	round, err := b.Start(ctx, e)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", b.Name, err)
	}
	r = Result{Name: b.Name, Unit: b.Unit, Goal: b.Goal(), Details: map[string]any{}}
	for i := range o.Rounds {
		n, err := round(ctx)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Result{}, fmt.Errorf("%s, round %d of %d: %w", b.Name, i+1, o.Rounds, err)
		}
		for _, name := range []string{Value, Baseline} {
			if v, ok := n[name]; !ok || math.IsNaN(v) || math.IsInf(v, 0) {
				return Result{}, fmt.Errorf("%s, round %d of %d: no %s was measured", b.Name, i+1, o.Rounds, name)
			}
		}
		if n[Baseline] != 0 {
			n[Ratio] = n[Value] / n[Baseline]
		}
		r.rounds = append(r.rounds, n)
		e.Say("%s: round %d of %d: %s %s", b.Name, i+1, o.Rounds, short(n[Value]), b.Unit)
	}
	return r.sum(b), nil
}

// sum puts the medians of the rounds where they belong.
func (r Result) sum(b Bench) Result {
	medians := Numbers{}
	for _, name := range r.names() {
		s := r.spread(name)
		medians[name] = s.median
		if name != Value && name != Baseline && name != Ratio {
			r.Details[name] = round(s.median)
		}
	}
	r.Value, r.Baseline, r.Ratio = round(medians[Value]), round(medians[Baseline]), round(medians[Ratio])
	r.Met = !slices.ContainsFunc(b.Goals, func(g Goal) bool { return !g.met(medians) })
	values := make([]float64, len(r.rounds))
	for i, n := range r.rounds {
		values[i] = round(n[Value])
	}
	r.Details["rounds"], r.Details["baseline_is"], r.Details["machine"] = values, b.Baseline, machine()
	return r
}

// names lists every number that some round measured.
func (r Result) names() []string {
	seen := map[string]bool{}
	var out []string
	for _, n := range r.rounds {
		for name := range n {
			if !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

type spread struct{ low, median, high float64 }

func (r Result) spread(name string) spread {
	var all []float64
	for _, n := range r.rounds {
		if v, ok := n[name]; ok {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return spread{all[0], quantile(all, 0.5), all[len(all)-1]}
}

// quantile of sorted numbers, which are at least one: the middle of two where it falls between them.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(at-float64(low))
}

// round keeps four significant digits.
func round(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}
