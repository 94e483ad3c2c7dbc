package bench

import (
	"context"
	"errors"
	"slices"
	"time"
)

// memorySales is how many sales are on their way at once.
const memorySales = 4000

func memory() Bench {
	return Bench{
		Name: "memory", Help: "resident size of `baixa up` as a process of its own, PostgreSQL and simulators apart, under flow; --seconds 600 for ten minutes",
		Unit: "MB", Baseline: "the bound of the goal, 120 MB",
		Goals: []Goal{{Of: Value, AtMost: 120}, {Of: "growth", AtMost: 1.1}}, Rounds: 1, Seconds: 30,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			s, err := e.system(ctx, market{provider: flowProvider, merchants: 8, bots: 40, outside: true})
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (Numbers, error) {
				return e.memory(ctx, s, time.Duration(e.Seconds)*time.Second)
			}, nil
		},
	}
}

// memory keeps sales flowing and reads the process's size ten times a second. The value is the largest.
func (e *Env) memory(ctx context.Context, s *System, length time.Duration) (Numbers, error) {
	watching, stop := context.WithCancel(ctx)
	sizes := make(chan []float64, 1)
	go func() {
		var all []float64
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				all = append(all, float64(residentOf(e.pid))/1e6)
			case <-watching.Done():
				sizes <- all
				return
			}
		}
	}()
	sales, started := 0, time.Now()
	err := func() error {
		defer stop()
		for time.Since(started) < length {
			if _, err := e.flow(ctx, s, memorySales); err != nil {
				return err
			}
			sales += memorySales
		}
		return nil
	}()
	all := <-sizes
	if err != nil {
		return nil, err
	}
	if len(all) < 9 || slices.Min(all) == 0 {
		return nil, errors.New("this system does not tell how large a process is")
	}
	third := len(all) / 3
	n := Numbers{Value: slices.Max(all), Baseline: 120, "first_third_mb": mean(all[third/2 : third]), "last_third_mb": mean(all[2*third:]),
		"sales_per_second": float64(sales) / time.Since(started).Seconds(), "samples": float64(len(all))}
	n["growth"] = n["last_third_mb"] / n["first_third_mb"]
	return n, nil
}

func mean(all []float64) (sum float64) {
	for _, v := range all {
		sum += v
	}
	return sum / float64(len(all))
}
