-- +goose Up

-- Since when a buyer is expected to come who was given a new link long after the sale: restored, or made once the group was mended. NULL:
-- since the sale.
ALTER TABLE accesses ADD COLUMN expected_at timestamptz;
