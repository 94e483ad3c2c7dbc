-- +goose Up

-- Addresses for ads. A slug is one in the whole system, for it is all that stands in the address.
CREATE TABLE click_links (
    merchant_id  uuid        NOT NULL REFERENCES merchants,
    slug         text        NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9_-]{1,62}[a-z0-9]$'),
    bot_username text        NOT NULL CHECK (bot_username <> ''),
    campaign     text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, slug),
    CONSTRAINT click_links_slug UNIQUE (slug)
);
GRANT SELECT, INSERT, UPDATE (bot_username, campaign) ON click_links TO baixa_payments;

-- What came with each click, appended for ever. machine is a program's visit: it has a token that nobody was given.
CREATE TABLE clicks (
    merchant_id uuid        NOT NULL,
    token       text        NOT NULL CHECK (token ~ '^[0-9a-f]{32}$'),
    id          uuid        NOT NULL,
    slug        text        NOT NULL,
    clicked_at  timestamptz NOT NULL,
    machine     boolean     NOT NULL DEFAULT false,
    fbclid      text        NOT NULL DEFAULT '',
    tracking    jsonb       NOT NULL DEFAULT '{}',
    referrer    text        NOT NULL DEFAULT '',
    clipped     text[]      NOT NULL DEFAULT '{}',
    PRIMARY KEY (merchant_id, token)
);
-- fbclid may be a kilobyte: its hash is enough to find the first click with it.
CREATE INDEX clicks_by_fbclid ON clicks (merchant_id, md5(fbclid), clicked_at) WHERE fbclid <> '' AND NOT machine;
CREATE INDEX clicks_of_link ON clicks (merchant_id, slug, machine);
GRANT SELECT, INSERT ON clicks TO baixa_payments;

-- Which buyer started which bot with which click, appended for ever; the last click counts.
CREATE TABLE click_starts (
    merchant_id uuid        NOT NULL,
    bot_id      uuid        NOT NULL,
    telegram_id bigint      NOT NULL,
    token       text        NOT NULL,
    clicked_at  timestamptz NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, bot_id, telegram_id, token)
);
CREATE INDEX click_starts_last ON click_starts (merchant_id, bot_id, telegram_id, clicked_at DESC, token);
GRANT SELECT, INSERT ON click_starts TO baixa_payments;
