package bench

import (
	"context"
	"errors"
	"time"

	"github.com/baixapay/baixa/sim"
)

// settleFirst is when a sale of settleProvider is first looked at, see payment.DefaultPolicy: so long may registering take.
const (
	settleProvider = sim.Paradise
	settleFirst    = 10 * time.Second
)

func settle() Bench {
	return Bench{
		Name: "settle", Help: "2,000 sales that were paid without a webhook, all due: until the last buyer has the message; and 43",
		Unit: "s", Baseline: "Formance's time for 2,000 pending payments to become paid, without delivery and message, on such a machine",
		Goals:  []Goal{{Of: Value, AtMost: 3.8}, {Of: "calls_per_sale", AtMost: 1.05}, {Of: "seconds_of_43", AtMost: 1}},
		Rounds: 3,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			s, err := e.system(ctx, market{provider: settleProvider, merchants: 4, bots: 25})
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (Numbers, error) {
				n := Numbers{Baseline: 38.3}
				few, _, err := s.settle(ctx, 43)
				if err != nil {
					return nil, err
				}
				many, calls, err := s.settle(ctx, 2000)
				if err != nil {
					return nil, err
				}
				n[Value], n["seconds_of_43"], n["calls_per_sale"] = many.Seconds(), few.Seconds(), float64(calls)/2000
				return n, nil
			}, nil
		},
	}
}

// settle takes the time from the moment at which all are due, which is one moment, to the last buyer's message.
func (s *System) settle(ctx context.Context, sales int) (took time.Duration, calls int64, err error) {
	w, err := s.wave(ctx, sales, true)
	if err != nil {
		return 0, 0, err
	}
	if err := w.PayAll(); err != nil {
		return 0, 0, err
	}
	due := w.Created.Add(settleFirst)
	if time.Now().After(due) || w.Calls() > 0 {
		return 0, 0, errors.New("the machine is too busy: the first sale was due before the last was registered")
	}
	if err := w.Messaged(ctx); err != nil {
		return 0, 0, err
	}
	for _, at := range w.arrivals() {
		took = max(took, at.Sub(due))
	}
	calls = w.Calls()
	if err := w.Told(ctx); err != nil {
		return 0, 0, err
	}
	return took, calls, w.Right(ctx)
}
