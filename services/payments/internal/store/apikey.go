package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// APIKey is an API key as stored: its secret only as a hash.
type APIKey struct {
	ID         [16]byte
	MerchantID *payment.MerchantID // nil for an operator's key
	Name       string
	Hash       []byte
	CreatedAt  time.Time
	RevokedAt  *time.Time
}

const insertKey = `
INSERT INTO api_keys (id, merchant_id, name, hash) VALUES ($1, $2, $3, $4) RETURNING created_at`

// CreateKey stores a key and returns when. An unknown merchant is ErrNotFound.
func (s *Store) CreateKey(ctx context.Context, k APIKey) (time.Time, error) {
	var at time.Time
	err := s.pool.QueryRow(ctx, insertKey, k.ID, k.MerchantID, k.Name, k.Hash).Scan(&at)
	if pg.IsForeignKey(err) {
		return time.Time{}, fmt.Errorf("create key: merchant: %w", ErrNotFound)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("create key: %w", err)
	}
	return at, nil
}

const getKey = `
SELECT id, merchant_id, name, hash, created_at, revoked_at FROM api_keys WHERE id = $1`

// GetKey returns a key, revoked ones too, or ErrNotFound.
func (s *Store) GetKey(ctx context.Context, id [16]byte) (APIKey, error) {
	var k APIKey
	err := s.pool.QueryRow(ctx, getKey, id).Scan(&k.ID, &k.MerchantID, &k.Name, &k.Hash, &k.CreatedAt, &k.RevokedAt)
	if err != nil {
		return APIKey{}, fmt.Errorf("get key: %w", one(err))
	}
	return k, nil
}

const listKeys = `
SELECT id, merchant_id, name, hash, created_at, revoked_at FROM api_keys
WHERE merchant_id IS NOT DISTINCT FROM $1 ORDER BY created_at, id LIMIT 1000`

// Keys lists a merchant's keys, or the operators' when m is nil.
func (s *Store) Keys(ctx context.Context, m *payment.MerchantID) ([]APIKey, error) {
	rows, err := s.pool.Query(ctx, listKeys, m)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[APIKey])
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return out, nil
}

const revokeKey = `
UPDATE api_keys SET revoked_at = COALESCE(revoked_at, now())
WHERE id = $1 AND ($2::uuid IS NULL OR merchant_id = $2)
RETURNING id, merchant_id, name, hash, created_at, revoked_at`

// RevokeKey ends a key; again is the same. With a merchant given, only that merchant's keys exist.
func (s *Store) RevokeKey(ctx context.Context, id [16]byte, m *payment.MerchantID) (APIKey, error) {
	var k APIKey
	err := s.pool.QueryRow(ctx, revokeKey, id, m).Scan(&k.ID, &k.MerchantID, &k.Name, &k.Hash, &k.CreatedAt, &k.RevokedAt)
	if err != nil {
		return APIKey{}, fmt.Errorf("revoke key: %w", one(err))
	}
	return k, nil
}
