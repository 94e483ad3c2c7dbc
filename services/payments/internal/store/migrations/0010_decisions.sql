-- +goose Up

-- What the ledger made of an event: the state table's input and the entries that it booked. NULL where an event changed nothing, and
-- in what was written before this column existed.
ALTER TABLE payment_events ADD COLUMN decision jsonb;
