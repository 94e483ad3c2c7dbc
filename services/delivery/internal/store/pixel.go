package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

// Pixel is where Purchases go. A zero Bot means all bots of the merchant that have none of their own.
type Pixel struct {
	Merchant      sale.MerchantID
	Bot           sale.BotID
	PixelID       string
	SealedToken   []byte // never read back by List
	APIVersion    string // empty means the service's default
	TestEventCode string
	BaseURL       string // empty means Meta's
	PausedBecause string
	UpdatedAt     time.Time
}

const putPixel = `
INSERT INTO pixels (merchant_id, bot_id, pixel_id, sealed_token, api_version, test_event_code, base_url)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (merchant_id, bot_id) DO UPDATE SET pixel_id = EXCLUDED.pixel_id, sealed_token = EXCLUDED.sealed_token,
  api_version = EXCLUDED.api_version, test_event_code = EXCLUDED.test_event_code, base_url = EXCLUDED.base_url,
  revision = pixels.revision + 1, paused_because = '', paused_at = NULL, updated_at = now()
RETURNING updated_at`

// Rows that somebody works on keep their lease; they find the new token at their next attempt.
const resumePurchases = `
UPDATE purchases SET due_at = now()
WHERE merchant_id = $1 AND pixel_bot_id = $2 AND due_at > now() AND reason = '` + reasonPaused + `'`

// Whoever has no pixel some day is told again.
const clearAlarms = `
DELETE FROM pixel_alarms WHERE merchant_id = $1 AND ($2::uuid = $3::uuid OR bot_id = $2)`

const reasonPaused = "pixel paused"

// PutPixel sets a pixel, resumes it when it was paused, and makes what waited for it due. It returns p as stored. Idempotency
// key: (merchant, bot).
func (s *Store) PutPixel(ctx context.Context, p Pixel) (Pixel, error) {
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, putPixel, p.Merchant, p.Bot, p.PixelID, p.SealedToken, p.APIVersion, p.TestEventCode, p.BaseURL).
			Scan(&p.UpdatedAt)
		if err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, clearAlarms, p.Merchant, p.Bot, sale.BotID{}); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, resumePurchases, p.Merchant, p.Bot)
		return err
	})
	if err != nil {
		return Pixel{}, fmt.Errorf("put pixel: %w", err)
	}
	p.PausedBecause = ""
	return p, nil
}

const listPixels = `
SELECT merchant_id, bot_id, pixel_id, api_version, test_event_code, base_url, paused_because, updated_at FROM pixels
WHERE merchant_id = $1 ORDER BY bot_id LIMIT 1000`

// Pixels lists a merchant's pixels without their tokens, the one of all bots first.
func (s *Store) Pixels(ctx context.Context, m sale.MerchantID) ([]Pixel, error) {
	rows, err := s.pool.Query(ctx, listPixels, m)
	if err != nil {
		return nil, fmt.Errorf("list pixels: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Pixel, err error) {
		err = row.Scan(&p.Merchant, &p.Bot, &p.PixelID, &p.APIVersion, &p.TestEventCode, &p.BaseURL, &p.PausedBecause, &p.UpdatedAt)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list pixels: %w", err)
	}
	return out, nil
}
