package bench

import (
	"context"
	"time"

	"github.com/baixapay/baixa/sim"
)

// Pushinpay's sales are first looked at 30 s after they were made, so that nothing but the webhook brings the look.
const flowProvider = sim.Pushinpay

// brazil is the average rate of the day with the most PIX so far, 313.3 million on 2025-12-05.
const brazil = 313.3e6 / 86400

// flowSales is how many sales a round has: enough that how it starts and ends does not count.
const flowSales = 8000

func flow() Bench {
	return Bench{
		Name: "flow", Help: "sales a second through webhook, confirmation, ledger, link, message and owner's event, simulators included",
		Unit: "sales/s", Baseline: "the average of Brazil's record PIX day, 313.3 million on 2025-12-05",
		Goals: []Goal{{Of: Value, AtLeast: 3600}}, Rounds: 3,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			s, err := e.system(ctx, market{provider: flowProvider, merchants: 8, bots: 40})
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (Numbers, error) { return e.flow(ctx, s, flowSales) }, nil
		},
	}
}

// flow lets a wave of sales be paid at once and waits until the last owner knows that the last buyer has the message.
func (e *Env) flow(ctx context.Context, s *System, sales int) (Numbers, error) {
	w, err := s.wave(ctx, sales, false)
	if err != nil {
		return nil, err
	}
	before, err := e.use(ctx, s.Pool)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := w.PayAll(); err != nil {
		return nil, err
	}
	if err := w.Messaged(ctx); err != nil {
		return nil, err
	}
	messaged := time.Since(start)
	if err := w.Told(ctx); err != nil {
		return nil, err
	}
	took := time.Since(start)
	after, err := e.use(ctx, s.Pool)
	if err != nil {
		return nil, err
	}
	n := Numbers{Value: float64(sales) / took.Seconds(), Baseline: brazil, "messages_per_second": float64(sales) / messaged.Seconds(),
		"calls_per_sale": float64(w.Calls()) / float64(sales)}
	n.per(sales, before, after)
	return n, w.Right(ctx)
}
