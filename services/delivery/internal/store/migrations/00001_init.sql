-- +goose Up

-- What links are derived from; each sealed. Never changed, never deleted: old links are derived with old keys.
CREATE TABLE token_keys (
    version    integer PRIMARY KEY CHECK (version > 0),
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON token_keys TO baixa_delivery;

-- One sale's link with all that its page and its Purchase need. The token itself is not here, nor are e-mail or phone in clear.
CREATE TABLE deliveries (
    merchant_id      uuid        NOT NULL,
    payment_id       uuid        NOT NULL,
    bot_id           uuid        NOT NULL,
    token_version    integer     NOT NULL,
    token_generation integer     NOT NULL DEFAULT 0,
    token_hash       bytea       NOT NULL CHECK (octet_length(token_hash) = 32),
    product_name     text        NOT NULL CHECK (product_name <> ''),
    amount_centavos  bigint      NOT NULL CHECK (amount_centavos > 0),
    currency         text        NOT NULL DEFAULT 'BRL' CHECK (currency = 'BRL'),
    access_url       text        NOT NULL DEFAULT '',
    contact_text     text        NOT NULL DEFAULT '',
    tracking         jsonb       NOT NULL DEFAULT '{}',
    fbp              text        NOT NULL DEFAULT '',
    fbc              text        NOT NULL DEFAULT '',
    pageview_id      text        NOT NULL DEFAULT '',
    email_hash       text        NOT NULL DEFAULT '',
    phone_hash       text        NOT NULL DEFAULT '',
    external_id_hash text        NOT NULL DEFAULT '',
    paid_at          timestamptz NOT NULL,
    issued_at        timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz,
    max_opens        integer     NOT NULL DEFAULT 0 CHECK (max_opens >= 0),
    opens            integer     NOT NULL DEFAULT 0 CHECK (opens >= 0),
    first_opened_at  timestamptz,
    last_opened_at   timestamptz,
    revoked_at       timestamptz,
    revoked_reason   text        NOT NULL DEFAULT '',
    traceparent      text        NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, payment_id),
    CHECK ((revoked_at IS NULL) = (revoked_reason = ''))
) WITH (fillfactor = 85);
-- What a visitor has in hand is the token alone; 256 bits need no constraint to be unique.
CREATE INDEX deliveries_by_token ON deliveries (token_hash);
-- An operator may ask without naming the merchant.
CREATE INDEX deliveries_by_payment ON deliveries (payment_id);
GRANT SELECT, INSERT, UPDATE ON deliveries TO baixa_delivery;

-- Where Purchases go. bot_id of zeros means all bots of the merchant that have no pixel of their own.
CREATE TABLE pixels (
    merchant_id     uuid        NOT NULL,
    bot_id          uuid        NOT NULL,
    pixel_id        text        NOT NULL CHECK (pixel_id ~ '^[0-9]{5,20}$'),
    sealed_token    bytea       NOT NULL,
    api_version     text        NOT NULL DEFAULT '',
    test_event_code text        NOT NULL DEFAULT '',
    base_url        text        NOT NULL DEFAULT '',
    revision        integer     NOT NULL DEFAULT 1,
    paused_because  text        NOT NULL DEFAULT '',
    paused_at       timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, bot_id)
);
GRANT SELECT, INSERT, UPDATE ON pixels TO baixa_delivery;

-- Meta's event of a sale: a row with states, never a flag. due_at in the future is the time of the next attempt or the end
-- of a claim's lease, NULL means never again; claims counts the claims, so that the result of one whose lease ended is not
-- written.
CREATE TABLE purchases (
    merchant_id       uuid        NOT NULL,
    payment_id        uuid        NOT NULL,
    event             text        NOT NULL DEFAULT 'Purchase',
    state             text        NOT NULL CHECK (state IN ('queued', 'sent', 'failed', 'not_configured')),
    reason            text        NOT NULL DEFAULT '',
    event_id          text        NOT NULL DEFAULT '',
    pixel_bot_id      uuid,
    pixel_id          text        NOT NULL DEFAULT '',
    event_time        timestamptz NOT NULL,
    client_ip         text        NOT NULL DEFAULT '',
    client_user_agent text        NOT NULL DEFAULT '',
    fbp               text        NOT NULL DEFAULT '',
    fbc               text        NOT NULL DEFAULT '',
    attempts          integer     NOT NULL DEFAULT 0,
    claims            integer     NOT NULL DEFAULT 0,
    due_at            timestamptz,
    unsure_since      timestamptz,
    sent_at           timestamptz,
    meta_trace        text        NOT NULL DEFAULT '',
    traceparent       text        NOT NULL DEFAULT '',
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, payment_id, event),
    FOREIGN KEY (merchant_id, payment_id) REFERENCES deliveries,
    CHECK ((state = 'queued') = (due_at IS NOT NULL))
) WITH (fillfactor = 70);
-- Two sales of one click must not share an id: Meta would swallow the second.
CREATE UNIQUE INDEX purchases_event_id ON purchases (merchant_id, event, event_id) WHERE event_id <> '';
-- Its condition is no column that other statements filter by: a plan made when few rows waited would read them all for each.
CREATE INDEX purchases_due ON purchases (due_at) WHERE due_at IS NOT NULL;
GRANT SELECT, INSERT, UPDATE ON purchases TO baixa_delivery;

-- What happened here later, appended for ever, for payments to follow (internal/eventlog).
CREATE TABLE outcomes (
    merchant_id uuid        NOT NULL,
    payment_id  uuid        NOT NULL,
    kind        text        NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    detail      text        NOT NULL DEFAULT '',
    traceparent text        NOT NULL DEFAULT '',
    xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (merchant_id, xid, seq)
);
CREATE INDEX outcomes_log ON outcomes (xid, seq);
GRANT SELECT, INSERT ON outcomes TO baixa_delivery;
