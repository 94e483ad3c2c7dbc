-- +goose Up

-- Which bot carried a message in place of the one that sold, and why: for the story of a sale, long after the queue has forgotten it.
ALTER TABLE notifications ADD COLUMN carrier_bot_id uuid, ADD COLUMN carrier_because text NOT NULL DEFAULT '';
ALTER TABLE outcomes ADD COLUMN carrier_bot_id uuid, ADD COLUMN carrier_because text NOT NULL DEFAULT '';
GRANT UPDATE (carrier_bot_id, carrier_because) ON notifications TO baixa_notifier;
