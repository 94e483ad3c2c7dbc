package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// Write tells a result to people: every number with its spread over the rounds.
func (r Result) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%s\tmedian\tlowest\thighest\t\n", r.Name)
	line := func(name string) {
		s := r.spread(name)
		label := name
		if name == Value || name == Baseline {
			label += ", " + r.Unit
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", label, short(s.median), short(s.low), short(s.high))
	}
	line(Value)
	line(Baseline)
	for _, name := range r.names() {
		if name != Value && name != Baseline {
			line(name)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	met := "missed"
	if r.Met {
		met = "met"
	}
	_, err := fmt.Fprintf(w, "%d rounds; baseline: %s\ngoal: %s: %s\n", len(r.rounds), r.Details["baseline_is"], r.Goal, met)
	return err
}

// List tells which benchmarks there are, with their goals.
func List(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, b := range All() {
		fmt.Fprintf(t, "%s\t%s\n\tgoal: %s\n", b.Name, b.Help, b.Goal())
	}
	return t.Flush()
}

// short is a number with as many digits as one reads.
func short(v float64) string {
	v = round(v)
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
