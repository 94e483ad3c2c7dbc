package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

const getSale = `
SELECT ` + saleColumns + ` FROM payments p
WHERE p.id = $1 AND ($2::uuid IS NULL OR p.merchant_id = $2)`

// Get returns a sale by our id. With a merchant given, only that merchant's sales exist.
func (s *Store) Get(ctx context.Context, id payment.ID, m *payment.MerchantID) (Sale, error) {
	rows, err := s.pool.Query(ctx, getSale, id, m)
	if err != nil {
		return Sale{}, fmt.Errorf("get sale: %w", err)
	}
	out, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (Sale, error) { return scanSale(row) })
	if err != nil {
		return Sale{}, fmt.Errorf("get sale: %w", one(err))
	}
	return out, nil
}

// Filter narrows List; zero fields do not.
type Filter struct {
	Merchant *payment.MerchantID
	State    payment.State
	Provider string
	Bot      string // our id or the external id
	From, To time.Time
	Stuck    bool // only sales that need someone, see listSales
	// Before continues behind the last sale of the page before; nil starts at the newest.
	Before *Position
	Limit  int
}

// Position is where a sale stands in List's order.
type Position struct {
	CreatedAt time.Time
	ID        payment.ID
}

// stuck is the condition of a sale p that needs someone: in review, paid and not delivered for two minutes, undeliverable, or not
// answered for long.
const stuck = `(p.state = 'needs_review' OR p.review_reason <> '' AND p.state <> 'cancelled'
       OR p.state = 'paid' AND NOT p.delivered_elsewhere AND (p.message = 'undeliverable' OR p.message <> 'sent'
          AND COALESCE(state_since(p.facts), p.recorded_at) < now() - interval '2 minutes')
       OR p.state = 'pending' AND p.last_outcome NOT IN ('', 'status', 'not_found')
          AND COALESCE(p.looked_at, p.recorded_at) < now() - interval '15 minutes')`

const listSales = `
SELECT ` + saleColumns + ` FROM payments p
WHERE ($1::uuid IS NULL OR p.merchant_id = $1)
  AND ($2 = '' OR p.state = $2)
  AND ($3 = '' OR p.provider = $3)
  AND ($4 = '' OR EXISTS (SELECT 1 FROM bots b WHERE b.merchant_id = p.merchant_id AND b.id = p.bot_id
                          AND (b.external_id = $4 OR b.id::text = lower($4))))
  AND ($5::timestamptz IS NULL OR p.created_at >= $5)
  AND ($6::timestamptz IS NULL OR p.created_at < $6)
  AND (NOT $7 OR ` + stuck + `)
  AND ($8::timestamptz IS NULL OR (p.created_at, p.id) < ($8, $9))
ORDER BY p.created_at DESC, p.id DESC LIMIT $10`

// List returns a page of sales, newest first.
func (s *Store) List(ctx context.Context, f Filter) ([]Sale, error) {
	var state string
	if f.State != 0 {
		state = f.State.String()
	}
	var before *time.Time
	var beforeID payment.ID
	if f.Before != nil {
		before, beforeID = &f.Before.CreatedAt, f.Before.ID
	}
	rows, err := s.pool.Query(ctx, listSales, f.Merchant, state, f.Provider, f.Bot, orNull(f.From), orNull(f.To), f.Stuck, before, beforeID, f.Limit)
	return collectSales(rows, err, "list sales")
}

// Match is a sale found by something that a person has in hand, and by what.
type Match struct {
	Sale
	By string // "payment_id", "external_id", "charge_hash", "charge_id", "charge_reference", "telegram_id"
}

const findSales = `
SELECT ` + saleColumns + `,
       CASE WHEN p.id::text = lower($1) THEN 'payment_id'
            WHEN p.external_id = $1 THEN 'external_id'
            WHEN p.charge_hash = $1 THEN 'charge_hash'
            WHEN lower(p.charge_id) = lower($1) THEN 'charge_id'
            WHEN p.charge_reference = $1 THEN 'charge_reference'
            WHEN p.page_key = $1 THEN 'page_key'
            ELSE 'telegram_id' END
FROM payments p
JOIN (SELECT merchant_id, id FROM payments WHERE id = $2
      UNION SELECT merchant_id, id FROM payments WHERE external_id = $1
      UNION SELECT merchant_id, id FROM payments WHERE charge_hash = $1 AND charge_hash <> ''
      UNION SELECT merchant_id, id FROM payments WHERE lower(charge_id) = lower($1) AND charge_id <> ''
      UNION SELECT merchant_id, id FROM payments WHERE charge_reference = $1 AND charge_reference <> ''
      UNION SELECT merchant_id, id FROM payments WHERE page_key = $1 AND page_key <> ''
      UNION (SELECT merchant_id, id FROM payments WHERE telegram_id = $3 AND telegram_id <> 0 AND ($4::uuid IS NULL OR merchant_id = $4)
             ORDER BY created_at DESC LIMIT 50)) AS hit
  USING (merchant_id, id)
WHERE $4::uuid IS NULL OR p.merchant_id = $4
ORDER BY p.created_at DESC, p.id DESC LIMIT 50`

// Find returns the sales that text names in any way, newest first; exact identifiers only. id and telegram are what text
// parses to, zero when it does not. With a merchant given, only that merchant's sales exist.
func (s *Store) Find(ctx context.Context, text string, id payment.ID, telegram int64, m *payment.MerchantID) ([]Match, error) {
	rows, err := s.pool.Query(ctx, findSales, text, id, telegram, m)
	if err != nil {
		return nil, fmt.Errorf("find sales: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Match, err error) {
		h.Sale, err = scanSale(row, &h.By)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("find sales: %w", err)
	}
	return out, nil
}

const listEvents = `
SELECT merchant_id, payment_id, number, at, kind, source, from_state, to_state, details, trace_id, decision
FROM payment_events WHERE merchant_id = $1 AND payment_id = $2 ORDER BY number`

// Events returns a sale's whole history, oldest first.
func (s *Store) Events(ctx context.Context, m payment.MerchantID, id payment.ID) ([]Event, error) {
	rows, err := s.pool.Query(ctx, listEvents, m, id)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Event])
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return out, nil
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
