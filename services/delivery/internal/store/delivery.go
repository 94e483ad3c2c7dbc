package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// State says what a link does today.
type State string

// The states of a link.
const (
	Active  State = "active"
	Revoked State = "revoked"
	Expired State = "expired"
	UsedUp  State = "used_up"
	// OtherDevice is how an active link looks to a browser that is not the one it belongs to.
	OtherDevice State = "other_device"
)

// PurchaseState says where Meta's event of a sale stands.
type PurchaseState string

// The states of a Purchase. WaitingOpen has no row.
const (
	WaitingOpen   PurchaseState = ""
	Queued        PurchaseState = "queued"
	Sent          PurchaseState = "sent"
	Failed        PurchaseState = "failed"
	NotConfigured PurchaseState = "not_configured"
)

// Delivery is one sale's link and what became of it.
type Delivery struct {
	sale.Key
	State         State
	RevokedReason string // empty unless revoked
	IssuedAt      time.Time
	ExpiresAt     *time.Time
	MaxOpens      int32 // 0 means without limit
	Opens         int32 // visits in all
	Uses          int32 // visits of this link that count against MaxOpens
	BindDevice    bool
	DeviceKnown   bool
	Generation    int32
	FirstOpenedAt *time.Time
	LastOpenedAt  *time.Time
	Amount        money.Amount
	Purchase      Purchase
}

// Purchase is Meta's event of one sale as its state is told.
type Purchase struct {
	State    PurchaseState
	EventID  string
	Reason   string // why it failed or is not configured, or why the last attempt did not succeed
	Attempts int32
	SentAt   *time.Time
}

// stateOf is the state of a row d of deliveries, by the server's clock.
const stateOf = `CASE WHEN d.revoked_at IS NOT NULL THEN 'revoked' WHEN d.expires_at <= now() THEN 'expired'
  WHEN d.max_opens > 0 AND d.uses >= d.max_opens THEN 'used_up' ELSE 'active' END`

const selectDelivery = `
SELECT d.merchant_id, d.payment_id, ` + stateOf + `, d.revoked_reason, d.issued_at, d.expires_at, d.max_opens, d.opens,
  d.uses, d.bind_device, d.device_hash IS NOT NULL, d.token_generation, d.first_opened_at, d.last_opened_at, d.amount_centavos, COALESCE(p.state, ''), COALESCE(p.event_id, ''),
  COALESCE(p.reason, ''), COALESCE(p.attempts, 0), p.sent_at
FROM deliveries d LEFT JOIN purchases p
  ON p.merchant_id = d.merchant_id AND p.payment_id = d.payment_id AND p.event = 'Purchase'`

const deliveryByPayment = selectDelivery + `
WHERE d.merchant_id = $1 AND d.payment_id = $2`

// Merchants are few next to their sales: stepping through them and probing each costs less than one more index entry for every sale, since
// only operators ask like this.
const deliveryOfAnyone = `
WITH RECURSIVE m AS (
    (SELECT merchant_id FROM deliveries ORDER BY merchant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.merchant_id FROM deliveries n WHERE n.merchant_id > m.merchant_id ORDER BY n.merchant_id LIMIT 1)
    FROM m WHERE m.merchant_id IS NOT NULL
)` + selectDelivery + `
WHERE d.merchant_id = (SELECT m.merchant_id FROM m WHERE EXISTS (SELECT FROM deliveries n WHERE n.merchant_id = m.merchant_id AND n.payment_id = $1) LIMIT 1)
  AND d.payment_id = $1`

// ByPayment returns a sale's delivery, or ErrNotFound. With m nil, which only an operator may ask, any merchant's.
func (s *Store) ByPayment(ctx context.Context, m *sale.MerchantID, p sale.PaymentID) (Delivery, error) {
	if m == nil {
		return s.get(ctx, deliveryOfAnyone, p)
	}
	return s.get(ctx, deliveryByPayment, *m, p)
}

const deliveryByToken = selectDelivery + `
WHERE d.token_hash = $2 AND ($1::uuid IS NULL OR d.merchant_id = $1) LIMIT 1`

// ByToken returns the delivery of a token, or ErrNotFound; m as in ByPayment.
func (s *Store) ByToken(ctx context.Context, m *sale.MerchantID, h token.Hash) (Delivery, error) {
	return s.get(ctx, deliveryByToken, m, h[:])
}

func (s *Store) get(ctx context.Context, statement string, args ...any) (Delivery, error) {
	rows, err := s.pool.Query(ctx, statement, args...)
	if err != nil {
		return Delivery{}, fmt.Errorf("get delivery: %w", err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDelivery)
	if err != nil {
		return Delivery{}, fmt.Errorf("get delivery: %w", one(err))
	}
	return d, nil
}

func scanDelivery(row pgx.CollectableRow) (d Delivery, err error) {
	err = row.Scan(&d.Merchant, &d.Payment, &d.State, &d.RevokedReason, &d.IssuedAt, &d.ExpiresAt, &d.MaxOpens, &d.Opens,
		&d.Uses, &d.BindDevice, &d.DeviceKnown, &d.Generation, &d.FirstOpenedAt, &d.LastOpenedAt, &d.Amount, &d.Purchase.State, &d.Purchase.EventID, &d.Purchase.Reason,
		&d.Purchase.Attempts, &d.Purchase.SentAt)
	return d, err
}

const revokeDelivery = `
UPDATE deliveries SET revoked_at = COALESCE(revoked_at, now()),
  revoked_reason = CASE WHEN revoked_at IS NULL THEN $3 ELSE revoked_reason END
WHERE merchant_id = $1 AND payment_id = $2`

// Revoke closes a link and returns it; of several reasons the first is kept. ErrNotFound when there is none.
func (s *Store) Revoke(ctx context.Context, k sale.Key, reason string) (Delivery, error) {
	return s.change(ctx, "revoke", revokeDelivery, k, reason)
}

const restoreDelivery = `
UPDATE deliveries SET revoked_at = NULL, revoked_reason = ''
WHERE merchant_id = $1 AND payment_id = $2`

// Restore opens a revoked link again and returns it; one that is not revoked is left as it is. ErrNotFound when there is none.
func (s *Store) Restore(ctx context.Context, k sale.Key) (Delivery, error) {
	return s.change(ctx, "restore", restoreDelivery, k)
}

const updateAccess = `
UPDATE deliveries SET access_url = $3 WHERE merchant_id = $1 AND payment_id = $2`

// UpdateAccess replaces where a link leads and returns it; the last address stands. ErrNotFound when there is none.
func (s *Store) UpdateAccess(ctx context.Context, k sale.Key, address string) (Delivery, error) {
	return s.change(ctx, "update access of", updateAccess, k, address)
}

func (s *Store) change(ctx context.Context, what, statement string, k sale.Key, more ...any) (Delivery, error) {
	tag, err := s.pool.Exec(ctx, statement, append([]any{k.Merchant, k.Payment}, more...)...)
	if err != nil {
		return Delivery{}, fmt.Errorf("%s delivery of payment %s: %w", what, k.Payment, err)
	}
	if tag.RowsAffected() == 0 {
		return Delivery{}, fmt.Errorf("%s delivery of payment %s: %w", what, k.Payment, ErrNotFound)
	}
	return s.ByPayment(ctx, &k.Merchant, k.Payment)
}

const unissued = `
SELECT w.id FROM unnest($2::uuid[]) WITH ORDINALITY AS w (id, n)
WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.merchant_id = $1 AND d.payment_id = w.id)
ORDER BY w.n`

// Unissued returns the sales of a merchant of which there is no link, in the order given.
func (s *Store) Unissued(ctx context.Context, m sale.MerchantID, sales []sale.PaymentID) ([]sale.PaymentID, error) {
	rows, err := s.pool.Query(ctx, unissued, m, sales)
	if err != nil {
		return nil, fmt.Errorf("find unissued: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[sale.PaymentID])
	if err != nil {
		return nil, fmt.Errorf("find unissued: %w", err)
	}
	return out, nil
}
