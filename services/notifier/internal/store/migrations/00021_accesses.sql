-- +goose Up

-- One sale's membership of one Telegram group, and everything that is to be done about it. Accesses of one buyer in one group
-- (merchant_id, chat_id, user_id) follow each other in time; whoever changes their times or takes somebody out holds an advisory lock of
-- that name. state: 1 pending, 2 active, 3 expired, 4 removed, 5 cancelled, 6 error. removal: 0 none, 1 wanted, 2 begun (committed
-- before the ban, and never given up until the ban is lifted), 3 done. due_at NULL: there is nothing to do. version counts changes, so
-- that the result of a step that was overtaken is dropped.
CREATE TABLE accesses (
    merchant_id uuid        NOT NULL,
    id          uuid        NOT NULL,
    payment_id  uuid        NOT NULL,
    bot_id      uuid        NOT NULL,
    chat_id     bigint      NOT NULL CHECK (chat_id < 0),
    user_id     bigint      NOT NULL CHECK (user_id > 0),
    unit        text        NOT NULL CHECK (unit IN ('hours', 'days', 'weeks', 'months', 'forever')),
    value       integer     NOT NULL CHECK ((unit = 'forever') = (value = 0) AND value BETWEEN 0 AND 1000),
    state       smallint    NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 6),
    error       text        NOT NULL DEFAULT '',
    cancelled   text        NOT NULL DEFAULT '' CHECK ((cancelled <> '') = (state = 5)),
    remaining   float8,     -- seconds that a cancelled one had left, to be given back; NULL is all of it
    link        bytea,      -- sealed
    link_until  timestamptz,
    links       integer     NOT NULL DEFAULT 0,
    removal     smallint    NOT NULL DEFAULT 0 CHECK (removal BETWEEN 0 AND 3),
    started_at  timestamptz,
    expires_at  timestamptz,
    removed_at  timestamptz,
    traceparent text        NOT NULL DEFAULT '',
    version     bigint      NOT NULL DEFAULT 1,
    tries       integer     NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at      timestamptz DEFAULT clock_timestamp(),
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT accesses_payment UNIQUE (merchant_id, payment_id),
    CHECK ((link IS NULL) = (link_until IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX accesses_due ON accesses (due_at) INCLUDE (merchant_id, bot_id) WHERE due_at IS NOT NULL;
CREATE INDEX accesses_due_of_bot ON accesses (merchant_id, bot_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX accesses_of_buyer ON accesses (merchant_id, chat_id, user_id);
GRANT SELECT, INSERT, UPDATE ON accesses TO baixa_notifier;

-- What happened to an access, in the outcome log; channel 10.
ALTER TABLE outcomes ADD COLUMN access json CHECK ((access IS NOT NULL) = (channel = 10));
