package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/baixapay/baixa/sim"
)

const (
	duplicateSales = 100
	copies         = 8
)

func duplicates() Bench {
	return Bench{
		Name: "duplicates", Help: "100 sales, each announced by 8 copies of its webhook at the same moment: deliveries a sale",
		Unit: "deliveries/sale", Baseline: "what Convoy delivers when copies arrive together: 220 times what it should",
		Goals: []Goal{{Of: Value, AtLeast: 1, AtMost: 1}, {Of: "loser_p99_ms", AtMost: 10}}, Rounds: 5,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			s, err := e.system(ctx, market{provider: flowProvider, merchants: 4, bots: 10})
			if err != nil {
				return nil, err
			}
			return s.duplicates, nil
		},
	}
}

// duplicates posts the copies of one sale after the other; the copies of a sale leave together.
func (s *System) duplicates(ctx context.Context) (Numbers, error) {
	w, err := s.wave(ctx, duplicateSales, true)
	if err != nil {
		return nil, err
	}
	if err := w.PayAll(); err != nil {
		return nil, err
	}
	posters := make([]*poster, copies)
	for i := range posters {
		posters[i] = newPoster()
		defer posters[i].close()
	}
	var losers, winners []float64
	for _, c := range w.Charges {
		answers, err := together(ctx, posters, c.WebhookURL, told(c))
		if err != nil {
			return nil, err
		}
		first := 0
		for _, a := range answers {
			if a.Duplicate {
				losers = append(losers, a.took.Seconds()*1000)
			} else {
				first++
				winners = append(winners, a.took.Seconds()*1000)
			}
		}
		if first != 1 {
			return nil, fmt.Errorf("%d of %d copies were told to be the first, want 1", first, copies)
		}
	}
	if err := w.Messaged(ctx); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Told(ctx), w.Right(ctx)); err != nil {
		return nil, err
	}
	slices.Sort(losers)
	slices.Sort(winners)
	return Numbers{Value: float64(w.Messages()) / duplicateSales, Baseline: 220, "loser_p50_ms": quantile(losers, 0.5), "loser_p99_ms": quantile(losers, 0.99),
		"loser_max_ms": losers[len(losers)-1], "first_p99_ms": quantile(winners, 0.99), "calls_per_sale": float64(w.Calls()) / duplicateSales}, nil
}

// told is what pushinpay posts of a paid charge.
func told(c sim.Charge) []byte {
	return []byte(url.Values{"id": {strings.ToUpper(c.ID)}, "status": {"paid"}, "value": {strconv.FormatInt(c.AmountCentavos, 10)},
		"payer_name": {"Pagador Simulado"}, "payer_national_registration": {"00000000000"}}.Encode())
}

// together has every poster send the same at the same moment.
func together(ctx context.Context, posters []*poster, address string, body []byte) ([]receipt, error) {
	answers := make([]receipt, len(posters))
	var ready sync.WaitGroup
	ready.Add(len(posters))
	g, ctx := errgroup.WithContext(ctx)
	for i, p := range posters {
		g.Go(func() (err error) {
			ready.Done()
			ready.Wait()
			answers[i], err = p.post(ctx, address, form, body)
			return err
		})
	}
	return answers, g.Wait()
}
