package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// CheckoutChannel is the channel of NOTIFY on which transactions tell that a sale before which a buyer waits has changed; the
// payload is "merchant payment".
const CheckoutChannel = "payments_checkout"

// Checkout is a sale as its buyer's page needs it.
type Checkout struct {
	Sale
	Seller     string     // the merchant's name
	BuyerUntil *time.Time // until when the schedule believes that the buyer waits; nil when never, or when nothing is looked at
}

const checkoutByKey = `
SELECT ` + saleColumns + `, m.name, l.buyer_until
FROM payments p JOIN merchants m ON m.id = p.merchant_id
LEFT JOIN looks l ON l.merchant_id = p.merchant_id AND l.payment_id = p.id
WHERE p.page_key = $1 AND p.page_key <> ''`

// Checkout finds a sale by the key of its buyer's page, which is all that a buyer has, or fails with ErrNotFound.
func (s *Store) Checkout(ctx context.Context, key string) (Checkout, error) {
	var out Checkout
	rows, err := s.pool.Query(ctx, checkoutByKey, key)
	if err != nil {
		return Checkout{}, fmt.Errorf("find checkout: %w", err)
	}
	out.Sale, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (Sale, error) { return scanSale(row, &out.Seller, &out.BuyerUntil) })
	if err != nil {
		return Checkout{}, fmt.Errorf("find checkout: %w", one(err))
	}
	return out, nil
}

// Shown is as much of a sale as decides what its buyer's page says.
type Shown struct {
	Key
	State       payment.State
	HasCode     bool
	QRExpiresAt *time.Time
}

const checkoutStates = `
SELECT p.merchant_id, p.id, p.state, p.copy_paste <> '', p.qr_expires_at
FROM unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, id) JOIN payments p ON p.merchant_id = w.merchant_id AND p.id = w.id`

// CheckoutStates reads many sales at once: one statement for all the pages that are open in a process.
func (s *Store) CheckoutStates(ctx context.Context, keys []Key) ([]Shown, error) {
	merchants, ids := split(keys)
	rows, err := s.pool.Query(ctx, checkoutStates, merchants, ids)
	if err != nil {
		return nil, fmt.Errorf("read checkout states: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Shown, err error) {
		err = row.Scan(&v.MerchantID, &v.PaymentID, &v.State, &v.HasCode, &v.QRExpiresAt)
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("read checkout states: %w", err)
	}
	return out, nil
}

const keepBuyers = `
UPDATE looks l SET buyer_until = $3
FROM (SELECT k.merchant_id, k.payment_id FROM unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, payment_id)
      JOIN looks k ON k.merchant_id = w.merchant_id AND k.payment_id = w.payment_id
      WHERE k.buyer_until IS NOT NULL AND k.buyer_until < $3
      ORDER BY k.merchant_id, k.payment_id FOR UPDATE OF k SKIP LOCKED) AS w
WHERE l.merchant_id = w.merchant_id AND l.payment_id = w.payment_id`

// KeepBuyers lets buyers who were noticed before wait until a later moment. When the sale is looked at stays as it is: the next
// look finds the buyer there. Sales that nobody looks at, or that the ledger holds just now, are left alone.
func (s *Store) KeepBuyers(ctx context.Context, keys []Key, until time.Time) error {
	if len(keys) == 0 {
		return nil
	}
	merchants, ids := split(keys)
	if _, err := s.pool.Exec(ctx, keepBuyers, merchants, ids, until); err != nil {
		return fmt.Errorf("keep buyers: %w", err)
	}
	return nil
}

const notifyCheckouts = `
SELECT count(pg_notify($1, merchant_id || ' ' || payment_id)) FROM unnest($2::uuid[], $3::uuid[]) AS w (merchant_id, payment_id)`

// NotifyCheckouts wakes the pages of sales in every process when tx commits.
func NotifyCheckouts(ctx context.Context, tx pgx.Tx, keys []Key) error {
	if len(keys) == 0 {
		return nil
	}
	merchants, ids := split(keys)
	if _, err := tx.Exec(ctx, notifyCheckouts, CheckoutChannel, merchants, ids); err != nil {
		return fmt.Errorf("notify checkouts: %w", err)
	}
	return nil
}

func split(keys []Key) (merchants, ids [][16]byte) {
	merchants, ids = make([][16]byte, len(keys)), make([][16]byte, len(keys))
	for i, k := range keys {
		merchants[i], ids[i] = k.MerchantID, k.PaymentID
	}
	return merchants, ids
}
