package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Merchant owns bots, accounts and sales.
type Merchant struct {
	ID         payment.MerchantID
	Name       string
	ExternalID string // empty when the platform gave none
	CreatedAt  time.Time
	LookWeight int // 1 to 100
}

const insertMerchant = `
INSERT INTO merchants (id, name, external_id) VALUES ($1, $2, NULLIF($3, ''))
ON CONFLICT (external_id) DO NOTHING
RETURNING created_at, look_weight`

const merchantByExternalID = `
SELECT id, name, COALESCE(external_id, ''), created_at, look_weight FROM merchants WHERE external_id = $1`

// CreateMerchant inserts m, or returns the merchant that has m's external id already; created tells which.
func (s *Store) CreateMerchant(ctx context.Context, m Merchant) (out Merchant, created bool, err error) {
	err = s.pool.QueryRow(ctx, insertMerchant, m.ID, m.Name, m.ExternalID).Scan(&m.CreatedAt, &m.LookWeight)
	switch {
	case err == nil:
		return m, true, nil
	case !errors.Is(err, pgx.ErrNoRows):
		return Merchant{}, false, fmt.Errorf("create merchant: %w", err)
	}
	err = s.pool.QueryRow(ctx, merchantByExternalID, m.ExternalID).Scan(&out.ID, &out.Name, &out.ExternalID, &out.CreatedAt, &out.LookWeight)
	if err != nil {
		return Merchant{}, false, fmt.Errorf("get merchant by external id: %w", err)
	}
	return out, false, nil
}

const listMerchants = `
SELECT id, name, COALESCE(external_id, ''), created_at, look_weight FROM merchants
WHERE $1::uuid IS NULL OR id = $1
ORDER BY created_at, id LIMIT 1000`

// Merchants lists all merchants, or only the one given, oldest first.
func (s *Store) Merchants(ctx context.Context, only *payment.MerchantID) ([]Merchant, error) {
	rows, err := s.pool.Query(ctx, listMerchants, only)
	if err != nil {
		return nil, fmt.Errorf("list merchants: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Merchant])
	if err != nil {
		return nil, fmt.Errorf("list merchants: %w", err)
	}
	return out, nil
}

const setLookWeight = `
UPDATE merchants SET look_weight = $2 WHERE id = $1 RETURNING id, name, COALESCE(external_id, ''), created_at, look_weight`

// SetLookWeight changes a merchant's part of the looks and returns the merchant; an unknown one is ErrNotFound. Claims read it each time.
func (s *Store) SetLookWeight(ctx context.Context, m payment.MerchantID, weight int) (out Merchant, err error) {
	err = s.pool.QueryRow(ctx, setLookWeight, m, weight).Scan(&out.ID, &out.Name, &out.ExternalID, &out.CreatedAt, &out.LookWeight)
	if err != nil {
		return Merchant{}, fmt.Errorf("set look weight: %w", one(err))
	}
	return out, nil
}

// Bot is a Telegram bot that sells.
type Bot struct {
	MerchantID payment.MerchantID
	ID         payment.BotID
	ExternalID string
	Name       string
	CreatedAt  time.Time
	Created    bool // whether PutBot made it
}

const putBot = `
INSERT INTO bots (merchant_id, id, external_id, name) VALUES ($1, $2, $3, COALESCE(NULLIF($4, ''), $3))
ON CONFLICT (merchant_id, external_id) DO UPDATE SET name = COALESCE(NULLIF($4, ''), bots.name)
RETURNING merchant_id, id, external_id, name, created_at, (xmax = 0)`

// PutBot makes the bot or renames the one with the same external id; an empty name keeps the old one. An unknown merchant is
// ErrNotFound.
func (s *Store) PutBot(ctx context.Context, b Bot) (Bot, error) {
	var out Bot
	err := s.pool.QueryRow(ctx, putBot, b.MerchantID, b.ID, b.ExternalID, b.Name).
		Scan(&out.MerchantID, &out.ID, &out.ExternalID, &out.Name, &out.CreatedAt, &out.Created)
	if pg.IsForeignKey(err) {
		return Bot{}, ErrNotFound
	}
	if err != nil {
		return Bot{}, fmt.Errorf("put bot: %w", err)
	}
	return out, nil
}

const listBots = `
SELECT merchant_id, id, external_id, name, created_at, false FROM bots
WHERE merchant_id = $1 ORDER BY created_at, id LIMIT 10000`

// Bots lists a merchant's bots, oldest first.
func (s *Store) Bots(ctx context.Context, m payment.MerchantID) ([]Bot, error) {
	rows, err := s.pool.Query(ctx, listBots, m)
	if err != nil {
		return nil, fmt.Errorf("list bots: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Bot])
	if err != nil {
		return nil, fmt.Errorf("list bots: %w", err)
	}
	return out, nil
}

const findBots = `
SELECT b.merchant_id, b.id, b.external_id, b.name, b.created_at, false
FROM bots b JOIN unnest($1::uuid[], $2::text[]) AS w (merchant_id, name)
  ON b.merchant_id = w.merchant_id AND (b.external_id = w.name OR b.id::text = lower(w.name))`

// FindBots returns the bots that the pairs (merchants[i], names[i]) mean; a name is our id or the external id. Those that do
// not exist are missing in the answer.
func (s *Store) FindBots(ctx context.Context, merchants []payment.MerchantID, names []string) ([]Bot, error) {
	rows, err := s.pool.Query(ctx, findBots, merchants, names)
	if err != nil {
		return nil, fmt.Errorf("find bots: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Bot])
	if err != nil {
		return nil, fmt.Errorf("find bots: %w", err)
	}
	return out, nil
}
