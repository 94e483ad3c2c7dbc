-- +goose Up

-- Membership of a Telegram group that the sale gives: {"chat_id", "unit", "value"}; NULL for none.
ALTER TABLE payments ADD COLUMN group_access jsonb;
