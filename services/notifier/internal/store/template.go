package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// Template is a stored text. The nil BotID stands for all of the merchant's bots.
type Template struct {
	MerchantID, BotID uuid.UUID

	Kind, Lang string
	Text       string
	UpdatedAt  time.Time
}

const putTemplateSQL = `
INSERT INTO templates (merchant_id, bot_id, kind, lang, text) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (merchant_id, bot_id, kind, lang) DO UPDATE SET text = EXCLUDED.text, updated_at = clock_timestamp()
RETURNING updated_at`

const deleteTemplateSQL = `DELETE FROM templates WHERE merchant_id = $1 AND bot_id = $2 AND kind = $3 AND lang = $4`

// Whoever has the bots opened opens them again: their texts belong to a version. A merchant's bots are locked in one order.
const touchBotsSQL = `
UPDATE bots b SET version = b.version + 1
FROM (SELECT bot_id FROM bots WHERE merchant_id = $1 AND ($2 = '00000000-0000-0000-0000-000000000000'::uuid OR bot_id = $2)
      ORDER BY bot_id FOR NO KEY UPDATE) o
WHERE b.merchant_id = $1 AND b.bot_id = o.bot_id`

// PutTemplate stores a text, or takes it away when it is empty, and returns it with its time. What is sent from now on has it.
// Idempotency key: (MerchantID, BotID, Kind, Lang).
func (s *Store) PutTemplate(ctx context.Context, t Template) (Template, error) {
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if t.Text == "" {
			if _, err := tx.Exec(ctx, deleteTemplateSQL, t.MerchantID, t.BotID, t.Kind, t.Lang); err != nil {
				return err
			}
		} else if err := tx.QueryRow(ctx, putTemplateSQL, t.MerchantID, t.BotID, t.Kind, t.Lang, t.Text).Scan(&t.UpdatedAt); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, touchBotsSQL, t.MerchantID, t.BotID)
		return err
	})
	if err != nil {
		return Template{}, fmt.Errorf("put template: %w", err)
	}
	return t, nil
}

const templatesSQL = `
SELECT merchant_id, bot_id, kind, lang, text, updated_at FROM templates
WHERE merchant_id = $1 AND ($2::uuid IS NULL OR bot_id IN ($2, '00000000-0000-0000-0000-000000000000'))
ORDER BY kind, lang, bot_id LIMIT 1000`

// Templates lists a merchant's texts by kind, language and bot, at most 1000: all of them, or those that count for one bot.
func (s *Store) Templates(ctx context.Context, merchant uuid.UUID, bot *uuid.UUID) ([]Template, error) {
	rows, err := s.pool.Query(ctx, templatesSQL, merchant, bot)
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Template])
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	return list, nil
}
