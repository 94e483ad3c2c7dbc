package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// FileKey is what addresses of a merchant's files are signed with.
type FileKey struct {
	Merchant     sale.MerchantID
	KeyID        string
	SealedSecret []byte // never read back by FileKey
	Lifetime     int32  // of a signed address, in seconds
	UpdatedAt    time.Time
}

const putFileKey = `
INSERT INTO file_keys (merchant_id, key_id, sealed_secret, lifetime_s) VALUES ($1, $2, $3, $4)
ON CONFLICT (merchant_id) DO UPDATE SET key_id = EXCLUDED.key_id, sealed_secret = EXCLUDED.sealed_secret,
  lifetime_s = EXCLUDED.lifetime_s, updated_at = now()
RETURNING updated_at`

// PutFileKey sets a merchant's key and returns it as stored. Idempotency key: the merchant.
func (s *Store) PutFileKey(ctx context.Context, k FileKey) (FileKey, error) {
	if err := s.pool.QueryRow(ctx, putFileKey, k.Merchant, k.KeyID, k.SealedSecret, k.Lifetime).Scan(&k.UpdatedAt); err != nil {
		return FileKey{}, fmt.Errorf("put file key: %w", err)
	}
	return k, nil
}

const getFileKey = `
SELECT merchant_id, key_id, lifetime_s, updated_at FROM file_keys WHERE merchant_id = $1`

// FileKey returns a merchant's key without its secret, or ErrNotFound.
func (s *Store) FileKey(ctx context.Context, m sale.MerchantID) (k FileKey, err error) {
	err = s.pool.QueryRow(ctx, getFileKey, m).Scan(&k.Merchant, &k.KeyID, &k.Lifetime, &k.UpdatedAt)
	if err != nil {
		return FileKey{}, fmt.Errorf("get file key: %w", one(err))
	}
	return k, nil
}

// File is a merchant's file that a buyer clicked on.
type File struct {
	sale.Key
	State       State // anything but Active gives nothing
	ProductName string
	Amount      money.Amount
	URL         string
	KeyOf       FileKey // with its secret; without KeyID the merchant has none
	Now         time.Time
	Traceparent string
}

// A click belongs to a visit: a link whose uses are spent gives its file for an hour after the last of them.
const clickedFile = `
SELECT d.merchant_id, d.payment_id, CASE WHEN d.revoked_at IS NOT NULL THEN 'revoked' WHEN d.expires_at <= now() THEN 'expired'
  WHEN d.bind_device AND d.device_hash IS DISTINCT FROM $2 THEN 'other_device'
  WHEN d.max_opens > 0 AND d.uses >= d.max_opens AND d.last_opened_at < now() - interval '1 hour' THEN 'used_up' ELSE 'active' END,
  d.product_name, d.amount_centavos, d.file_url, COALESCE(k.key_id, ''), k.sealed_secret, COALESCE(k.lifetime_s, 0), now(), d.traceparent
FROM deliveries d LEFT JOIN file_keys k ON k.merchant_id = d.merchant_id
WHERE d.file_hash = $1 LIMIT 1`

// Click returns the file of a ticket, or ErrNotFound. It changes nothing: the visit was counted when the page was opened.
func (s *Store) Click(ctx context.Context, ticket token.Hash, device Device) (f File, err error) {
	err = again(func() error {
		return s.pool.QueryRow(ctx, clickedFile, ticket[:], device[:]).Scan(&f.Merchant, &f.Payment, &f.State, &f.ProductName, &f.Amount, &f.URL,
			&f.KeyOf.KeyID, &f.KeyOf.SealedSecret, &f.KeyOf.Lifetime, &f.Now, &f.Traceparent)
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return File{}, fmt.Errorf("clicked file: %w", ErrNotFound)
	case err != nil:
		return File{}, fmt.Errorf("clicked file: %w", err)
	}
	f.KeyOf.Merchant = f.Merchant
	return f, nil
}
