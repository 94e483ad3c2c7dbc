package bench

import (
	"context"
	"slices"
	"time"
)

const latencyRate = 100 // webhooks a second

func latency() Bench {
	return Bench{
		Name: "latency", Help: "100 webhooks a second, open loop: from the payment at the provider to the message at Telegram, confirmation inside",
		Unit: "ms", Baseline: "Outpost's p50 from webhook in to message out at the same rate, without a confirmation inside; its p99 is 115 ms",
		Goals: []Goal{{Of: Value, AtMost: 10}, {Of: "p99_ms", AtMost: 40}}, Rounds: 3, Seconds: 10,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			s, err := e.system(ctx, market{provider: flowProvider, merchants: 4, bots: 10})
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (Numbers, error) { return s.latency(ctx, min(e.Seconds, 20)*latencyRate) }, nil
		},
	}
}

// latency pays at fixed moments whatever became of those before.
func (s *System) latency(ctx context.Context, sales int) (Numbers, error) {
	w, err := s.wave(ctx, sales, false)
	if err != nil {
		return nil, err
	}
	tick := time.NewTimer(0)
	defer tick.Stop()
	start := time.Now()
	meant := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second / latencyRate) }
	for i := range sales {
		tick.Reset(time.Until(meant(i)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := w.Pay(i); err != nil {
			return nil, err
		}
	}
	if err := w.Messaged(ctx); err != nil {
		return nil, err
	}
	arrivals := w.arrivals()
	took := make([]float64, 0, sales)
	for i, chat := range w.Chats {
		took = append(took, arrivals[chat].Sub(meant(i)).Seconds()*1000)
	}
	slices.Sort(took)
	if err := w.Told(ctx); err != nil {
		return nil, err
	}
	return Numbers{Value: quantile(took, 0.5), Baseline: 33, "p90_ms": quantile(took, 0.9), "p99_ms": quantile(took, 0.99), "max_ms": took[len(took)-1],
		"p99_of_outpost_ms": 115}, w.Right(ctx)
}
