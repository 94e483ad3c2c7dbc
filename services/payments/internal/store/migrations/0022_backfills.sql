-- +goose Up

-- What was touched by a time of trouble is asked about again, once, behind everything that is going on.
CREATE TABLE backfills (
    merchant_id  uuid        NOT NULL REFERENCES merchants,
    id           uuid        NOT NULL,
    from_at      timestamptz NOT NULL,
    to_at        timestamptz NOT NULL CHECK (to_at > from_at),
    provider     text        NOT NULL DEFAULT '',
    account_id   uuid,
    state        text        NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'cancelled')),
    total        integer     NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    leased_until timestamptz,
    PRIMARY KEY (merchant_id, id)
);
CREATE INDEX backfills_running ON backfills (merchant_id) WHERE state = 'running';
CREATE INDEX backfills_by_id ON backfills (id);
GRANT SELECT, INSERT, UPDATE ON backfills TO baixa_payments;

CREATE TABLE backfill_sales (
    merchant_id uuid        NOT NULL,
    backfill_id uuid        NOT NULL,
    payment_id  uuid        NOT NULL,
    account_id  uuid        NOT NULL,
    was         text        NOT NULL,
    asked_at    timestamptz,
    done_at     timestamptz,
    outcome     text        NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, backfill_id, payment_id),
    FOREIGN KEY (merchant_id, backfill_id) REFERENCES backfills
);
CREATE INDEX backfill_sales_next ON backfill_sales (merchant_id, backfill_id, account_id, payment_id DESC) WHERE asked_at IS NULL;
CREATE INDEX backfill_sales_asked ON backfill_sales (merchant_id, backfill_id, account_id) WHERE asked_at IS NOT NULL AND done_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON backfill_sales TO baixa_payments;
