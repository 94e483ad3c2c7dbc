package bench

import (
	"cmp"
	"context"
	"slices"
	"time"
)

const latencyRate = 100 // webhooks a second, unless another is asked for

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
			rate := cmp.Or(e.Rate, latencyRate)
			return func(ctx context.Context) (Numbers, error) {
				return e.latency(ctx, s, min(e.Seconds*rate, 20*latencyRate), rate)
			}, nil
		},
	}
}

// latency pays at fixed moments, rate a second, whatever became of those before.
func (e *Env) latency(ctx context.Context, s *System, sales, rate int) (Numbers, error) {
	w, err := s.wave(ctx, sales, false)
	if err != nil {
		return nil, err
	}
	before, err := e.use(ctx, s.Pool)
	if err != nil {
		return nil, err
	}
	tick := time.NewTimer(0)
	defer tick.Stop()
	start := time.Now()
	meant := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second / time.Duration(rate)) }
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
	paid := make(map[int64]time.Time, sales)
	for i, chat := range w.Chats {
		paid[chat] = meant(i)
		took = append(took, arrivals[chat].Sub(paid[chat]).Seconds()*1000)
	}
	slices.Sort(took)
	if err := w.Told(ctx); err != nil {
		return nil, err
	}
	after, err := e.use(ctx, s.Pool)
	if err != nil {
		return nil, err
	}
	if err := w.Right(ctx); err != nil {
		return nil, err
	}
	n, err := w.waterfall(ctx, paid, arrivals)
	if err != nil {
		return nil, err
	}
	n[Value], n[Baseline], n["p90_ms"], n["p99_ms"], n["max_ms"] = quantile(took, 0.5), 33, quantile(took, 0.9), quantile(took, 0.99), took[len(took)-1]
	n.per(sales, before, after)
	n["p99_of_outpost_ms"], n["rate"] = 115, float64(rate)
	return n, nil
}
