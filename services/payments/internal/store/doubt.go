package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Doubt is what a line of the history says of a charge whose answer was lost.
type Doubt struct {
	Key
	Reason, HTTPStatus string
}

const listDoubts = `
SELECT w.merchant_id, w.payment_id, COALESCE(e.details ->> 'reason', ''), COALESCE(e.details ->> 'http_status', '')
FROM unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, payment_id)
CROSS JOIN LATERAL (SELECT details FROM payment_events d
    WHERE d.merchant_id = w.merchant_id AND d.payment_id = w.payment_id AND d.kind = 'charge_unsure'
    ORDER BY d.number DESC LIMIT 50) e`

// Doubts lists what the history of sales that the transaction has locked says of lost answers, the newest 50 of each.
func Doubts(ctx context.Context, tx pgx.Tx, keys []Key) ([]Doubt, error) {
	merchants, ids := split(keys)
	rows, err := tx.Query(ctx, listDoubts, merchants, ids)
	if err != nil {
		return nil, fmt.Errorf("list lost answers: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Doubt, err error) {
		err = row.Scan(&d.MerchantID, &d.PaymentID, &d.Reason, &d.HTTPStatus)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("list lost answers: %w", err)
	}
	return out, nil
}
