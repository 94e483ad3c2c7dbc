package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// Intent is one thing to tell, as it is first written. Content belongs to Telegram intents and is sealed; Event belongs to
// WebSocket intents and is a JSON object.
type Intent struct {
	MerchantID, ID, PaymentID, BotID uuid.UUID

	Key         string // the idempotency key within the sale
	Kind        string
	Channel     Channel
	Traceparent string
	ChatID      int64 // 0: undeliverable at once
	Optional    bool  // only where the merchant has stored a text for its kind; otherwise it is Skipped
	Content     []byte
	Event       []byte
}

// Notification is a row as callers may see it.
type Notification struct {
	ID, MerchantID, PaymentID uuid.UUID

	Kind      string
	Channel   Channel
	State     State
	Reason    string // of a queued one: why it waits
	MessageID int64
	Attempts  int32
	CreatedAt time.Time
	SentAt    *time.Time // nil until sent
	NextAt    *time.Time // nil when it is not going to be tried
	Carrier   *uuid.UUID // the bot that took it over from BotID; nil when none did
	Because   string     // why it did
}

// claimedNow stands in recordSQL for no notification.
const claimedNow State = 0

// Recorded is a notification with whether this call made it.
type Recorded struct {
	Notification
	Created bool
}

// Rows are inserted sale by sale so that two batches with the same sales wait for each other in one order; within a sale, and
// in the queue, the caller's order is kept. The chat id 0 ends a message before it begins, and so does a kind that the merchant has no text for.
// $13 says which messages of locked bots go at once, $14 is the claim's name, $15 its lease and $16 the interval in seconds. Of those a message goes
// whose chat has nothing waiting, nothing on its way, and need not be quiet; asked as a scalar, so that it is never joined with the whole queue.
// What was claimed comes as rows of its own of state 0 after the others: joined, it would be compared each with each.
// A bot that was locked is there and not refused; only the others are looked up, for why their messages wait.
const recordSQL = recordGivenSQL + unlessKnownSQL + recordedSQL

// recordFreshSQL is recordSQL for what was not told before, and fails with the key's constraint when something was: it spares a search for each
// row before the one that its index makes anyway, and the mark that a row may have to give way. Nearly everything is told once.
const recordFreshSQL = recordGivenSQL + recordedSQL

const unlessKnownSQL = `
    ON CONFLICT ON CONSTRAINT notifications_key DO NOTHING`

const recordGivenSQL = `
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::smallint[], $8::text[],
                         $9::bigint[], $10::bytea[], $11::text[], $12::boolean[], $13::boolean[])
        WITH ORDINALITY AS g (merchant_id, id, payment_id, bot_id, key, kind, channel, traceparent, chat_id, content, event, optional, direct, ord)
), fresh AS (
    INSERT INTO notifications (merchant_id, id, payment_id, bot_id, key, kind, channel, state, reason, traceparent, sent_at, event)
    SELECT merchant_id, id, payment_id, bot_id, key, kind, channel,
           CASE WHEN channel = 2 THEN 2 WHEN unwanted THEN 5 WHEN chat_id = 0 THEN 3 ELSE 1 END,
           CASE WHEN channel = 1 AND chat_id = 0 AND NOT unwanted THEN 'no_chat' ELSE '' END,
           traceparent, CASE WHEN channel = 2 THEN clock_timestamp() END, event::json
    FROM given CROSS JOIN LATERAL (
        SELECT optional AND NOT EXISTS (
            SELECT FROM templates t WHERE t.merchant_id = given.merchant_id AND t.kind = given.kind
              AND t.bot_id IN (given.bot_id, '00000000-0000-0000-0000-000000000000')) AS unwanted) w
    ORDER BY merchant_id, payment_id, ord`

const recordedSQL = `
    RETURNING merchant_id, id, bot_id, state, reason, created_at, sent_at
), queued AS (
    INSERT INTO telegram_queue (merchant_id, notification_id, payment_id, bot_id, chat_id, content, traceparent, created_at,
                                state, attempt, lease_until, claim)
    SELECT g.merchant_id, g.id, g.payment_id, g.bot_id, g.chat_id, g.content, g.traceparent, f.created_at,
           d.goes::int, d.goes::int, CASE WHEN d.goes THEN clock_timestamp() + make_interval(secs => $15::float8) END,
           CASE WHEN d.goes THEN $14::uuid END
    FROM given g JOIN fresh f ON f.merchant_id = g.merchant_id AND f.id = g.id
    CROSS JOIN LATERAL (
        SELECT g.direct AND (
            SELECT e.seq FROM telegram_queue e
            WHERE e.merchant_id = g.merchant_id AND e.bot_id = g.bot_id AND e.chat_id = g.chat_id AND (e.state < 2 OR e.due_at > now())
            ORDER BY e.seq LIMIT 1) IS NULL AS goes
        OFFSET 0) d
    WHERE f.state = 1
    ORDER BY g.ord
    RETURNING merchant_id, notification_id, bot_id, state
), spent AS (
    UPDATE bots b SET next_at = greatest(b.next_at, now()) + make_interval(secs => c.n * $16::float8)
    FROM (SELECT merchant_id, bot_id, count(*) AS n FROM queued WHERE state = 1 GROUP BY merchant_id, bot_id) c
    WHERE b.merchant_id = c.merchant_id AND b.bot_id = c.bot_id
), hopeless AS (
    INSERT INTO outcomes (merchant_id, notification_id, payment_id, kind, channel, state, reason, message_id, traceparent)
    SELECT g.merchant_id, g.id, g.payment_id, g.kind, g.channel, f.state, f.reason, 0, g.traceparent
    FROM given g JOIN fresh f ON f.merchant_id = g.merchant_id AND f.id = g.id
    WHERE f.state = 3
)
SELECT f.id, f.state, CASE WHEN f.state <> 1 THEN f.reason
       WHEN (f.merchant_id, f.bot_id) IN (SELECT merchant_id, bot_id FROM given WHERE direct) THEN '' ELSE COALESCE(
           (SELECT CASE WHEN b.refused_at IS NULL THEN '' ELSE 'bot_unauthorized' END FROM bots b WHERE b.merchant_id = f.merchant_id AND b.bot_id = f.bot_id),
           'no_bot') END, f.created_at, f.sent_at
FROM fresh f
UNION ALL
SELECT notification_id, 0::smallint, '', NULL, NULL FROM queued WHERE state = 1`

// Owners' events alone need nothing of all that, and are two of three rows that a sale writes. The order is the same.
const (
	recordEventsSQL      = recordGivenEventsSQL + unlessKnownSQL + recordedEventsSQL
	recordFreshEventsSQL = recordGivenEventsSQL + recordedEventsSQL
)

const recordGivenEventsSQL = `
INSERT INTO notifications (merchant_id, id, payment_id, bot_id, key, kind, channel, state, traceparent, sent_at, event)
SELECT merchant_id, id, payment_id, bot_id, key, kind, 2, 2, traceparent, clock_timestamp(), event::json
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
    WITH ORDINALITY AS g (merchant_id, id, payment_id, bot_id, key, kind, traceparent, event, ord)
ORDER BY merchant_id, payment_id, ord`

const recordedEventsSQL = `
RETURNING id, state, reason, created_at, sent_at`

// Record writes the intents in one transaction and returns them in order; one whose (MerchantID, PaymentID, Key) exists, or
// stands earlier in the same call, is answered with the first one and writes nothing. All or nothing.
func (s *Store) Record(ctx context.Context, intents []Intent) ([]Recorded, error) {
	out, _, err := s.RecordAndClaim(ctx, intents, Direct{})
	return out, err
}

func (s *Store) record(ctx context.Context, tx pgx.Tx, intents []Intent, known bool, out []Recorded, h *handful) error {
	if err := pg.Indexed.Set(ctx, tx); err != nil {
		return err
	}
	if err := h.choose(ctx, tx, intents); err != nil {
		return fmt.Errorf("choose messages that go at once: %w", err)
	}
	events, outcomes, err := s.insert(ctx, tx, intents, known, out, h)
	if err != nil {
		return fmt.Errorf("record notifications: %w", err)
	}
	if known {
		err = s.existing(ctx, tx, intents, out)
	}
	if err != nil {
		return fmt.Errorf("look up notifications: %w", err)
	}
	if events {
		if err := s.events.Notify(ctx, pg.Later(tx), ""); err != nil {
			return err
		}
	}
	if outcomes {
		return s.outcomes.Notify(ctx, pg.Later(tx), "")
	}
	return nil
}

func (s *Store) insert(ctx context.Context, tx pgx.Tx, intents []Intent, known bool, out []Recorded, h *handful) (events, outcomes bool, err error) {
	n := len(intents)
	var (
		merchant, id    = make([][16]byte, n), make([][16]byte, n)
		payment, bot    = make([][16]byte, n), make([][16]byte, n)
		key, kind, from = make([]string, n), make([]string, n), make([]string, n)
		channel, chat   = make([]int16, n), make([]int64, n)
		content, event  = make([][]byte, n), make([][]byte, n)
		optional        = make([]bool, n)
		at              = make(map[uuid.UUID]int, n)
		messages        = false
	)
	for i, x := range intents {
		merchant[i], id[i], payment[i], bot[i] = x.MerchantID, x.ID, x.PaymentID, x.BotID
		key[i], kind[i], from[i] = x.Key, x.Kind, x.Traceparent
		channel[i], chat[i] = int16(x.Channel), x.ChatID
		content[i], event[i] = x.Content, x.Event
		optional[i] = x.Optional
		messages = messages || x.Channel != WebSocket
		at[x.ID] = i
		out[i] = Recorded{} // the transaction may run again
	}
	sql, args := recordFreshEventsSQL, []any{merchant, id, payment, bot, key, kind, from, event}
	if known {
		sql = recordEventsSQL
	}
	if messages {
		sql = recordFreshSQL
		if known {
			sql = recordSQL
		}
		args = []any{merchant, id, payment, bot, key, kind, channel, from, chat, content, event, optional,
			h.goes, h.Claim, h.Lease.Seconds(), h.Pace.Interval.Seconds()}
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return false, false, err
	}
	var (
		fresh   uuid.UUID
		state   State
		reason  string
		created *time.Time
		sent    *time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&fresh, &state, &reason, &created, &sent}, func() error {
		i := at[fresh]
		if state == claimedNow {
			h.gone[i] = true
			return nil
		}
		x := intents[i]
		one := Notification{ID: x.ID, MerchantID: x.MerchantID, PaymentID: x.PaymentID, Kind: x.Kind, Channel: x.Channel,
			State: state, Reason: reason, CreatedAt: *created, SentAt: sent}
		if one.State == Queued && one.Reason == "" {
			one.NextAt = created
		}
		events = events || one.Channel == WebSocket
		outcomes = outcomes || one.State == Undeliverable
		out[i] = Recorded{Notification: one, Created: true}
		created, sent = nil, nil
		return nil
	})
	return events, outcomes, err
}
