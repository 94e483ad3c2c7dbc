package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Entrusted is a sale with what the leaves must know of it.
type Entrusted struct {
	Key
	Link    bool // delivery has one
	Message bool // notifier has the buyer's
	Group   bool // the sale gives a group
	// Elsewhere sales were delivered by another system.
	Elsewhere bool
	// Effects are the names of those that are open, and of the news that they carry.
	Effects []string
}

const entrustedSales = `
SELECT p.merchant_id, p.id, p.token_issued_at IS NOT NULL, p.token_issued_at IS NOT NULL AND p.message IN ('queued', 'sent', 'maybe_sent'),
       p.group_access IS NOT NULL, p.delivered_elsewhere,
       ARRAY(SELECT e.key FROM effects e WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.id
             UNION ALL SELECT e.payload ->> 'tells' FROM effects e WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.id AND e.payload ? 'tells')
FROM payments p
WHERE (p.merchant_id, p.id) > ($1, $2) AND ($3::uuid IS NULL OR p.merchant_id = $3)
ORDER BY p.merchant_id, p.id LIMIT $4`

// EntrustedSales returns the next sales behind a key.
func EntrustedSales(ctx context.Context, tx pgx.Tx, after Key, m *payment.MerchantID, limit int) ([]Entrusted, error) {
	rows, err := tx.Query(ctx, entrustedSales, after.MerchantID, after.PaymentID, m, limit)
	if err != nil {
		return nil, fmt.Errorf("list what was entrusted: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Entrusted])
	if err != nil {
		return nil, fmt.Errorf("list what was entrusted: %w", err)
	}
	return out, nil
}

// Telling is an event from which something follows that a leaf keeps. Input is what a decision was made of, empty for none; Order and
// OrderKey are those of a link's sending.
type Telling struct {
	Key
	Number                          int
	Kind                            payment.Kind
	From                            string
	Decided                         bool
	Input, Reason, Order, OrderName string
}

const tellings = `
SELECT e.merchant_id, e.payment_id, e.number, e.kind, e.from_state, e.decision IS NOT NULL, COALESCE(e.decision ->> 'in', ''),
       COALESCE(e.details ->> 'reason', ''), COALESCE(e.details ->> 'order', ''), COALESCE(e.details ->> 'key', '')
FROM payment_events e JOIN unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, payment_id)
  ON e.merchant_id = w.merchant_id AND e.payment_id = w.payment_id
WHERE e.decision IS NOT NULL OR e.kind = ANY ($3::text[])
ORDER BY e.merchant_id, e.payment_id, e.number`

// Tellings hands the events of the sales that decided something or are of one of the kinds to do, sale by sale and in order.
func Tellings(ctx context.Context, tx pgx.Tx, sales []Entrusted, kinds []payment.Kind, do func(Telling) error) error {
	c := newColumns(len(sales), 2)
	for i := range sales {
		c.add(sales[i].MerchantID, sales[i].PaymentID)
	}
	rows, err := tx.Query(ctx, tellings, append(c.args, kinds)...)
	if err != nil {
		return fmt.Errorf("read what was to be told: %w", err)
	}
	var t Telling
	_, err = pgx.ForEachRow(rows, []any{&t.MerchantID, &t.PaymentID, &t.Number, &t.Kind, &t.From, &t.Decided, &t.Input, &t.Reason, &t.Order, &t.OrderName},
		func() error { return do(t) })
	if err != nil {
		return fmt.Errorf("read what was to be told: %w", err)
	}
	return nil
}
