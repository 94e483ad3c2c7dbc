package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/eventlog"
)

// Event is a row of the owner log.
type Event struct {
	MerchantID, BotID uuid.UUID

	Cursor eventlog.Cursor
	JSON   []byte // an object, without the cursor
}

const eventsSQL = `
SELECT xid, seq, merchant_id, bot_id, event FROM notifications
WHERE channel = 2 AND ` + eventlog.After + `
ORDER BY ` + eventlog.Order + ` LIMIT $3`

// EventsAfter reads the owner log of all merchants, in order; with nothing new it returns the cursor it was given.
func (s *Store) EventsAfter(ctx context.Context, after eventlog.Cursor, limit int) ([]Event, eventlog.Cursor, error) {
	rows, err := s.pool.Query(ctx, eventsSQL, after.XID, after.Seq, limit)
	return collectEvents(rows, err, after)
}

const merchantEventsSQL = `
SELECT xid, seq, merchant_id, bot_id, event FROM notifications
WHERE channel = 2 AND merchant_id = $4 AND ` + eventlog.After + ` AND (cardinality($5::uuid[]) = 0 OR bot_id = ANY($5))
ORDER BY ` + eventlog.Order + ` LIMIT $3`

// MerchantEventsAfter is EventsAfter for one merchant's events; no bots means all of them.
func (s *Store) MerchantEventsAfter(ctx context.Context, merchant uuid.UUID, bots []uuid.UUID, after eventlog.Cursor, limit int) ([]Event, eventlog.Cursor, error) {
	if bots == nil {
		bots = []uuid.UUID{}
	}
	rows, err := s.pool.Query(ctx, merchantEventsSQL, after.XID, after.Seq, limit, merchant, bots)
	return collectEvents(rows, err, after)
}

func collectEvents(rows pgx.Rows, err error, after eventlog.Cursor) ([]Event, eventlog.Cursor, error) {
	if err != nil {
		return nil, after, fmt.Errorf("read owner events: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Event, err error) {
		err = row.Scan(&e.Cursor.XID, &e.Cursor.Seq, &e.MerchantID, &e.BotID, &e.JSON)
		return e, err
	})
	if err != nil {
		return nil, after, fmt.Errorf("read owner events: %w", err)
	}
	if n := len(list); n > 0 {
		after = list[n-1].Cursor
	}
	return list, after, nil
}

// Outcome is a row of the outcome log.
type Outcome struct {
	MerchantID, ID, PaymentID uuid.UUID

	Cursor      eventlog.Cursor
	Kind        string
	Channel     Channel
	State       State
	Reason      string
	MessageID   int64
	Traceparent string
	At          time.Time
	Access      *AccessNews // of channel Group
	Carrier     *uuid.UUID  // as in Notification
	Because     string
}

const outcomesSQL = `
SELECT xid, seq, merchant_id, id, payment_id, kind, channel, state, reason, message_id, traceparent, at, access, carrier_bot_id, carrier_because FROM outcomes
WHERE ` + eventlog.After + `
ORDER BY ` + eventlog.Order + ` LIMIT $3`

// OutcomesAfter reads the outcome log of all merchants, in order; with nothing new it returns the cursor it was given.
func (s *Store) OutcomesAfter(ctx context.Context, after eventlog.Cursor, limit int) ([]Outcome, eventlog.Cursor, error) {
	rows, err := s.pool.Query(ctx, outcomesSQL, after.XID, after.Seq, limit)
	if err != nil {
		return nil, after, fmt.Errorf("read outcomes: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Outcome, err error) {
		err = row.Scan(&o.Cursor.XID, &o.Cursor.Seq, &o.MerchantID, &o.ID, &o.PaymentID, &o.Kind, &o.Channel, &o.State, &o.Reason,
			&o.MessageID, &o.Traceparent, &o.At, &o.Access, &o.Carrier, &o.Because)
		return o, err
	})
	if err != nil {
		return nil, after, fmt.Errorf("read outcomes: %w", err)
	}
	if n := len(list); n > 0 {
		after = list[n-1].Cursor
	}
	return list, after, nil
}
