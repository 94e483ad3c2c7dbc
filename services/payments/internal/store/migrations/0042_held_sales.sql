-- +goose Up

-- Sales whose row cannot be read, since somebody edited it by hand. Nothing happens to them until it can be read again; what happened in the
-- meantime is in held_entries. See docs/adr/0019.
CREATE TABLE held_sales (
    merchant_id uuid        NOT NULL,
    payment_id  uuid        NOT NULL,
    why         text        NOT NULL,
    found_at    timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, payment_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON held_sales TO baixa_payments;

CREATE TABLE held_entries (
    merchant_id uuid   NOT NULL,
    payment_id  uuid   NOT NULL,
    number      bigint GENERATED ALWAYS AS IDENTITY,
    entry       jsonb  NOT NULL,
    PRIMARY KEY (merchant_id, payment_id, number)
);
GRANT SELECT, INSERT, DELETE ON held_entries TO baixa_payments;

-- Since when a sale is in its state; NULL for one that never changed, and where the text is no time: a report must not fail over one sale.
-- +goose StatementBegin
CREATE FUNCTION state_since(facts jsonb) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN facts ->> 'state_since'
        ~ '^\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|[12]\d))T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-](0\d|1[0-4]):[0-5]\d)$'
        THEN (facts ->> 'state_since')::timestamptz END
$$;
-- +goose StatementEnd
