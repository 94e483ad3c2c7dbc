-- +goose Up

-- State 5: recorded and not to be sent, since the merchant has no text for that kind. An outcome of state 1 says that a message
-- waits for its merchant. Messages to owners are about no sale: their payment_id is the nil UUID.
ALTER TABLE notifications DROP CONSTRAINT notifications_state_check;
ALTER TABLE notifications ADD CONSTRAINT notifications_state_check CHECK (state BETWEEN 1 AND 5);
ALTER TABLE outcomes DROP CONSTRAINT outcomes_state_check;
ALTER TABLE outcomes ADD CONSTRAINT outcomes_state_check CHECK (state BETWEEN 1 AND 4);

-- The bot that takes over what this one cannot hand over; telegram_id is the public number in its token.
ALTER TABLE bots ADD COLUMN fallback_bot_id uuid,
                 ADD COLUMN telegram_id bigint NOT NULL DEFAULT 0,
                 ADD COLUMN lang text NOT NULL DEFAULT '';

-- A message is taken over once. bot_id here is the bot that sends, the notification's the bot that sold.
ALTER TABLE telegram_queue ADD COLUMN taken_over boolean NOT NULL DEFAULT false;

-- Texts that buyers read; the nil UUID as bot stands for all of the merchant's.
CREATE TABLE templates (
    merchant_id uuid        NOT NULL,
    bot_id      uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind <> ''),
    lang        text        NOT NULL CHECK (lang <> ''),
    text        text        NOT NULL CHECK (text <> ''),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (merchant_id, bot_id, kind, lang)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON templates TO baixa_notifier;
