package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// Regeneration is a new link for a sale that has one.
type Regeneration struct {
	sale.Key
	By       string                                // the idempotency key
	Version  int32                                 // of the key that the new link is derived with
	Lifetime time.Duration                         // where the merchant has no policy; 0 means for ever
	MaxOpens int32                                 // where the merchant has no policy; 0 means without limit
	Derive   func(token.Name) (token.Token, error) // must not touch the database: its row is locked
}

const lockDelivery = `
SELECT r.token_version, r.token_generation, r.file_url <> '', COALESCE(l.max_opens, $3), COALESCE(l.lifetime_s, $4),
  COALESCE(l.lifetime_after_open_s, 0), COALESCE(l.bind_device, false)
FROM deliveries r LEFT JOIN LATERAL (
  SELECT max_opens, lifetime_s, lifetime_after_open_s, bind_device FROM link_policies
  WHERE merchant_id = r.merchant_id AND bot_id IN (r.bot_id, $5) ORDER BY bot_id = $5 LIMIT 1) l ON true
WHERE r.merchant_id = $1 AND r.payment_id = $2 FOR UPDATE OF r`

const noteRegeneration = `
INSERT INTO regenerations (merchant_id, payment_id, key, generation) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`

const regenerateDelivery = `
UPDATE deliveries SET token_version = $3, token_generation = $4, token_hash = $5, file_hash = $6, max_opens = $7,
  expires_at = now() + make_interval(secs => NULLIF($8::float8, 0)), lifetime_after_open_s = $9, bind_device = $10, uses = 0,
  visitor = NULL, counted_at = NULL, device_hash = NULL, device_seen = false
WHERE merchant_id = $1 AND payment_id = $2`

// Regenerate gives a sale a new link, under the policy of today, and tells with what it is derived. The link before names nothing
// from the commit on. A repetition, told by its key, changes nothing and tells of the link as it is. ErrNotFound when there is none.
func (s *Store) Regenerate(ctx context.Context, r Regeneration) (Issued, error) {
	var is Issued
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var file, bind bool
		var opens, afterOpen int32
		var lifetime float64
		err := tx.QueryRow(ctx, lockDelivery, r.Merchant, r.Payment, r.MaxOpens, r.Lifetime.Seconds(), sale.BotID{}).
			Scan(&is.Version, &is.Generation, &file, &opens, &lifetime, &afterOpen, &bind)
		if err != nil {
			return one(err)
		}
		tag, err := tx.Exec(ctx, noteRegeneration, r.Merchant, r.Payment, r.By, is.Generation+1)
		if is.Created = tag.RowsAffected() > 0; err != nil || !is.Created {
			return err
		}
		is.Version, is.Generation = r.Version, is.Generation+1
		t, err := r.Derive(token.Name{Sale: r.Key, Version: is.Version, Generation: is.Generation})
		if err != nil {
			return err
		}
		hash, ticket := t.Hash(), []byte(nil)
		if file {
			h := t.File().Hash()
			ticket = h[:]
		}
		_, err = tx.Exec(ctx, regenerateDelivery, r.Merchant, r.Payment, is.Version, is.Generation, hash[:], ticket, opens, lifetime, afterOpen, bind)
		return err
	})
	if err != nil {
		return Issued{}, fmt.Errorf("regenerate link of payment %s: %w", r.Payment, err)
	}
	return is, nil
}
