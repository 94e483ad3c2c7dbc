-- +goose Up

-- How new links behave. bot_id of zeros means all bots of the merchant that have no policy of their own; 0 means no limit.
CREATE TABLE link_policies (
    merchant_id           uuid        NOT NULL,
    bot_id                uuid        NOT NULL,
    max_opens             integer     NOT NULL CHECK (max_opens >= 0),
    lifetime_s            integer     NOT NULL CHECK (lifetime_s >= 0),
    lifetime_after_open_s integer     NOT NULL CHECK (lifetime_after_open_s >= 0),
    bind_device           boolean     NOT NULL,
    purchase_unopened_s   integer     NOT NULL CHECK (purchase_unopened_s >= 0),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, bot_id)
);
GRANT SELECT, INSERT, UPDATE ON link_policies TO baixa_delivery;

-- What addresses of a merchant's files are signed with.
CREATE TABLE file_keys (
    merchant_id   uuid PRIMARY KEY,
    key_id        text        NOT NULL CHECK (key_id <> ''),
    sealed_secret bytea       NOT NULL,
    lifetime_s    integer     NOT NULL CHECK (lifetime_s > 0),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON file_keys TO baixa_delivery;

-- Bots whose owner was told that there is no pixel; a pixel that is put takes the row away.
CREATE TABLE pixel_alarms (
    merchant_id uuid NOT NULL,
    bot_id      uuid NOT NULL,
    PRIMARY KEY (merchant_id, bot_id)
);
GRANT SELECT, INSERT, DELETE ON pixel_alarms TO baixa_delivery;

-- The policy as it was when the link was made, and what became of it. uses are visits that count against max_opens: one that
-- comes again from the same address and browser within minutes is the same visit (visitor, counted_at). file_hash finds a
-- delivery by the ticket of its file.
ALTER TABLE deliveries
    ADD COLUMN file_url              text        NOT NULL DEFAULT '',
    ADD COLUMN file_hash             bytea       CHECK (octet_length(file_hash) = 32),
    ADD COLUMN lifetime_after_open_s integer     NOT NULL DEFAULT 0,
    ADD COLUMN bind_device           boolean     NOT NULL DEFAULT false,
    ADD COLUMN device_hash           bytea       CHECK (octet_length(device_hash) = 32),
    ADD COLUMN device_seen           boolean     NOT NULL DEFAULT false,
    ADD COLUMN uses                  integer     NOT NULL DEFAULT 0,
    ADD COLUMN visitor               bytea,
    ADD COLUMN counted_at            timestamptz,
    ADD COLUMN purchase_after        timestamptz;
UPDATE deliveries SET uses = opens WHERE opens > 0;

-- Which orders made a new link, so that none makes two.
CREATE TABLE regenerations (
    merchant_id uuid        NOT NULL,
    payment_id  uuid        NOT NULL,
    key         text        NOT NULL CHECK (key <> ''),
    generation  integer     NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, payment_id, key),
    FOREIGN KEY (merchant_id, payment_id) REFERENCES deliveries
);
GRANT SELECT, INSERT ON regenerations TO baixa_delivery;

CREATE INDEX deliveries_by_file ON deliveries (file_hash) WHERE file_hash IS NOT NULL;
CREATE INDEX deliveries_unopened ON deliveries (purchase_after) WHERE purchase_after IS NOT NULL;
