package prove

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// sums are what the histories of one merchant's sales booked.
type sums struct {
	merchant payment.MerchantID
	of       map[line]payment.Tally
	older    bool // some sale kept no decisions: days cannot be told apart
}

// line is the key of one sum. day is empty when days are not told apart.
type line struct {
	bot                           payment.BotID
	provider, campaign, day, name string
}

func (s *sums) add(p *store.Proven, sale payment.Payment, w *walk) {
	put := func(m payment.Metric, day string, t payment.Tally) {
		if t == (payment.Tally{}) {
			return
		}
		k := line{p.BotID, p.Provider, p.Campaign, day, m.String()}
		have := s.of[k]
		have.Count += t.Count
		have.Amount += t.Amount
		s.of[k] = have
	}
	if !w.known {
		s.older = true
		for m, t := range payment.Contribution(sale) {
			put(payment.Metric(m), "", t)
		}
		return
	}
	for k, t := range w.booked {
		put(k.metric, k.day, t)
	}
}

// begin begins another merchant's sums; those that end are compared when the batch's rows have been read.
func (p *prover) begin(m payment.MerchantID) {
	if p.sums != nil {
		p.ended = append(p.ended, p.sums)
	}
	p.sums = &sums{merchant: m, of: map[line]payment.Tally{}}
}

// compareClosed compares the sums of merchants whose sales have all been read.
func (p *prover) compareClosed(tx pgx.Tx) error {
	for _, s := range p.ended {
		if err := p.compare(tx, s); err != nil {
			return err
		}
	}
	p.ended = nil
	return nil
}

func (p *prover) closeSums(tx pgx.Tx) error {
	if p.sums == nil {
		return nil
	}
	p.ended, p.sums = append(p.ended, p.sums), nil
	return p.compareClosed(tx)
}

// compare holds the statistics against the sums.
func (p *prover) compare(tx pgx.Tx, s *sums) error {
	if s.older {
		s.of = byAllDays(s.of)
	}
	have := map[line]payment.Tally{}
	err := store.ProvenStatistics(p.ctx, tx, s.merchant, func(l store.Line) error {
		p.counts.Lines++
		k := line{l.BotID, l.Provider, l.Campaign, l.Day.Format(time.DateOnly), l.Metric}
		if s.older {
			k.day = ""
		}
		t := have[k]
		t.Count += l.Count
		t.Amount += l.Amount
		have[k] = t
		return nil
	})
	if err != nil {
		return err
	}
	for k, want := range s.of {
		if got := have[k]; got != want {
			p.differ(s.merchant, k, want, got)
		}
		delete(have, k)
	}
	for k, got := range have {
		if got != (payment.Tally{}) {
			p.differ(s.merchant, k, payment.Tally{}, got)
		}
	}
	return nil
}

func byAllDays(of map[line]payment.Tally) map[line]payment.Tally {
	out := make(map[line]payment.Tally, len(of))
	for k, t := range of {
		k.day = ""
		have := out[k]
		have.Count += t.Count
		have.Amount += t.Amount
		out[k] = have
	}
	return out
}

func (p *prover) differ(m payment.MerchantID, k line, want, got payment.Tally) {
	day := k.day
	if day == "" {
		day = "all days"
	}
	p.found(Found{Kind: "statistics_differ", MerchantID: m, Text: fmt.Sprintf("%s of bot %s at %s, campaign %q, %s: the statistics say %d and %s, the history %d and %s",
		k.name, k.bot, k.provider, k.campaign, day, got.Count, got.Amount, want.Count, want.Amount)})
}
