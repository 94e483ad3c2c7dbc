-- +goose Up

-- Who owns what. Every per-merchant table's key begins with merchant_id, so that it can be distributed by it one day.
CREATE TABLE merchants (
    id          uuid PRIMARY KEY,
    name        text        NOT NULL CHECK (name <> ''),
    external_id text        UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON merchants TO baixa_payments;

CREATE TABLE bots (
    merchant_id uuid        NOT NULL REFERENCES merchants,
    id          uuid        NOT NULL,
    external_id text        NOT NULL CHECK (external_id <> ''),
    name        text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT bots_external_id UNIQUE (merchant_id, external_id)
);
GRANT SELECT, INSERT, UPDATE ON bots TO baixa_payments;

-- merchant_id NULL is an operator's key.
CREATE TABLE api_keys (
    id          uuid PRIMARY KEY,
    merchant_id uuid        REFERENCES merchants,
    name        text        NOT NULL,
    hash        bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    revoked_at  timestamptz
);
CREATE INDEX api_keys_of_merchant ON api_keys (merchant_id, created_at);
GRANT SELECT, INSERT, UPDATE (revoked_at) ON api_keys TO baixa_payments;

-- One sale a row. state, facts and event_count are written by the ledger alone.
CREATE TABLE payments (
    merchant_id          uuid        NOT NULL REFERENCES merchants,
    id                   uuid        NOT NULL,
    bot_id               uuid        NOT NULL,
    account_id           uuid        NOT NULL,
    provider             text        NOT NULL,
    state                text        NOT NULL CHECK (state IN ('pending', 'paid', 'failed', 'expired', 'cancelled', 'refunded', 'charged_back', 'disputed', 'needs_review')),
    review_reason        text        NOT NULL DEFAULT '',
    facts                jsonb       NOT NULL DEFAULT '{}',
    event_count          integer     NOT NULL DEFAULT 0,
    amount_centavos      bigint      NOT NULL CHECK (amount_centavos > 0),
    currency             text        NOT NULL DEFAULT 'BRL',
    paid_centavos        bigint,
    paid_at              timestamptz,
    charge_id            text        NOT NULL DEFAULT '',
    charge_hash          text        NOT NULL DEFAULT '',
    charge_reference     text        NOT NULL DEFAULT '',
    copy_paste           text        NOT NULL DEFAULT '',
    qr_expires_at        timestamptz,
    sale_key             text        NOT NULL,
    external_id          text,
    idempotency_key      text,
    request_hash         bytea       NOT NULL,
    telegram_id          bigint      NOT NULL DEFAULT 0,
    buyer_name           text        NOT NULL DEFAULT '',
    buyer_email          text        NOT NULL DEFAULT '',
    buyer_phone          text        NOT NULL DEFAULT '',
    product_name         text        NOT NULL,
    access_url           text        NOT NULL DEFAULT '',
    contact_text         text        NOT NULL DEFAULT '',
    tracking             jsonb       NOT NULL DEFAULT '{}',
    campaign             text        NOT NULL DEFAULT '',
    delivered_elsewhere  boolean     NOT NULL DEFAULT false,
    token_issued_at      timestamptz,
    message              text        NOT NULL DEFAULT '',
    message_reason       text        NOT NULL DEFAULT '',
    message_sent_at      timestamptz,
    opened_at            timestamptz,
    purchase             text        NOT NULL DEFAULT '',
    polls                integer     NOT NULL DEFAULT 0,
    hints                integer     NOT NULL DEFAULT 0,
    last_poll_at         timestamptz,
    looked_at            timestamptz,
    last_outcome         text        NOT NULL DEFAULT '',
    last_provider_status text        NOT NULL DEFAULT '',
    traceparent          text        NOT NULL DEFAULT '',
    created_at           timestamptz NOT NULL,
    recorded_at          timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, bot_id) REFERENCES bots,
    CONSTRAINT payments_sale_key UNIQUE (merchant_id, sale_key),
    CONSTRAINT payments_external_id UNIQUE (merchant_id, external_id),
    CONSTRAINT payments_idempotency_key UNIQUE (merchant_id, idempotency_key)
) WITH (fillfactor = 80);
-- One charge settles one sale: a provider that returns an older charge's ids must be noticed.
CREATE UNIQUE INDEX payments_charge_id ON payments (merchant_id, account_id, lower(charge_id)) WHERE charge_id <> '';
CREATE UNIQUE INDEX payments_charge_hash ON payments (merchant_id, account_id, charge_hash) WHERE charge_hash <> '';
CREATE UNIQUE INDEX payments_charge_reference ON payments (merchant_id, account_id, charge_reference) WHERE charge_reference <> '';
-- Finding a sale by what a webhook or a person has in hand.
CREATE INDEX payments_by_id ON payments (id);
CREATE INDEX payments_by_sale_key ON payments (sale_key);
CREATE INDEX payments_by_charge_id ON payments (lower(charge_id)) WHERE charge_id <> '';
CREATE INDEX payments_by_charge_hash ON payments (charge_hash) WHERE charge_hash <> '';
CREATE INDEX payments_by_charge_reference ON payments (charge_reference) WHERE charge_reference <> '';
CREATE INDEX payments_by_external_id ON payments (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX payments_by_telegram_id ON payments (telegram_id, created_at DESC) WHERE telegram_id <> 0;
CREATE INDEX payments_newest ON payments (merchant_id, created_at DESC, id DESC);
CREATE INDEX payments_recent ON payments (created_at DESC, id DESC);
GRANT SELECT, INSERT, UPDATE ON payments TO baixa_payments;

-- A sale's whole story, appended for ever.
CREATE TABLE payment_events (
    merchant_id uuid        NOT NULL,
    payment_id  uuid        NOT NULL,
    number      integer     NOT NULL CHECK (number > 0),
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    source      text        NOT NULL,
    from_state  text        NOT NULL,
    to_state    text        NOT NULL,
    details     jsonb       NOT NULL DEFAULT '{}',
    trace_id    text        NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, payment_id, number)
);
GRANT SELECT, INSERT ON payment_events TO baixa_payments;

-- When each sale is looked at next. A row that is gone means never again; leased_until in the future means somebody looks now.
CREATE TABLE looks (
    merchant_id        uuid        NOT NULL,
    payment_id         uuid        NOT NULL,
    account_id         uuid        NOT NULL,
    provider           text        NOT NULL,
    created_at         timestamptz NOT NULL,
    due_at             timestamptz NOT NULL,
    leased_until       timestamptz,
    unanswered         integer     NOT NULL DEFAULT 0,
    hint_at            timestamptz,
    buyer_until        timestamptz,
    want_at            timestamptz,
    reason             text        NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, payment_id)
) WITH (fillfactor = 70);
CREATE INDEX looks_due ON looks (account_id, due_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON looks TO baixa_payments;

-- What must follow from a decision, inserted with it. The row goes when it is done. Idempotency: (merchant, payment, key).
CREATE TABLE effects (
    merchant_id  uuid        NOT NULL,
    payment_id   uuid        NOT NULL,
    key          text        NOT NULL,
    kind         text        NOT NULL,
    payload      jsonb       NOT NULL DEFAULT '{}',
    due_at       timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz,
    attempts     integer     NOT NULL DEFAULT 0,
    last_error   text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, payment_id, key)
) WITH (fillfactor = 70);
CREATE INDEX effects_due ON effects (kind, due_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON effects TO baixa_payments;

-- What providers posted. The body is sealed; the digest finds exact copies.
CREATE TABLE webhooks (
    id           uuid PRIMARY KEY,
    provider     text        NOT NULL,
    digest       bytea       NOT NULL,
    account_key  text        NOT NULL DEFAULT '',
    sale_key     text        NOT NULL DEFAULT '',
    body         bytea       NOT NULL,
    content_type text        NOT NULL DEFAULT '',
    headers      jsonb       NOT NULL DEFAULT '{}',
    remote_addr  text        NOT NULL DEFAULT '',
    received_at  timestamptz NOT NULL DEFAULT now(),
    last_copy_at timestamptz,
    copies       integer     NOT NULL DEFAULT 1,
    state        text        NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'matched', 'parked', 'not_understood', 'ignored', 'refused')),
    reason       text        NOT NULL DEFAULT '',
    due_at       timestamptz,
    leased_until timestamptz,
    attempts     integer     NOT NULL DEFAULT 0,
    account_id   uuid,
    merchant_id  uuid,
    payment_id   uuid,
    ref_hash     text        NOT NULL DEFAULT '',
    ref_id       text        NOT NULL DEFAULT '',
    ref_reference text       NOT NULL DEFAULT '',
    claimed      text        NOT NULL DEFAULT '',
    CONSTRAINT webhooks_digest UNIQUE (digest)
) WITH (fillfactor = 80);
CREATE INDEX webhooks_due ON webhooks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhooks_parked ON webhooks (provider, received_at) WHERE state = 'parked';
CREATE INDEX webhooks_recent ON webhooks (provider, received_at DESC);
GRANT SELECT, INSERT, UPDATE ON webhooks TO baixa_payments;

-- Sums of the history, added to in the transaction that decides and never set. day is in America/Sao_Paulo; campaign '' is none.
CREATE TABLE statistics (
    merchant_id uuid   NOT NULL,
    bot_id      uuid   NOT NULL,
    provider    text   NOT NULL,
    campaign    text   NOT NULL,
    day         date   NOT NULL,
    metric      text   NOT NULL,
    count       bigint NOT NULL DEFAULT 0,
    centavos    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (merchant_id, bot_id, provider, campaign, day, metric)
) WITH (fillfactor = 70);
GRANT SELECT, INSERT, UPDATE ON statistics TO baixa_payments;

-- How far each leaf's outcome log was followed.
CREATE TABLE followed (
    source     text PRIMARY KEY,
    cursor     text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON followed TO baixa_payments;

-- When each kind of work ran last, for diagnosis.
CREATE TABLE work_runs (
    name        text PRIMARY KEY,
    last_run_at timestamptz NOT NULL,
    worked      bigint      NOT NULL DEFAULT 0,
    failed      bigint      NOT NULL DEFAULT 0
);
GRANT SELECT, INSERT, UPDATE ON work_runs TO baixa_payments;
