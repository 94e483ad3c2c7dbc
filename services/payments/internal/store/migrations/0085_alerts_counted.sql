-- +goose Up

-- How many alerts each lane was given and has told, since the rows themselves go: what is neither told nor waiting was lost, and a proof
-- says so.
ALTER TABLE alert_lanes ADD COLUMN queued bigint NOT NULL DEFAULT 0, ADD COLUMN told bigint NOT NULL DEFAULT 0;
UPDATE alert_lanes l SET queued = (SELECT count(*) FROM alerts a WHERE a.merchant_id = l.merchant_id AND a.kind = l.kind);
