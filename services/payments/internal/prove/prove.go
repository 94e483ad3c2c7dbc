// Package prove reads the whole history and says what contradicts it: a state that no event led to, a delivery that no money paid
// for, statistics that are not the sum of what was booked, work that nothing leads on.
//
// It refuses to repair and to guess: it reads one consistent moment, changes nothing, and keeps no more in memory than a batch of
// sales and one merchant's sums. It takes the state table's word and nobody's else.
package prove

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel"

	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Config is what a proof needs. Pool and Policy are required.
type Config struct {
	Pool   *pgxpool.Pool
	Policy ledger.PolicyFunc
	// Leaves are asked about delivered sales after the history was read. Nil: nobody is asked.
	Leaves Leaves
	// Limit bounds how many counter-examples of a kind are reported; all are counted. 0 means 20.
	Limit int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Found is one contradiction.
type Found struct {
	Kind       string
	MerchantID payment.MerchantID // zero when it is about no merchant
	PaymentID  payment.ID         // zero when it is about no single sale
	Text       string
}

// Counts is what was read so far.
type Counts struct {
	Sales, Events, Deliveries, Webhooks, Effects, Looks, Lines, Asked, Older int64
	Found                                                                    map[string]int64
	At                                                                       time.Time
}

// Proved reports whether nothing contradicts the history.
func (c Counts) Proved() bool { return len(c.Found) == 0 }

const batch = 200

var tracer = otel.Tracer("github.com/baixapay/baixa/services/payments/internal/prove")

// prover is one proof.
type prover struct {
	Config
	ctx      context.Context
	merchant *payment.MerchantID
	report   func([]Found, Counts) error
	counts   Counts
	fresh    []Found
	moving   bool    // sales are being scheduled again: what has no look may get one
	sums     *sums   // of the merchant whose sales are being read
	ended    []*sums // of merchants whose sales have been read
}

// Run proves the history of a merchant, or of everybody when it is nil. report is called with what was found since the last call and the
// counts so far, after each batch; its error ends the proof. The counts are final when Run returns without an error.
func Run(ctx context.Context, c Config, m *payment.MerchantID, report func([]Found, Counts) error) (Counts, error) {
	ctx, span := tracer.Start(ctx, "prove")
	defer span.End()
	if c.Limit == 0 {
		c.Limit = 20
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	p := &prover{Config: c, ctx: ctx, merchant: m, report: report, counts: Counts{Found: map[string]int64{}, At: c.Now().UTC()}}
	tx, err := c.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return p.counts, fmt.Errorf("prove: %w", err)
	}
	err = p.history(tx)
	if end := tx.Rollback(context.WithoutCancel(ctx)); end != nil && !errors.Is(end, pgx.ErrTxClosed) {
		err = errors.Join(err, end)
	}
	if err == nil && c.Leaves != nil {
		err = p.leaves()
	}
	if err == nil {
		err = p.flush()
	}
	if err != nil {
		return p.counts, fmt.Errorf("prove: %w", err)
	}
	return p.counts, nil
}

// history reads everything that this service has.
func (p *prover) history(tx pgx.Tx) error {
	var err error
	if p.counts.Webhooks, p.counts.Effects, p.counts.Looks, p.moving, err = store.ProvenCounts(p.ctx, tx, p.merchant); err != nil {
		return err
	}
	var after store.Key
	for {
		sales, err := store.ProvenSales(p.ctx, tx, after, p.merchant, batch)
		if err != nil {
			return err
		}
		if len(sales) == 0 {
			break
		}
		after = sales[len(sales)-1].Key
		if err := p.batch(tx, sales); err != nil {
			return err
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
	if err := p.closeSums(tx); err != nil {
		return err
	}
	return store.Strays(p.ctx, tx, p.merchant, ledger.EffectKinds(), func(s store.Stray) error {
		var f Found
		f.Kind, f.Text = s.Kind, s.Text
		if s.MerchantID != nil {
			f.MerchantID = *s.MerchantID
		}
		if s.PaymentID != nil {
			f.PaymentID = *s.PaymentID
		}
		p.found(f)
		return nil
	})
}

// batch proves some sales, in the order of their keys.
func (p *prover) batch(tx pgx.Tx, sales []store.Proven) error {
	next := 0
	var w *walk
	end := func() { // the sale whose events have been read
		s := &sales[next]
		next++
		if p.sums == nil || p.sums.merchant != s.MerchantID {
			p.begin(s.MerchantID)
		}
		if w == nil {
			w = newWalk()
		}
		p.conclude(s, w)
		w = nil
	}
	err := store.ProvenEvents(p.ctx, tx, sales, func(e store.ProvenEvent) error {
		for sales[next].Key != e.Key {
			end()
		}
		if w == nil {
			w = newWalk()
		}
		p.counts.Events++
		w.step(e)
		return nil
	})
	if err != nil {
		return err
	}
	for next < len(sales) {
		end()
	}
	return p.compareClosed(tx)
}

// found notes a contradiction; beyond the limit it is only counted.
func (p *prover) found(f Found) {
	p.counts.Found[f.Kind]++
	if p.counts.Found[f.Kind] <= int64(p.Limit) {
		p.fresh = append(p.fresh, f)
	}
}

func (p *prover) flush() error {
	fresh := p.fresh
	p.fresh = nil
	return p.report(fresh, p.counts)
}
