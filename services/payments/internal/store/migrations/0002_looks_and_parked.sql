-- +goose Up

-- What the provider asked for after the last look; it holds until the next look, whatever comes in between.
ALTER TABLE looks ADD COLUMN retry_after_ms bigint NOT NULL DEFAULT 0 CHECK (retry_after_ms >= 0);

-- Finding the webhooks that wait for a sale, however many of others wait: anybody may park one.
CREATE INDEX webhooks_parked_hash ON webhooks (ref_hash) WHERE state = 'parked' AND ref_hash <> '';
CREATE INDEX webhooks_parked_id ON webhooks (lower(ref_id)) WHERE state = 'parked' AND ref_id <> '';
CREATE INDEX webhooks_parked_reference ON webhooks (ref_reference) WHERE state = 'parked' AND ref_reference <> '';
CREATE INDEX webhooks_parked_sale_key ON webhooks (sale_key) WHERE state = 'parked' AND sale_key <> '';
