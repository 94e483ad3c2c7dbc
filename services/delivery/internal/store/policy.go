package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

// Policy is how new links behave. A zero Bot means all bots of the merchant that have none of their own; 0 means no limit.
type Policy struct {
	Merchant          sale.MerchantID
	Bot               sale.BotID
	MaxOpens          int32
	Lifetime          int32 // seconds, as are the next ones
	LifetimeAfterOpen int32
	BindDevice        bool
	PurchaseUnopened  int32
	UpdatedAt         time.Time
}

const putPolicy = `
INSERT INTO link_policies (merchant_id, bot_id, max_opens, lifetime_s, lifetime_after_open_s, bind_device, purchase_unopened_s)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (merchant_id, bot_id) DO UPDATE SET max_opens = EXCLUDED.max_opens, lifetime_s = EXCLUDED.lifetime_s,
  lifetime_after_open_s = EXCLUDED.lifetime_after_open_s, bind_device = EXCLUDED.bind_device,
  purchase_unopened_s = EXCLUDED.purchase_unopened_s, updated_at = now()
RETURNING updated_at`

// PutPolicy sets a policy and returns it as stored. Idempotency key: (merchant, bot).
func (s *Store) PutPolicy(ctx context.Context, p Policy) (Policy, error) {
	err := s.pool.QueryRow(ctx, putPolicy, p.Merchant, p.Bot, p.MaxOpens, p.Lifetime, p.LifetimeAfterOpen, p.BindDevice, p.PurchaseUnopened).
		Scan(&p.UpdatedAt)
	if err != nil {
		return Policy{}, fmt.Errorf("put link policy: %w", err)
	}
	return p, nil
}

const listPolicies = `
SELECT merchant_id, bot_id, max_opens, lifetime_s, lifetime_after_open_s, bind_device, purchase_unopened_s, updated_at
FROM link_policies WHERE merchant_id = $1 ORDER BY bot_id LIMIT 1000`

// Policies lists a merchant's policies.
func (s *Store) Policies(ctx context.Context, m sale.MerchantID) ([]Policy, error) {
	rows, err := s.pool.Query(ctx, listPolicies, m)
	if err != nil {
		return nil, fmt.Errorf("list link policies: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Policy, err error) {
		err = row.Scan(&p.Merchant, &p.Bot, &p.MaxOpens, &p.Lifetime, &p.LifetimeAfterOpen, &p.BindDevice, &p.PurchaseUnopened, &p.UpdatedAt)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list link policies: %w", err)
	}
	return out, nil
}
