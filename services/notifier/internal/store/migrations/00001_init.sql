-- +goose Up

-- One thing to tell, one row, for both channels: the unique key is what makes telling idempotent. An owner's event is its
-- payload and its place in the owner log (xid, seq); the role cannot change those columns, nor delete a row.
-- channel: 1 telegram, 2 websocket. state: 1 queued, 2 sent, 3 undeliverable, 4 maybe sent.
CREATE TABLE notifications (
    merchant_id uuid        NOT NULL,
    id          uuid        NOT NULL,
    payment_id  uuid        NOT NULL,
    bot_id      uuid        NOT NULL,
    key         text        NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 100),
    kind        text        NOT NULL CHECK (kind <> ''),
    channel     smallint    NOT NULL CHECK (channel IN (1, 2)),
    state       smallint    NOT NULL CHECK (state BETWEEN 1 AND 4),
    reason      text        NOT NULL DEFAULT '',
    message_id  bigint      NOT NULL DEFAULT 0,
    attempts    integer     NOT NULL DEFAULT 0,
    traceparent text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at     timestamptz,
    event       json        CHECK ((event IS NULL) = (channel = 1)),
    xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT notifications_key UNIQUE (merchant_id, payment_id, key)
) WITH (fillfactor = 90);
CREATE INDEX notifications_log ON notifications (xid, seq) WHERE channel = 2;
CREATE INDEX notifications_log_of_merchant ON notifications (merchant_id, xid, seq) WHERE channel = 2;
CREATE INDEX notifications_created ON notifications USING brin (created_at);
GRANT SELECT, INSERT, UPDATE (state, reason, message_id, attempts, sent_at) ON notifications TO baixa_notifier;

-- A Telegram message that waits (0), is being sent (1), or was handed over (2) and keeps its chat quiet until due_at. content
-- holds the link and is dropped with the outcome. claim names the call that took it, so that one whose answer got lost can be undone.
CREATE TABLE telegram_queue (
    merchant_id     uuid        NOT NULL,
    notification_id uuid        NOT NULL,
    payment_id      uuid        NOT NULL,
    bot_id          uuid        NOT NULL,
    chat_id         bigint      NOT NULL,
    seq             bigint      GENERATED ALWAYS AS IDENTITY,
    state           smallint    NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
    content         bytea,
    traceparent     text        NOT NULL DEFAULT '',
    reason          text        NOT NULL DEFAULT '',
    attempt         integer     NOT NULL DEFAULT 0,
    forbidden       boolean     NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until     timestamptz,
    claim           uuid,
    PRIMARY KEY (merchant_id, notification_id),
    CHECK ((content IS NULL) = (state = 2)),
    CHECK ((lease_until IS NULL) = (state <> 1))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX telegram_queue_waiting ON telegram_queue (merchant_id, bot_id, due_at, seq) WHERE state = 0;
CREATE INDEX telegram_queue_chat ON telegram_queue (merchant_id, bot_id, chat_id, seq);
CREATE INDEX telegram_queue_sending ON telegram_queue (merchant_id, bot_id, lease_until) WHERE state = 1;
CREATE INDEX telegram_queue_done ON telegram_queue (due_at) WHERE state = 2;
GRANT SELECT, INSERT, UPDATE, DELETE ON telegram_queue TO baixa_notifier;

-- next_at is the bot's theoretical arrival time (GCRA); version counts tokens, so that a refusal of an old one is ignored.
CREATE TABLE bots (
    merchant_id  uuid        NOT NULL,
    bot_id       uuid        NOT NULL,
    version      bigint      NOT NULL DEFAULT 1,
    token        bytea       NOT NULL,
    token_hash   bytea       NOT NULL,
    base_url     text        NOT NULL DEFAULT '',
    template     text        NOT NULL DEFAULT '',
    next_at      timestamptz NOT NULL DEFAULT '-infinity',
    paused_until timestamptz NOT NULL DEFAULT '-infinity',
    refused_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (merchant_id, bot_id)
) WITH (fillfactor = 50);
CREATE INDEX bots_owner ON bots (bot_id);
GRANT SELECT, INSERT, UPDATE ON bots TO baixa_notifier;

-- What became of Telegram messages, for payments to follow; appended for ever.
CREATE TABLE outcomes (
    merchant_id     uuid        NOT NULL,
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    notification_id uuid        NOT NULL,
    payment_id      uuid        NOT NULL,
    kind            text        NOT NULL,
    channel         smallint    NOT NULL,
    state           smallint    NOT NULL CHECK (state BETWEEN 2 AND 4),
    reason          text        NOT NULL,
    message_id      bigint      NOT NULL,
    traceparent     text        NOT NULL,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid             xid8        NOT NULL DEFAULT pg_current_xact_id(),
    seq             bigint      GENERATED ALWAYS AS IDENTITY,
    -- One result of each kind a notification: a sent one may follow a maybe-sent one, never a second sent one.
    PRIMARY KEY (merchant_id, notification_id, state)
);
CREATE INDEX outcomes_log ON outcomes (xid, seq);
CREATE INDEX outcomes_at ON outcomes USING brin (at);
GRANT SELECT, INSERT ON outcomes TO baixa_notifier;

-- Tickets for /ws and /events: one connection each, only their hashes.
CREATE TABLE stream_tickets (
    merchant_id uuid        NOT NULL,
    hash        bytea       NOT NULL,
    bot_ids     uuid[]      NOT NULL DEFAULT '{}',
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, hash)
);
CREATE INDEX stream_tickets_expiry ON stream_tickets (expires_at);
GRANT SELECT, INSERT, DELETE ON stream_tickets TO baixa_notifier;
