-- +goose Up

-- Whom to tell what by Telegram. kinds empty: all of them. The digest of digest_day is due at digest_at, and both move on together.
CREATE TABLE alert_settings (
    merchant_id  uuid        PRIMARY KEY REFERENCES merchants,
    chat_id      bigint      NOT NULL,
    bot_id       uuid        NOT NULL,
    kinds        text[]      NOT NULL DEFAULT '{}',
    lang         text        NOT NULL DEFAULT '',
    timezone     text        NOT NULL,
    digest_hour  smallint    NOT NULL CHECK (digest_hour BETWEEN 0 AND 23),
    digest_at    timestamptz NOT NULL,
    digest_day   date        NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    last_sent_at timestamptz,
    last_failure text        NOT NULL DEFAULT '',
    FOREIGN KEY (merchant_id, bot_id) REFERENCES bots
);
CREATE INDEX alert_settings_digest ON alert_settings (digest_at) WHERE chat_id <> 0;
GRANT SELECT, INSERT, UPDATE ON alert_settings TO baixa_payments;

-- What is to be told, until it was. subject is what makes it one thing within its kind, so that it is told once.
CREATE TABLE alerts (
    merchant_id uuid        NOT NULL,
    kind        text        NOT NULL,
    subject     text        NOT NULL,
    item        jsonb       NOT NULL,
    batch       uuid,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (merchant_id, kind, subject)
) WITH (fillfactor = 80);
GRANT SELECT, INSERT, UPDATE, DELETE ON alerts TO baixa_payments;

-- One lane a merchant and kind: what waits when it is free goes together, as the batch whose id is the message's key.
CREATE TABLE alert_lanes (
    merchant_id uuid        NOT NULL,
    kind        text        NOT NULL,
    due_at      timestamptz NOT NULL,
    batch       uuid,
    attempts    integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (merchant_id, kind)
) WITH (fillfactor = 70);
CREATE INDEX alert_lanes_due ON alert_lanes (due_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_lanes TO baixa_payments;

-- What is wrong with an account now, so that its beginning is told and not every look at it.
CREATE TABLE alert_conditions (
    merchant_id uuid        NOT NULL,
    kind        text        NOT NULL,
    subject     text        NOT NULL,
    since       timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, kind, subject)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_conditions TO baixa_payments;
