-- +goose Up

-- What a rebuild of the statistics found and corrected, for ever.
CREATE TABLE statistics_rebuilds (
    merchant_id uuid        NOT NULL,
    id          uuid        NOT NULL,
    at          timestamptz NOT NULL,
    by          text        NOT NULL,
    note        text        NOT NULL,
    lines_read  bigint      NOT NULL,
    corrected   bigint      NOT NULL,
    PRIMARY KEY (merchant_id, id)
);
GRANT SELECT, INSERT ON statistics_rebuilds TO baixa_payments;

CREATE TABLE statistics_corrections (
    merchant_id     uuid   NOT NULL,
    rebuild_id      uuid   NOT NULL,
    bot_id          uuid   NOT NULL,
    provider        text   NOT NULL,
    campaign        text   NOT NULL,
    day             date   NOT NULL,
    metric          text   NOT NULL,
    count_before    bigint NOT NULL,
    centavos_before bigint NOT NULL,
    count_after     bigint NOT NULL,
    centavos_after  bigint NOT NULL,
    PRIMARY KEY (merchant_id, rebuild_id, bot_id, provider, campaign, day, metric)
);
GRANT SELECT, INSERT ON statistics_corrections TO baixa_payments;

-- What the platform takes of a merchant's net, in hundredths of a percent, from a day on. bot_id of zeros is the whole merchant.
CREATE TABLE commissions (
    merchant_id  uuid        NOT NULL REFERENCES merchants,
    bot_id       uuid        NOT NULL,
    from_day     date        NOT NULL,
    basis_points integer     NOT NULL CHECK (basis_points BETWEEN 0 AND 10000),
    set_by       text        NOT NULL,
    set_at       timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, bot_id, from_day)
);
GRANT SELECT, INSERT, UPDATE ON commissions TO baixa_payments;
