package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Bot is a merchant's Telegram bot. Version grows with every PutBot.
type Bot struct {
	MerchantID, BotID uuid.UUID

	Version   int64
	Token     []byte // sealed
	TokenHash []byte // tells an unchanged token from a new one
	BaseURL   string // empty: Telegram's own address
	Template  string // empty: the merchant's texts, or the default ones
	Lang      string // of its messages; empty: Portuguese
	Fallback  *uuid.UUID
	Number    int64 // Telegram's own, the first part of the token
	UpdatedAt time.Time
}

// A refusal ends whatever the token: its owner may have woken the same bot. A pause belongs to the token that earned it.
const putBotSQL = `
WITH before AS (SELECT telegram_id FROM bots WHERE merchant_id = $1 AND bot_id = $2)
INSERT INTO bots (merchant_id, bot_id, token, token_hash, base_url, template, lang, fallback_bot_id, telegram_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (merchant_id, bot_id) DO UPDATE
SET version = bots.version + 1, token = EXCLUDED.token, token_hash = EXCLUDED.token_hash, base_url = EXCLUDED.base_url,
    template = EXCLUDED.template, lang = EXCLUDED.lang, fallback_bot_id = EXCLUDED.fallback_bot_id, telegram_id = EXCLUDED.telegram_id,
    refused_at = NULL, updated_at = clock_timestamp(),
    paused_until = CASE WHEN bots.token_hash = EXCLUDED.token_hash THEN bots.paused_until ELSE '-infinity' END
RETURNING version, updated_at, COALESCE((SELECT telegram_id FROM before), 0)`

// PutBot writes the bot and returns it with its version and time, and the number of the bot whose token stood there before (0: none).
// Messages that waited for it are due. Idempotency key: (MerchantID, BotID).
func (s *Store) PutBot(ctx context.Context, b Bot) (out Bot, before int64, err error) {
	err = s.pool.QueryRow(ctx, putBotSQL, b.MerchantID, b.BotID, b.Token, b.TokenHash, b.BaseURL, b.Template, b.Lang, b.Fallback, b.Number).
		Scan(&b.Version, &b.UpdatedAt, &before)
	if err != nil {
		return Bot{}, 0, fmt.Errorf("put bot %s: %w", b.BotID, err)
	}
	return b, before, nil
}

const botSQL = `
SELECT merchant_id, bot_id, version, token, token_hash, base_url, template, lang, fallback_bot_id, telegram_id, updated_at
FROM bots WHERE merchant_id = $1 AND bot_id = $2`

// Bot reads one, or returns ErrNotFound.
func (s *Store) Bot(ctx context.Context, merchant, bot uuid.UUID) (Bot, error) {
	b, err := scanBot(s.pool.QueryRow(ctx, botSQL, merchant, bot))
	if err != nil {
		return Bot{}, fmt.Errorf("bot %s: %w", bot, err)
	}
	return b, nil
}

const lastBotSQL = `
SELECT merchant_id, bot_id, version, token, token_hash, base_url, template, lang, fallback_bot_id, telegram_id, updated_at
FROM bots ORDER BY updated_at DESC LIMIT 1`

// LastBot reads the bot of any merchant that was put last, to try the keyset on; ErrNotFound when there is none.
func (s *Store) LastBot(ctx context.Context) (Bot, error) {
	b, err := scanBot(s.pool.QueryRow(ctx, lastBotSQL))
	if err != nil {
		return Bot{}, fmt.Errorf("last bot: %w", err)
	}
	return b, nil
}

func scanBot(row pgx.Row) (b Bot, err error) {
	err = row.Scan(&b.MerchantID, &b.BotID, &b.Version, &b.Token, &b.TokenHash, &b.BaseURL, &b.Template, &b.Lang, &b.Fallback, &b.Number, &b.UpdatedAt)
	return b, one(err)
}

const foreignBotsSQL = `
SELECT DISTINCT b.bot_id FROM bots b
WHERE b.bot_id = ANY($2::uuid[]) AND b.merchant_id <> $1
  AND NOT EXISTS (SELECT FROM bots o WHERE o.merchant_id = $1 AND o.bot_id = b.bot_id)
ORDER BY b.bot_id`

// ForeignBots returns those of the bots that are known as other merchants' and not as this one's.
func (s *Store) ForeignBots(ctx context.Context, merchant uuid.UUID, bots []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, foreignBotsSQL, merchant, bots)
	if err != nil {
		return nil, fmt.Errorf("owners of bots: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("owners of bots: %w", err)
	}
	return list, nil
}
