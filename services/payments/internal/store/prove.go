package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// The functions of this file read for a proof, all within one transaction that sees one moment. They read what is stored as it is: a row
// that somebody edited must be found and not stop the reading.

// Proven is what a proof needs of a sale's row.
type Proven struct {
	Key
	BotID              payment.BotID
	AccountID          payment.AccountID
	Provider, Campaign string
	State, Facts       string // as stored
	EventCount         int
	Amount             int64
	Currency           string
	CreatedAt          time.Time
	QRExpiresAt        *time.Time
	LookedAt           *time.Time
	LastPollAt         *time.Time
	LastOutcome        string
	ReviewReason       string
	PaidCentavos       *int64
	PaidAt             *time.Time
	DeliveredElsewhere bool
	TokenIssuedAt      *time.Time
	Message            string
	HasLook            bool
	// Effects are the open ones' kinds.
	Effects []string
}

const provenSales = `
SELECT p.merchant_id, p.id, p.bot_id, p.account_id, p.provider, p.campaign, p.state, p.facts::text, p.event_count, p.amount_centavos,
       p.currency, p.created_at, p.qr_expires_at, p.looked_at, p.last_poll_at, p.last_outcome, p.review_reason, p.paid_centavos, p.paid_at,
       p.delivered_elsewhere, p.token_issued_at, p.message,
       EXISTS (SELECT 1 FROM looks l WHERE l.merchant_id = p.merchant_id AND l.payment_id = p.id),
       ARRAY(SELECT e.kind FROM effects e WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.id)
FROM payments p
WHERE (p.merchant_id, p.id) > ($1, $2) AND ($3::uuid IS NULL OR p.merchant_id = $3)
ORDER BY p.merchant_id, p.id LIMIT $4`

// ProvenSales returns the next sales behind a key.
func ProvenSales(ctx context.Context, tx pgx.Tx, after Key, m *payment.MerchantID, limit int) ([]Proven, error) {
	rows, err := tx.Query(ctx, provenSales, after.MerchantID, after.PaymentID, m, limit)
	if err != nil {
		return nil, fmt.Errorf("read sales: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Proven, err error) {
		err = row.Scan(&p.MerchantID, &p.PaymentID, &p.BotID, &p.AccountID, &p.Provider, &p.Campaign, &p.State, &p.Facts, &p.EventCount,
			&p.Amount, &p.Currency, &p.CreatedAt, &p.QRExpiresAt, &p.LookedAt, &p.LastPollAt, &p.LastOutcome, &p.ReviewReason,
			&p.PaidCentavos, &p.PaidAt, &p.DeliveredElsewhere, &p.TokenIssuedAt, &p.Message, &p.HasLook, &p.Effects)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("read sales: %w", err)
	}
	return out, nil
}

// ProvenEvent is what a proof needs of an event. Decision is JSON as stored, empty for none; Status is what a reading said.
type ProvenEvent struct {
	Key
	Number                   int
	Kind                     payment.Kind
	From, To                 string
	Status, Decision, Reason string
}

const provenEvents = `
SELECT e.merchant_id, e.payment_id, e.number, e.kind, e.from_state, e.to_state, COALESCE(e.details ->> 'status', ''), COALESCE(e.decision::text, ''),
       COALESCE(e.details ->> 'reason', '')
FROM payment_events e JOIN unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, payment_id)
  ON e.merchant_id = w.merchant_id AND e.payment_id = w.payment_id
ORDER BY e.merchant_id, e.payment_id, e.number`

// ProvenEvents hands each event of the sales to do, sale by sale and in order, without keeping them.
func ProvenEvents(ctx context.Context, tx pgx.Tx, sales []Proven, do func(ProvenEvent) error) error {
	c := newColumns(len(sales), 2)
	for i := range sales {
		c.add(sales[i].MerchantID, sales[i].PaymentID)
	}
	rows, err := tx.Query(ctx, provenEvents, c.args...)
	if err != nil {
		return fmt.Errorf("read histories: %w", err)
	}
	var e ProvenEvent
	_, err = pgx.ForEachRow(rows, []any{&e.MerchantID, &e.PaymentID, &e.Number, &e.Kind, &e.From, &e.To, &e.Status, &e.Decision, &e.Reason},
		func() error { return do(e) })
	if err != nil {
		return fmt.Errorf("read histories: %w", err)
	}
	return nil
}

const provenStatistics = `
SELECT merchant_id, bot_id, provider, campaign, day, metric, count, centavos FROM statistics
WHERE merchant_id = $1 AND (count <> 0 OR centavos <> 0)`

// ProvenStatistics hands each sum of a merchant that is not zero to do.
func ProvenStatistics(ctx context.Context, tx pgx.Tx, m payment.MerchantID, do func(Line) error) error {
	rows, err := tx.Query(ctx, provenStatistics, m)
	if err != nil {
		return fmt.Errorf("read statistics: %w", err)
	}
	var l Line
	_, err = pgx.ForEachRow(rows, []any{&l.MerchantID, &l.BotID, &l.Provider, &l.Campaign, &l.Day, &l.Metric, &l.Count, (*int64)(&l.Amount)},
		func() error { return do(l) })
	if err != nil {
		return fmt.Errorf("read statistics: %w", err)
	}
	return nil
}

// Stray is a row that belongs to nothing.
type Stray struct {
	MerchantID *payment.MerchantID
	PaymentID  *payment.ID
	Kind, Text string
}

// Each part finds one kind of row that nothing leads to or that leads nowhere.
const strays = `
SELECT e.merchant_id, e.payment_id, 'event_without_sale', 'its history has an event ' || e.number || ' (' || e.kind || '), and there is no sale'
FROM payment_events e
WHERE ($1::uuid IS NULL OR e.merchant_id = $1)
  AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.merchant_id = e.merchant_id AND p.id = e.payment_id)
UNION ALL
SELECT l.merchant_id, l.payment_id, 'look_without_sale', 'a look is scheduled, and there is no sale'
FROM looks l
WHERE ($1::uuid IS NULL OR l.merchant_id = $1)
  AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.merchant_id = l.merchant_id AND p.id = l.payment_id)
UNION ALL
SELECT e.merchant_id, e.payment_id, 'effect_without_sale', 'the effect ' || e.key || ' is open, and there is no sale'
FROM effects e
WHERE ($1::uuid IS NULL OR e.merchant_id = $1)
  AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.merchant_id = e.merchant_id AND p.id = e.payment_id)
UNION ALL
SELECT e.merchant_id, e.payment_id, 'effect_unknown', 'nobody carries out the effect ' || e.key || ' of the kind ' || e.kind
FROM effects e
WHERE ($1::uuid IS NULL OR e.merchant_id = $1) AND e.kind <> ALL ($2::text[])
UNION ALL
SELECT l.merchant_id, NULL, 'alert_lost', 'of the kind ' || l.kind || ', ' || l.queued || ' alerts to the owner were ordered, ' || l.told
       || ' are told and ' || w.waiting || ' wait'
FROM alert_lanes l CROSS JOIN LATERAL (SELECT count(*) AS waiting FROM alerts a WHERE a.merchant_id = l.merchant_id AND a.kind = l.kind) w
WHERE ($1::uuid IS NULL OR l.merchant_id = $1) AND l.queued > l.told + w.waiting
UNION ALL
SELECT a.merchant_id, NULL, 'alert_lost', 'the alert ' || a.subject || ' of the kind ' || a.kind || ' waits where nothing will tell it'
FROM alerts a
WHERE ($1::uuid IS NULL OR a.merchant_id = $1)
  AND NOT EXISTS (SELECT 1 FROM alert_lanes l WHERE l.merchant_id = a.merchant_id AND l.kind = a.kind AND (a.batch IS NULL OR a.batch = l.batch))
UNION ALL
SELECT s.merchant_id, NULL, 'statistics_differ', 'the statistics have ' || s.metric || ' of ' || s.day || ', and the merchant has no sale'
FROM statistics s
WHERE ($1::uuid IS NULL OR s.merchant_id = $1) AND (s.count <> 0 OR s.centavos <> 0)
  AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.merchant_id = s.merchant_id)
UNION ALL
SELECT h.merchant_id, NULL, 'webhook_lost', 'the webhook ' || h.id || ' of ' || h.provider || ' was never read and nothing will read it'
FROM webhooks h
WHERE ($1::uuid IS NULL OR h.merchant_id = $1) AND h.state = 'new' AND h.due_at IS NULL
UNION ALL
SELECT h.merchant_id, h.payment_id, 'webhook_without_sale', 'the webhook ' || h.id || ' was matched with a sale that is not there'
FROM webhooks h
WHERE ($1::uuid IS NULL OR h.merchant_id = $1) AND h.state = 'matched'
  AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.merchant_id = h.merchant_id AND p.id = h.payment_id)
UNION ALL
SELECT h.merchant_id, h.payment_id, 'hint_lost', 'the webhook ' || h.id || ' was matched, and the history of its sale does not know it'
FROM webhooks h
WHERE ($1::uuid IS NULL OR h.merchant_id = $1) AND h.state = 'matched'
  AND EXISTS (SELECT 1 FROM payments p WHERE p.merchant_id = h.merchant_id AND p.id = h.payment_id)
  AND NOT EXISTS (SELECT 1 FROM payment_events e WHERE e.merchant_id = h.merchant_id AND e.payment_id = h.payment_id
                  AND e.kind IN ('hint_received', 'hint_refused'))
UNION ALL
SELECT p.merchant_id, p.id, 'webhook_unmatched', 'the webhook ' || h.id || ' is parked, and this sale has its identifiers'
FROM webhooks h CROSS JOIN LATERAL ` + namedByParked + ` AND ($1::uuid IS NULL OR p.merchant_id = $1)`

// Strays hands each row that belongs to nothing to do. effects are the kinds that somebody carries out.
func Strays(ctx context.Context, tx pgx.Tx, m *payment.MerchantID, effects []string, do func(Stray) error) error {
	rows, err := tx.Query(ctx, strays, m, effects)
	if err != nil {
		return fmt.Errorf("read strays: %w", err)
	}
	var s Stray
	_, err = pgx.ForEachRow(rows, []any{&s.MerchantID, &s.PaymentID, &s.Kind, &s.Text}, func() error { return do(s) })
	if err != nil {
		return fmt.Errorf("read strays: %w", err)
	}
	return nil
}

const provenCounts = `
SELECT (SELECT count(*) FROM webhooks WHERE $1::uuid IS NULL OR merchant_id = $1), (SELECT count(*) FROM effects WHERE $1::uuid IS NULL OR merchant_id = $1),
       (SELECT count(*) FROM looks WHERE $1::uuid IS NULL OR merchant_id = $1), EXISTS (SELECT 1 FROM reschedules)`

// ProvenCounts counts webhooks, effects and looks, and tells whether sales are being scheduled again.
func ProvenCounts(ctx context.Context, tx pgx.Tx, m *payment.MerchantID) (webhooks, effects, looks int64, rescheduling bool, err error) {
	if err = tx.QueryRow(ctx, provenCounts, m).Scan(&webhooks, &effects, &looks, &rescheduling); err != nil {
		err = fmt.Errorf("count rows: %w", err)
	}
	return webhooks, effects, looks, rescheduling, err
}
