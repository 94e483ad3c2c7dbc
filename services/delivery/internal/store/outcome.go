package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

// OutcomeKind names what happened; the text is stored.
type OutcomeKind string

// The kinds of outcomes.
const (
	OutcomeOpened        OutcomeKind = "opened"
	OutcomeQueued        OutcomeKind = "purchase_queued"
	OutcomeSent          OutcomeKind = "purchase_sent"
	OutcomeFailed        OutcomeKind = "purchase_failed"
	OutcomeNotConfigured OutcomeKind = "purchase_not_configured"
	OutcomePixelPaused   OutcomeKind = "pixel_paused"
	OutcomePixelMissing  OutcomeKind = "pixel_missing"
	OutcomeAccessMissing OutcomeKind = "access_missing"
)

// Outcome is one row of the log. Its cursor is unique and serves as its id.
type Outcome struct {
	sale.Key
	Cursor      eventlog.Cursor
	Kind        OutcomeKind
	At          time.Time
	Detail      string
	Traceparent string
}

const readOutcomes = `
SELECT merchant_id, payment_id, kind, at, detail, traceparent, xid, seq FROM outcomes
WHERE ` + eventlog.After + ` AND ($4::uuid IS NULL OR merchant_id = $4)
ORDER BY ` + eventlog.Order + ` LIMIT $3`

// Outcomes returns what happened after the cursor, at most limit rows, and the cursor behind them. m nil means all merchants.
func (s *Store) Outcomes(ctx context.Context, after eventlog.Cursor, limit int, m *sale.MerchantID) ([]Outcome, eventlog.Cursor, error) {
	rows, err := s.pool.Query(ctx, readOutcomes, after.XID, after.Seq, limit, m)
	if err != nil {
		return nil, after, fmt.Errorf("read outcomes: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Outcome, err error) {
		err = row.Scan(&o.Merchant, &o.Payment, &o.Kind, &o.At, &o.Detail, &o.Traceparent, &o.Cursor.XID, &o.Cursor.Seq)
		return o, err
	})
	if err != nil {
		return nil, after, fmt.Errorf("read outcomes: %w", err)
	}
	if len(out) > 0 {
		after = out[len(out)-1].Cursor
	}
	return out, after, nil
}

// Follow delivers outcomes from the cursor on, in order and without end, until ctx is done, deliver fails or the database does.
func (s *Store) Follow(ctx context.Context, after eventlog.Cursor, batch int, m *sale.MerchantID, deliver func(context.Context, []Outcome) error) error {
	return eventlog.Follow(ctx, s.log, eventlog.Feed[Outcome]{
		After: after, Batch: batch, Deliver: deliver,
		Read: func(ctx context.Context, after eventlog.Cursor, limit int) ([]Outcome, eventlog.Cursor, error) {
			return s.Outcomes(ctx, after, limit, m)
		},
	})
}
