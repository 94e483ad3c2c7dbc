package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// ErrUnreadable means that a sale's row cannot be read: somebody edited it by hand. Nothing may be decided about such a sale.
var ErrUnreadable = errors.New("the sale's stored row cannot be read")

// Unreadable is a sale whose row cannot be read, and what is wrong with it. It is an error that wraps ErrUnreadable.
type Unreadable struct {
	Key
	Why string
}

func (u Unreadable) Error() string {
	return fmt.Sprintf("payment %s: %s: %s", u.PaymentID, ErrUnreadable, u.Why)
}

// Unwrap makes errors.Is find ErrUnreadable.
func (u Unreadable) Unwrap() error { return ErrUnreadable }

// ReadFacts reads stored facts and says what is wrong with those that cannot be what a decision wrote; the text quotes nothing.
func ReadFacts(raw []byte) (f payment.Facts, wrong string) {
	if err := json.Unmarshal(raw, &f); err != nil {
		return payment.Facts{}, "its facts are not what decisions write"
	}
	if f.PaidAmount != nil && *f.PaidAmount < 0 {
		return payment.Facts{}, "its facts name a negative amount"
	}
	for _, x := range f.Extras {
		if x.Amount < 0 {
			return payment.Facts{}, "its facts name a negative amount"
		}
	}
	return f, ""
}

// scannedSale reads a row of saleColumns, and keeps apart what is wrong with it.
func scannedSale(row pgx.CollectableRow, more ...any) (s Sale, wrong string, err error) {
	var state string
	var facts []byte
	if err := row.Scan(append(s.targetsWith(&state, &facts), more...)...); err != nil {
		return s, "", err
	}
	return s, s.read(state, facts), nil
}

// read reads what is stored as text, and says what is wrong with it.
func (s *Sale) read(state string, facts []byte) (wrong string) {
	if s.State, _ = payment.ParseState(state); s.State == 0 {
		return "its state is no state"
	}
	s.Facts, wrong = ReadFacts(facts)
	return wrong
}

// sortSales divides rows, of which about so many are expected, into sales and those that cannot be read.
func sortSales(rows pgx.Rows, err error, doing string, expected int) (sales []Sale, bad []Unreadable, _ error) {
	if err == nil {
		sales = make([]Sale, 0, expected) // a sale is wide: growing by doubling would copy each twice
		var s Sale
		var state string
		var facts []byte
		_, err = pgx.ForEachRow(rows, s.targetsWith(&state, &facts), func() error {
			if wrong := s.read(state, facts); wrong != "" {
				bad = append(bad, Unreadable{Key{s.MerchantID, s.ID}, wrong})
			} else {
				sales = append(sales, s)
			}
			s = Sale{}
			return nil
		})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", doing, err)
	}
	return sales, bad, nil
}

// HeldEntry is something that happened to a sale while its row could not be read.
type HeldEntry struct {
	Key
	Entry json.RawMessage
}

const holdSales = `
INSERT INTO held_sales AS h (merchant_id, payment_id, why, found_at)
SELECT merchant_id, payment_id, why, $4 FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS w (merchant_id, payment_id, why)
ORDER BY merchant_id, payment_id
ON CONFLICT (merchant_id, payment_id) DO UPDATE SET why = EXCLUDED.why`

const holdLooks = `
UPDATE looks l SET leased_until = NULL, due_at = $3
FROM unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, payment_id)
WHERE l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id`

const holdEffects = `
UPDATE effects e SET leased_until = NULL, due_at = $3, last_error = 'unreadable'
FROM unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, payment_id)
WHERE e.merchant_id = w.merchant_id AND e.payment_id = w.payment_id`

const holdEntries = `
INSERT INTO held_entries (merchant_id, payment_id, entry)
SELECT merchant_id, payment_id, entry::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS w (merchant_id, payment_id, entry, n) ORDER BY n`

// heldFor is when looks and effects of a held sale are tried again though nobody has let it go: ReleaseSale makes them due long before.
const heldFor = 24 * time.Hour

// Hold sets sales that cannot be read aside: they are named in held_sales, their looks and effects are not due, and entries are kept for
// ReleaseSale. Holding one again keeps since when it is held.
func Hold(ctx context.Context, tx pgx.Tx, bad []Unreadable, entries []HeldEntry, now time.Time) error {
	if len(bad) == 0 {
		return nil
	}
	keys, why := newColumns(len(bad), 2), newColumns(len(bad), 3)
	for _, u := range bad {
		keys.add(u.MerchantID, u.PaymentID)
		why.add(u.MerchantID, u.PaymentID, u.Why)
	}
	batch := &pgx.Batch{}
	batch.Queue(holdSales, append(why.args, now)...)
	batch.Queue(holdLooks, append(keys.args[:2:2], now.Add(heldFor))...)
	batch.Queue(holdEffects, append(keys.args[:2:2], now.Add(heldFor))...)
	if len(entries) > 0 {
		c := newColumns(len(entries), 3)
		for _, e := range entries {
			c.add(e.MerchantID, e.PaymentID, string(e.Entry))
		}
		batch.Queue(holdEntries, c.args...)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("hold sales: %w", err)
	}
	return nil
}

// HeldSale is a sale that is set aside.
type HeldSale struct {
	Key
	Why     string
	FoundAt time.Time
}

const heldSales = `
SELECT merchant_id, payment_id, why, found_at FROM held_sales
WHERE ($1::uuid IS NULL OR merchant_id = $1) AND (merchant_id, payment_id) > ($2, $3)
ORDER BY merchant_id, payment_id LIMIT $4`

// HeldSales lists what is set aside, behind a key, in the order of keys.
func (s *Store) HeldSales(ctx context.Context, m *payment.MerchantID, after Key, limit int) ([]HeldSale, error) {
	rows, err := s.pool.Query(ctx, heldSales, m, after.MerchantID, after.PaymentID, limit)
	if err != nil {
		return nil, fmt.Errorf("list held sales: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h HeldSale, err error) {
		err = row.Scan(&h.MerchantID, &h.PaymentID, &h.Why, &h.FoundAt)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("list held sales: %w", err)
	}
	return out, nil
}

const countHeld = `
SELECT count(*), COALESCE((array_agg(payment_id ORDER BY found_at, payment_id))[1]::text, '') FROM held_sales WHERE $1::uuid IS NULL OR merchant_id = $1`

// CountHeld says how many sales are set aside, and names the one that is for the longest; empty when there is none.
func (s *Store) CountHeld(ctx context.Context, m *payment.MerchantID) (n int64, sample string, err error) {
	if err := s.pool.QueryRow(ctx, countHeld, m).Scan(&n, &sample); err != nil {
		return 0, "", fmt.Errorf("count held sales: %w", err)
	}
	return n, sample, nil
}

const releaseSale = `DELETE FROM held_sales WHERE merchant_id = $1 AND payment_id = $2`

const releaseEntries = `
WITH gone AS (DELETE FROM held_entries WHERE merchant_id = $1 AND payment_id = $2 RETURNING number, entry)
SELECT entry FROM gone ORDER BY number`

const releaseEffects = `
UPDATE effects SET due_at = $3, last_error = '' WHERE merchant_id = $1 AND payment_id = $2 AND last_error = 'unreadable'`

// ReleaseSale lets a sale go whose row the transaction has locked and read: its effects are due, and what happened in the meantime is
// returned in its order. Its look is the caller's to set.
func ReleaseSale(ctx context.Context, tx pgx.Tx, k Key, now time.Time) ([]json.RawMessage, error) {
	if _, err := tx.Exec(ctx, releaseSale, k.MerchantID, k.PaymentID); err != nil {
		return nil, fmt.Errorf("release sale: %w", err)
	}
	if _, err := tx.Exec(ctx, releaseEffects, k.MerchantID, k.PaymentID, now); err != nil {
		return nil, fmt.Errorf("release effects: %w", err)
	}
	rows, err := tx.Query(ctx, releaseEntries, k.MerchantID, k.PaymentID)
	if err != nil {
		return nil, fmt.Errorf("release entries: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	if err != nil {
		return nil, fmt.Errorf("release entries: %w", err)
	}
	return out, nil
}
