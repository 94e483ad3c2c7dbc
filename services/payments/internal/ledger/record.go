package ledger

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// New sales.

// Opening is a sale to be recorded and how its history begins.
type Opening struct {
	Sale store.Sale
	// Kind is Created, Registered or Imported.
	Kind    payment.Kind
	Source  payment.Source
	Details map[string]string
	TraceID string
	// LookFrom is when the provider may first be asked; zero leaves it to the schedule.
	LookFrom time.Time
}

// Recorded is what became of one opening.
type Recorded struct {
	// Sale is the sale as stored: the new one, or the one that was there before with the same content.
	Sale    store.Sale
	Created bool
	// Err is store.ErrConflict when one of its keys belongs to a sale with other content.
	Err error
}

// Record inserts sales with their first event, statistics and schedule, in one transaction; results in the order given. A sale
// whose key was used before is returned as it is today when the content is the same, and as a conflict otherwise.
func (l *Ledger) Record(ctx context.Context, openings []Opening) ([]Recorded, error) {
	ctx, span := tracer.Start(ctx, "ledger.Record")
	defer span.End()
	var out []Recorded
	var b *book
	err := pg.InTx(ctx, l.pool, func(tx pgx.Tx) error {
		b = newBook(l, len(openings))
		out = make([]Recorded, len(openings))
		sales := make([]store.Sale, len(openings))
		for i := range openings {
			s := &openings[i].Sale
			s.EventCount, s.CreatedAt, s.UpdatedAt = 1, moment(s.CreatedAt), b.now
			if s.QRExpiresAt != nil {
				end := moment(*s.QRExpiresAt)
				s.QRExpiresAt = &end
			}
			sales[i] = openings[i].Sale
		}
		inserted, err := store.Insert(ctx, tx, sales)
		if err != nil {
			return err
		}
		var rest []store.Sale
		var at []int
		for i, o := range openings {
			if !inserted[o.Sale.ID] {
				rest, at = append(rest, o.Sale), append(at, i)
				continue
			}
			out[i] = Recorded{Sale: o.Sale, Created: true}
			b.begin(o)
		}
		if len(rest) > 0 {
			taken, err := store.Taken(ctx, tx, rest)
			if err != nil {
				return err
			}
			for n, i := range at {
				out[i] = same(taken, n, rest[n])
			}
		}
		b.schedule()
		return l.write(ctx, tx, b, nil)
	})
	if err != nil {
		return nil, fmt.Errorf("record %d sales: %w", len(openings), err)
	}
	l.wake(b.work)
	return out, nil
}

// same tells a repetition from a conflict.
func same(taken map[int]store.Sale, n int, wanted store.Sale) Recorded {
	there, ok := taken[n]
	switch {
	case !ok: // the sale that was in the way is in this very call or was inserted by a transaction that is not visible yet
		return Recorded{Err: fmt.Errorf("the same sale is being recorded at this moment: %w", store.ErrConflict)}
	case bytes.Equal(there.RequestHash, wanted.RequestHash):
		return Recorded{Sale: there}
	case wanted.IdempotencyKey != "" && there.IdempotencyKey == wanted.IdempotencyKey:
		return Recorded{Sale: there, Err: fmt.Errorf("idempotency_key: %w", store.ErrConflict)}
	case wanted.ExternalID != "" && there.ExternalID == wanted.ExternalID:
		return Recorded{Sale: there, Err: fmt.Errorf("external_id: %w", store.ErrConflict)}
	}
	return Recorded{Sale: there, Err: fmt.Errorf("charge: its identifiers belong to another sale: %w", store.ErrConflict)}
}

// begin notes a new sale's first event, its opening statistics and its schedule.
func (b *book) begin(o Opening) {
	s := o.Sale
	entries := payment.Opening(s.Payment)
	b.events = append(b.events, store.Event{MerchantID: s.MerchantID, PaymentID: s.ID, Number: 1, At: b.now, Kind: o.Kind,
		Source: o.Source, To: s.State.String(), Details: o.Details, TraceID: o.TraceID,
		Decision: &store.Decision{Delivered: s.DeliveredEver, Booked: booked(entries)}})
	b.count(&s, entries)
	p := &page{sale: s, asked: true}
	if !o.LookFrom.IsZero() {
		from := o.LookFrom.UTC()
		p.asked = false
		b.set = append(b.set, store.Look{MerchantID: s.MerchantID, PaymentID: s.ID, AccountID: s.AccountID, Provider: s.Provider,
			CreatedAt: s.CreatedAt, DueAt: from, Reason: string(payment.LookFirst)})
	}
	b.pages[store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}] = p
	b.findable = append(b.findable, s)
}
