-- +goose Up

-- What was configured, a row a setting. merchant_id of zeros is a provider's row for every merchant, account_id of zeros is none; value
-- NULL was set once and is not any more. version grows with every change, so that replicas read only what is new.
CREATE TABLE policies (
    merchant_id uuid        NOT NULL,
    account_id  uuid        NOT NULL,
    provider    text        NOT NULL,
    field       text        NOT NULL,
    value       text,
    set_by      text        NOT NULL,
    set_at      timestamptz NOT NULL,
    version     bigint      NOT NULL,
    PRIMARY KEY (merchant_id, account_id, provider, field)
);
CREATE INDEX policies_version ON policies (version);
GRANT SELECT, INSERT, UPDATE ON policies TO baixa_payments;

CREATE TABLE policy_version (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    number bigint NOT NULL
);
INSERT INTO policy_version (number) VALUES (0);
GRANT SELECT, UPDATE (number) ON policy_version TO baixa_payments;

-- Who changed what, for ever.
CREATE TABLE policy_changes (
    merchant_id uuid        NOT NULL,
    account_id  uuid        NOT NULL,
    provider    text        NOT NULL,
    version     bigint      NOT NULL,
    field       text        NOT NULL,
    before      text,
    after       text,
    set_by      text        NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, account_id, provider, version, field)
);
GRANT SELECT, INSERT ON policy_changes TO baixa_payments;

-- Sales that are to be scheduled again: those of a merchant, account or provider, in the order of their keys behind the cursor. gone
-- says that sales that are not looked at any more may be again, paid that paid ones may.
CREATE TABLE reschedules (
    merchant_id  uuid        NOT NULL,
    id           uuid        NOT NULL,
    account_id   uuid        NOT NULL,
    provider     text        NOT NULL,
    reason       text        NOT NULL,
    gone         boolean     NOT NULL,
    paid         boolean     NOT NULL,
    phase        text        NOT NULL DEFAULT 'looks' CHECK (phase IN ('looks', 'gone')),
    at_merchant  uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    at_payment   uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    scheduled    bigint      NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL,
    leased_until timestamptz,
    PRIMARY KEY (merchant_id, id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON reschedules TO baixa_payments;
