-- +goose Up

-- Whether a provider's webhooks are silent for everybody, judged over the accounts of all merchants. Nobody's sales are in here.
CREATE TABLE provider_habits (
    provider     text        PRIMARY KEY,
    silent_since timestamptz,
    judged_at    timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON provider_habits TO baixa_payments;

-- Accounts that are silent now were told of one by one: as conditions of their merchants they are not told again.
INSERT INTO alert_conditions (merchant_id, kind, subject, since, seen_at)
SELECT merchant_id, 'webhooks_silent', provider, min(silent_since), now() FROM habits WHERE silent_since IS NOT NULL GROUP BY 1, 3;
