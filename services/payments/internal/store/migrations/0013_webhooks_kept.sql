-- +goose Up

-- A webhook's bytes go after a time, its row stays; one that waited in vain ends in a state with a reason.
ALTER TABLE webhooks ADD COLUMN purged_at timestamptz;
ALTER TABLE webhooks DROP CONSTRAINT webhooks_state_check;
ALTER TABLE webhooks ADD CONSTRAINT webhooks_state_check
    CHECK (state IN ('new', 'matched', 'parked', 'not_understood', 'ignored', 'refused', 'unmatched'));
