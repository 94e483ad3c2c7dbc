-- +goose Up

-- The version of a second adapter that reads an account's live answers beside the deciding one; '' is none.
ALTER TABLE accounts ADD COLUMN shadow text NOT NULL DEFAULT '';

-- How many answers a shadow read, and how many of them otherwise.
CREATE TABLE shadow_counts (
    merchant_id uuid   NOT NULL,
    account_id  uuid   NOT NULL,
    version     text   NOT NULL,
    looks       bigint NOT NULL,
    differing   bigint NOT NULL,
    PRIMARY KEY (merchant_id, account_id, version),
    FOREIGN KEY (merchant_id, account_id) REFERENCES accounts
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON shadow_counts TO baixa_gateways;

-- What it read otherwise, a row a field. Swept after 30 days.
CREATE TABLE shadow_differences (
    merchant_id uuid        NOT NULL,
    account_id  uuid        NOT NULL,
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    at          timestamptz NOT NULL,
    version     text        NOT NULL,
    ref         text        NOT NULL,
    field       text        NOT NULL CHECK (field <> ''),
    decided     text        NOT NULL,
    shadow      text        NOT NULL,
    PRIMARY KEY (merchant_id, account_id, id),
    FOREIGN KEY (merchant_id, account_id) REFERENCES accounts
);
CREATE INDEX shadow_differences_by_time ON shadow_differences (at);
GRANT SELECT, INSERT, DELETE ON shadow_differences TO baixa_gateways;
