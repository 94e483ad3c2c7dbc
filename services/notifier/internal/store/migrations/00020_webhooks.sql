-- +goose Up

-- Where a merchant's own system takes events. A pause holds back an endpoint that fails; loopback admits http on this machine, which
-- only operators may ask for. disabled_reason: '' gone failing.
CREATE TABLE endpoints (
    merchant_id     uuid        NOT NULL,
    id              uuid        NOT NULL,
    url             text        NOT NULL CHECK (octet_length(url) BETWEEN 1 AND 2000),
    loopback        boolean     NOT NULL DEFAULT false,
    description     text        NOT NULL DEFAULT '',
    event_types     text[]      NOT NULL DEFAULT '{}',
    bot_ids         uuid[]      NOT NULL DEFAULT '{}',
    disabled_reason text        NOT NULL DEFAULT '',
    failures        integer     NOT NULL DEFAULT 0,
    failing_since   timestamptz,
    paused_until    timestamptz NOT NULL DEFAULT '-infinity',
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (merchant_id, id)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE, DELETE ON endpoints TO baixa_notifier;

-- The secrets that sign an endpoint's messages, sealed; the newest has no end.
CREATE TABLE endpoint_secrets (
    merchant_id uuid        NOT NULL,
    endpoint_id uuid        NOT NULL,
    id          uuid        NOT NULL,
    secret      bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz,
    PRIMARY KEY (merchant_id, endpoint_id, id),
    FOREIGN KEY (merchant_id, endpoint_id) REFERENCES endpoints ON DELETE CASCADE
);
GRANT SELECT, INSERT, UPDATE (expires_at), DELETE ON endpoint_secrets TO baixa_notifier;

-- One event on its way to one endpoint: waiting (1), delivered (2), given up (3). The event's content is in notifications; only a
-- test event has its own. tries counts the attempts of this round, which a redelivery begins anew; attempts counts them all.
CREATE TABLE webhook_messages (
    merchant_id uuid        NOT NULL,
    endpoint_id uuid        NOT NULL,
    event_id    uuid        NOT NULL,
    payment_id  uuid,
    event_type  text        NOT NULL,
    event       json,
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    state       smallint    NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3),
    attempts    integer     NOT NULL DEFAULT 0,
    tries       integer     NOT NULL DEFAULT 0,
    reason      text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    ended_at    timestamptz,
    PRIMARY KEY (merchant_id, endpoint_id, event_id),
    FOREIGN KEY (merchant_id, endpoint_id) REFERENCES endpoints ON DELETE CASCADE,
    CHECK ((event IS NULL) = (payment_id IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX webhook_messages_waiting ON webhook_messages (merchant_id, endpoint_id, due_at, seq) WHERE state = 1;
CREATE INDEX webhook_messages_of_sale ON webhook_messages (merchant_id, endpoint_id, payment_id, seq) WHERE state = 1;
CREATE INDEX webhook_messages_ended ON webhook_messages (ended_at) WHERE state > 1;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_messages TO baixa_notifier;

-- Every request that was made. Never a body, neither ours nor theirs.
CREATE TABLE webhook_attempts (
    merchant_id uuid        NOT NULL,
    endpoint_id uuid        NOT NULL,
    event_id    uuid        NOT NULL,
    number      integer     NOT NULL,
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    at          timestamptz NOT NULL,
    elapsed_ms  integer     NOT NULL,
    http_status integer     NOT NULL,
    reason      text        NOT NULL,
    PRIMARY KEY (merchant_id, endpoint_id, event_id, number),
    FOREIGN KEY (merchant_id, endpoint_id, event_id) REFERENCES webhook_messages ON DELETE CASCADE
);
CREATE INDEX webhook_attempts_newest ON webhook_attempts (merchant_id, endpoint_id, seq DESC);
GRANT SELECT, INSERT, DELETE ON webhook_attempts TO baixa_notifier;

-- How far the owner log was handed to endpoints; one row, which a replica locks while it does.
CREATE TABLE webhook_feed (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    xid xid8    NOT NULL,
    seq bigint  NOT NULL
);
INSERT INTO webhook_feed (xid, seq) VALUES (pg_current_xact_id(), 0);
GRANT SELECT, UPDATE ON webhook_feed TO baixa_notifier;
