package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// notificationColumns is a notification together with its queue row and its bot: a queued one says why it waits and when it is
// tried next. One whose bot is missing or refused is not going to be tried until PutBot.
const notificationColumns = `
       n.id, n.merchant_id, n.payment_id, n.kind, n.channel, n.state,
       CASE WHEN n.state <> 1 THEN n.reason WHEN b.bot_id IS NULL THEN 'no_bot' WHEN b.refused_at IS NOT NULL THEN 'bot_unauthorized'
            ELSE COALESCE(q.reason, '') END,
       n.message_id, COALESCE(q.attempt, n.attempts), n.created_at, n.sent_at,
       CASE WHEN n.state = 1 AND b.bot_id IS NOT NULL AND b.refused_at IS NULL THEN greatest(q.due_at, b.paused_until, b.next_at) END,
       n.carrier_bot_id, n.carrier_because
FROM notifications n
LEFT JOIN telegram_queue q ON n.state = 1 AND q.merchant_id = n.merchant_id AND q.notification_id = n.id
LEFT JOIN bots b ON n.state = 1 AND b.merchant_id = n.merchant_id AND b.bot_id = COALESCE(q.bot_id, n.bot_id)`

func (n *Notification) fields() []any {
	return []any{&n.ID, &n.MerchantID, &n.PaymentID, &n.Kind, &n.Channel, &n.State, &n.Reason, &n.MessageID, &n.Attempts,
		&n.CreatedAt, &n.SentAt, &n.NextAt, &n.Carrier, &n.Because}
}

const existingSQL = `
SELECT g.ord::int - 1,` + notificationColumns + `
JOIN unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS g (merchant_id, payment_id, key, ord)
  ON g.merchant_id = n.merchant_id AND g.payment_id = n.payment_id AND g.key = n.key`

// existing fills in what insert did not create. It runs as its own statement, so that it sees what another transaction
// committed while insert waited for it.
func (s *Store) existing(ctx context.Context, tx pgx.Tx, intents []Intent, out []Recorded) error {
	var (
		merchant, payment [][16]byte
		key               []string
		at                []int
	)
	for i, x := range intents {
		if !out[i].Created {
			merchant, payment, key, at = append(merchant, x.MerchantID), append(payment, x.PaymentID), append(key, x.Key), append(at, i)
		}
	}
	if len(at) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, existingSQL, merchant, payment, key)
	if err != nil {
		return err
	}
	found := 0
	var (
		ord int
		n   Notification
	)
	_, err = pgx.ForEachRow(rows, append([]any{&ord}, n.fields()...), func() error {
		out[at[ord]].Notification = n
		n.SentAt, n.NextAt, n.Carrier = nil, nil, nil
		found++
		return nil
	})
	if err == nil && found != len(at) {
		return fmt.Errorf("%d of %d known notifications are missing", len(at)-found, len(at))
	}
	return err
}

const listSQL = `
SELECT` + notificationColumns + `
WHERE n.merchant_id = $1 AND n.payment_id = $2
ORDER BY n.created_at, n.seq
LIMIT 500`

// List returns what was told about one sale, oldest first, at most 500. A sale of another merchant has no notifications.
func (s *Store) List(ctx context.Context, merchant, payment uuid.UUID) ([]Notification, error) {
	rows, err := s.pool.Query(ctx, listSQL, merchant, payment)
	if err != nil {
		return nil, fmt.Errorf("list notifications: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n Notification, err error) {
		err = row.Scan(n.fields()...)
		return n, err
	})
	if err != nil {
		return nil, fmt.Errorf("list notifications: %w", err)
	}
	return list, nil
}

// Merchants are few next to their sales: stepping through them and probing each costs less than one more index on the hottest
// table, since only operators ask like this.
const merchantOfSQL = `
WITH RECURSIVE m AS (
    (SELECT merchant_id FROM notifications ORDER BY merchant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.merchant_id FROM notifications n WHERE n.merchant_id > m.merchant_id ORDER BY n.merchant_id LIMIT 1)
    FROM m WHERE m.merchant_id IS NOT NULL
)
SELECT m.merchant_id FROM m
WHERE EXISTS (SELECT FROM notifications n WHERE n.merchant_id = m.merchant_id AND n.payment_id = $1)
LIMIT 1`

// MerchantOf returns whose sale it is, or ErrNotFound when nothing was told about it. Only for operators, who may ask without
// naming the merchant.
func (s *Store) MerchantOf(ctx context.Context, payment uuid.UUID) (uuid.UUID, error) {
	var merchant uuid.UUID
	if err := s.pool.QueryRow(ctx, merchantOfSQL, payment).Scan(&merchant); err != nil {
		return uuid.UUID{}, fmt.Errorf("merchant of payment %s: %w", payment, one(err))
	}
	return merchant, nil
}
