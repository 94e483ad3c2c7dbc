package store

import (
	"context"
	"fmt"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

// The event's time is that of the payment, and address and browser are those of the click: nobody has opened anything. Where there
// is no pixel nothing is decided; that is left to the visit that may still come. Ids are decided as in openDelivery.
const queueUnopened = `
WITH due AS (
  SELECT merchant_id, payment_id FROM deliveries WHERE purchase_after <= now()
  ORDER BY purchase_after LIMIT $1 FOR UPDATE SKIP LOCKED
), taken AS (
  UPDATE deliveries d SET purchase_after = NULL FROM due
  WHERE d.merchant_id = due.merchant_id AND d.payment_id = due.payment_id
  RETURNING d.merchant_id, d.payment_id, d.bot_id, d.pageview_id, d.fbp, d.fbc, d.traceparent, d.paid_at, d.tracking,
    d.revoked_at IS NULL AND d.first_opened_at IS NULL AS wanted
), wanted AS (
  SELECT t.*, x.bot_id AS pixel_bot_id, x.pixel_id, COALESCE(t.tracking->>'client_ip', '') AS client_ip,
    COALESCE(t.tracking->>'client_user_agent', '') AS client_user_agent
  FROM taken t CROSS JOIN LATERAL (
    SELECT bot_id, pixel_id FROM pixels WHERE merchant_id = t.merchant_id AND bot_id IN (t.bot_id, $2) ORDER BY bot_id = $2 LIMIT 1) x
  WHERE t.wanted
), shared AS (
  INSERT INTO purchases (merchant_id, payment_id, state, event_id, pixel_bot_id, pixel_id, event_time, due_at, client_ip,
    client_user_agent, fbp, fbc, traceparent)
  SELECT merchant_id, payment_id, 'queued', pageview_id, pixel_bot_id, pixel_id, paid_at, now(), client_ip, client_user_agent, fbp, fbc, traceparent
  FROM wanted WHERE pageview_id <> '' ORDER BY merchant_id, payment_id
  ON CONFLICT DO NOTHING RETURNING merchant_id, payment_id, event_id, traceparent
), own AS (
  INSERT INTO purchases (merchant_id, payment_id, state, event_id, pixel_bot_id, pixel_id, event_time, due_at, client_ip,
    client_user_agent, fbp, fbc, traceparent)
  SELECT merchant_id, payment_id, 'queued', 'purchase_' || payment_id, pixel_bot_id, pixel_id, paid_at, now(), client_ip, client_user_agent, fbp, fbc, traceparent
  FROM wanted w WHERE NOT EXISTS (SELECT FROM shared s WHERE s.merchant_id = w.merchant_id AND s.payment_id = w.payment_id)
  ORDER BY merchant_id, payment_id
  ON CONFLICT DO NOTHING RETURNING merchant_id, payment_id, event_id, traceparent
), told AS (
  INSERT INTO outcomes (merchant_id, payment_id, kind, detail, traceparent)
  SELECT merchant_id, payment_id, 'purchase_queued', event_id, traceparent FROM shared
  UNION ALL SELECT merchant_id, payment_id, 'purchase_queued', event_id, traceparent FROM own
  RETURNING merchant_id
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM told)`

// QueueUnopened queues the Purchases of up to limit links that nobody has opened for as long as their policy says, and returns how
// many links were looked at and how many Purchases that made. A link is looked at once.
func (s *Store) QueueUnopened(ctx context.Context, limit int) (looked, queued int, err error) {
	if err := s.pool.QueryRow(ctx, queueUnopened, limit, sale.BotID{}).Scan(&looked, &queued); err != nil {
		return 0, 0, fmt.Errorf("queue purchases of unopened links: %w", err)
	}
	if queued > 0 {
		s.announce()
	}
	return looked, queued, nil
}
