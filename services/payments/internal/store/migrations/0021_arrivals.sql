-- +goose Up

-- How the news of each paid sale came: what looks found, and what webhooks had said. Webhooks' habits are judged from it; deciding a sale
-- needs none of it.
CREATE TABLE arrivals (
    merchant_id uuid        NOT NULL,
    payment_id  uuid        NOT NULL,
    account_id  uuid        NOT NULL,
    provider    text        NOT NULL,
    found_at    timestamptz,
    paid_at     timestamptz,
    late        boolean     NOT NULL DEFAULT false,
    hint_at     timestamptz,
    hints       integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (merchant_id, payment_id)
) WITH (fillfactor = 80);
CREATE INDEX arrivals_found ON arrivals (merchant_id, account_id, found_at DESC) WHERE found_at IS NOT NULL;
CREATE INDEX arrivals_claimed ON arrivals (merchant_id, account_id, hint_at DESC) WHERE found_at IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON arrivals TO baixa_payments;

-- What was judged last. silent_since is set once for each silence.
CREATE TABLE habits (
    merchant_id  uuid        NOT NULL,
    account_id   uuid        NOT NULL,
    provider     text        NOT NULL,
    silent_since timestamptz,
    doubted      boolean     NOT NULL DEFAULT false,
    judged_at    timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, account_id)
);
GRANT SELECT, INSERT, UPDATE ON habits TO baixa_payments;
