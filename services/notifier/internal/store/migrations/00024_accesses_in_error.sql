-- +goose Up

-- What owners must mend is few of many: counted for diagnosis, and listed.
CREATE INDEX accesses_in_error ON accesses (merchant_id, created_at) WHERE state = 6;
