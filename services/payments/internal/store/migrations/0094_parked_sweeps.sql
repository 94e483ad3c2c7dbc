-- +goose Up

-- How far the parked webhooks of an age were compared with the sales again. Comparing them writes nothing to their rows.
CREATE TABLE parked_sweeps (
    age_seconds integer PRIMARY KEY,
    swept_to    timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON parked_sweeps TO baixa_payments;

CREATE INDEX webhooks_parked_at ON webhooks (received_at) WHERE state = 'parked';
DROP INDEX webhooks_parked;
