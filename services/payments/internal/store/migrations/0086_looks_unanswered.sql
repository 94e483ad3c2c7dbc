-- +goose Up

-- The few sales whose last looks had no answer, for diagnosis and for the watch over accounts; a look that is answered never touches it.
CREATE INDEX looks_unanswered ON looks (merchant_id, account_id) INCLUDE (provider, unanswered) WHERE unanswered > 0;
