-- +goose Up

-- One merchant's access to one provider. The credentials are sealed; what is plain here may be shown to the merchant.
CREATE TABLE accounts (
    merchant_id      uuid        NOT NULL,
    id               uuid        NOT NULL,
    provider         text        NOT NULL CHECK (provider <> ''),
    label            text        NOT NULL CHECK (label <> ''),
    account_key      text        NOT NULL CHECK (length(account_key) >= 16),
    base_url         text        NOT NULL DEFAULT '',
    calls_per_minute integer     NOT NULL DEFAULT 0 CHECK (calls_per_minute >= 0),
    state            text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'credential_refused')),
    state_reason     text        NOT NULL DEFAULT '',
    settings         jsonb       NOT NULL DEFAULT '{}',
    sealed           bytea       NOT NULL,
    credential_names text[]      NOT NULL DEFAULT '{}',
    revision         integer     NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT accounts_label UNIQUE (merchant_id, provider, label),
    CHECK ((state = 'active') = (state_reason = ''))
);
-- What a webhook brings is the key alone; 130 random bits need no constraint to be unique.
CREATE INDEX accounts_by_key ON accounts (account_key);
CREATE INDEX accounts_by_age ON accounts (created_at, id);
GRANT SELECT, INSERT, UPDATE ON accounts TO baixa_gateways;

-- Words that a provider's webhooks carry instead of an account key. Several accounts may share one; then it routes to none.
CREATE TABLE account_routes (
    merchant_id uuid        NOT NULL,
    account_id  uuid        NOT NULL,
    provider    text        NOT NULL,
    hash        text        NOT NULL CHECK (hash <> ''),
    learned     boolean     NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, account_id, hash),
    FOREIGN KEY (merchant_id, account_id) REFERENCES accounts
);
CREATE INDEX account_routes_by_hash ON account_routes (provider, hash);
GRANT SELECT, INSERT, DELETE ON account_routes TO baixa_gateways;

-- Charges asked for, committed before the provider is asked. 'requested' with a running lease is being asked now; 'open' means
-- that nothing can have arrived there; 'unsure' that something may have. content is the sealed fingerprint of the request:
-- sealed, since it covers the buyer's document. Nothing of the buyer is kept.
CREATE TABLE charges (
    merchant_id  uuid        NOT NULL,
    account_id   uuid        NOT NULL,
    reference    text        NOT NULL,
    content      bytea       NOT NULL,
    state        text        NOT NULL CHECK (state IN ('requested', 'open', 'unsure', 'created', 'refused')),
    attempts     integer     NOT NULL DEFAULT 1,
    unsure_since timestamptz,
    lease_until  timestamptz NOT NULL,
    charge_id    text        NOT NULL DEFAULT '',
    charge_hash  text        NOT NULL DEFAULT '',
    charge_ref   text        NOT NULL DEFAULT '',
    copy_paste   text        NOT NULL DEFAULT '',
    expires_at   timestamptz,
    reason       text        NOT NULL DEFAULT '',
    http_status  integer     NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, account_id, reference),
    FOREIGN KEY (merchant_id, account_id) REFERENCES accounts
) WITH (fillfactor = 80);
GRANT SELECT, INSERT, UPDATE ON charges TO baixa_gateways;

-- What all replicas must know of an account's provider: how long it wants silence, and the breaker. One row an account, written
-- when something changes and once a second for the times of the last calls.
CREATE TABLE health (
    merchant_id     uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    quiet_until     timestamptz,
    breaker         text        NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half-open')),
    retry_at        timestamptz,
    probe_until     timestamptz,
    trips           integer     NOT NULL DEFAULT 0,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    PRIMARY KEY (merchant_id, account_id),
    FOREIGN KEY (merchant_id, account_id) REFERENCES accounts,
    CHECK ((breaker = 'closed') = (retry_at IS NULL))
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON health TO baixa_gateways;

-- The three below are unlogged: they are written for every batch of looks, none is worth an fsync, and what a crash of
-- PostgreSQL empties is a minute of politeness.

-- Call budgets as a virtual clock (GCRA): full_us is when, in microseconds since 1970, the calls granted so far are paid for.
-- The other columns are the last question and its answer, which the statement that asks needs in the row.
CREATE UNLOGGED TABLE budgets (
    merchant_id uuid    NOT NULL,
    account_id  uuid    NOT NULL,
    full_us     bigint  NOT NULL,
    at_us       bigint  NOT NULL,
    step_us     bigint  NOT NULL,
    burst       bigint  NOT NULL,
    asked       integer NOT NULL,
    owed        integer NOT NULL,
    granted     integer NOT NULL,
    PRIMARY KEY (merchant_id, account_id)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON budgets TO baixa_gateways;

-- When a sale was last asked about, where a provider forbids asking again soon.
CREATE UNLOGGED TABLE sale_looks (
    merchant_id uuid   NOT NULL,
    account_id  uuid   NOT NULL,
    ref         text   NOT NULL,
    free_us     bigint NOT NULL,
    PRIMARY KEY (merchant_id, account_id, ref)
) WITH (fillfactor = 70);
CREATE INDEX sale_looks_by_end ON sale_looks (free_us);
GRANT SELECT, INSERT, UPDATE, DELETE ON sale_looks TO baixa_gateways;

-- Calls made, in buckets of some seconds, by all replicas.
CREATE UNLOGGED TABLE calls (
    merchant_id uuid        NOT NULL,
    account_id  uuid        NOT NULL,
    bucket      timestamptz NOT NULL,
    calls       integer     NOT NULL,
    PRIMARY KEY (merchant_id, account_id, bucket)
);
CREATE INDEX calls_by_bucket ON calls (bucket);
GRANT SELECT, INSERT, UPDATE, DELETE ON calls TO baixa_gateways;
