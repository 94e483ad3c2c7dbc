package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg"
)

// Health counts what waits and what happened in the last 24 hours.
type Health struct {
	Queued                         int64
	OldestQueuedAt                 *time.Time // nil when nothing waits
	Sent, Undeliverable, MaybeSent int64
	RefusedBots                    []uuid.UUID // at most 100
	OwnerEvents                    int64

	Broken      int64      // accesses that wait for their owner
	BrokenSale  *uuid.UUID // the newest one's; nil when there is none
	Disabled    int64      // endpoints
	FailingLong int64      // endpoints that are enabled and have failed for a while

	Carried        int64  // messages that a fallback bot carried
	CarriedBecause string // the reason of most of them
}

// Owners' events are looked for merchant by merchant, from the first id of the last 24 hours on ($2): an id begins with the time at which a process made it, by a
// clock that may be an hour wrong. An index of times costs each row a tenth of its insert.
const healthSQL = `
WITH RECURSIVE told AS (
    (SELECT merchant_id FROM notifications WHERE merchant_id >= COALESCE($1, '00000000-0000-0000-0000-000000000000'::uuid) ORDER BY merchant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.merchant_id FROM notifications n WHERE n.merchant_id > told.merchant_id ORDER BY n.merchant_id LIMIT 1)
    FROM told WHERE told.merchant_id IS NOT NULL AND $1::uuid IS NULL
)
SELECT w.n, w.oldest, o.sent, o.undeliverable, o.maybe_sent, b.refused, e.n, a.n, a.newest, p.disabled, p.failing, o.carried, o.because
FROM (SELECT count(*) AS n, min(created_at) AS oldest FROM telegram_queue
      WHERE state < 2 AND ($1::uuid IS NULL OR merchant_id = $1)) w,
     (SELECT count(*) FILTER (WHERE state = 2) AS sent, count(*) FILTER (WHERE state = 3) AS undeliverable,
             count(*) FILTER (WHERE state = 4) AS maybe_sent,
             count(*) FILTER (WHERE carrier_bot_id IS NOT NULL) AS carried,
             COALESCE(mode() WITHIN GROUP (ORDER BY carrier_because) FILTER (WHERE carrier_bot_id IS NOT NULL), '') AS because
      FROM outcomes WHERE channel = 1 AND at > now() - interval '24 hours' AND ($1::uuid IS NULL OR merchant_id = $1)) o,
     (SELECT COALESCE(array_agg(r.bot_id), '{}') AS refused
      FROM (SELECT bot_id FROM bots WHERE refused_at IS NOT NULL AND ($1::uuid IS NULL OR merchant_id = $1)
            ORDER BY refused_at DESC LIMIT 100) r) b,
     (SELECT COALESCE(sum(c.n), 0)::bigint AS n FROM told CROSS JOIN LATERAL (
          SELECT count(*) AS n FROM notifications n
          WHERE n.merchant_id = told.merchant_id AND n.id >= $2 AND n.channel = 2 AND n.created_at > now() - interval '24 hours') c
      WHERE $1::uuid IS NULL OR told.merchant_id = $1) e,
     (SELECT count(*) AS n, (array_agg(payment_id ORDER BY created_at DESC))[1] AS newest FROM accesses
      WHERE state = 6 AND ($1::uuid IS NULL OR merchant_id = $1)) a,
     (SELECT count(*) FILTER (WHERE disabled_reason <> '') AS disabled,
             count(*) FILTER (WHERE disabled_reason = '' AND failing_since < now() - interval '15 minutes') AS failing
      FROM endpoints WHERE $1::uuid IS NULL OR merchant_id = $1) p`

// Health counts for one merchant, or for all when merchant is nil.
func (s *Store) Health(ctx context.Context, merchant *uuid.UUID) (Health, error) {
	var h Health
	err := s.pool.QueryRow(ctx, healthSQL, merchant, uuid.UUID(pg.FirstID(time.Now().Add(-25*time.Hour)))).
		Scan(&h.Queued, &h.OldestQueuedAt, &h.Sent, &h.Undeliverable, &h.MaybeSent, &h.RefusedBots, &h.OwnerEvents, &h.Broken, &h.BrokenSale,
			&h.Disabled, &h.FailingLong, &h.Carried, &h.CarriedBecause)
	if err != nil {
		return Health{}, fmt.Errorf("count notifications: %w", err)
	}
	return h, nil
}
