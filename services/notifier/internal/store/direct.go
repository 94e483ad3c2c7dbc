package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Direct says what of the messages that are recorded may be claimed by whoever records them. The zero value claims nothing.
type Direct struct {
	Claim uuid.UUID     // names the claim, for Unclaim
	Most  int           // messages
	Pace  Pace          // of each bot
	Lease time.Duration // as of Claim
}

// handful is what one transaction that records claims.
type handful struct {
	Direct
	goes    []bool // by intent: it is claimed unless its chat forbids it
	gone    []bool // by intent: it was claimed
	version map[lane]int64
}

type lane struct{ merchant, bot uuid.UUID }

// The bots are locked before the queue is read, by another statement: so whatever others claimed of them is seen then. Nobody is waited for.
// A bot for which something waits sends that first. $3 interval in seconds, $4 burst, $5 in flight.
const roomSQL = `
SELECT b.merchant_id, b.bot_id, b.version,
       least($4::int - ceil(extract(epoch FROM greatest(b.next_at, now()) - now())::float8 / $3::float8)::int,
             $5::int - (SELECT count(*)::int FROM telegram_queue s WHERE s.state = 1 AND s.merchant_id = b.merchant_id AND s.bot_id = b.bot_id))
FROM unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, bot_id)
JOIN bots b ON b.merchant_id = w.merchant_id AND b.bot_id = w.bot_id
WHERE b.refused_at IS NULL AND b.paused_until <= now() AND b.next_at <= now() + make_interval(secs => ($4::int - 1) * $3::float8)
  AND (SELECT q.seq FROM telegram_queue q
       WHERE q.state = 0 AND q.merchant_id = b.merchant_id AND q.bot_id = b.bot_id AND q.due_at <= now()
       ORDER BY q.due_at, q.seq LIMIT 1) IS NULL
FOR NO KEY UPDATE OF b SKIP LOCKED`

// choose locks the bots that may send now and says which messages they take: as many as each may send, the first of each chat only.
func (h *handful) choose(ctx context.Context, tx pgx.Tx, intents []Intent) error {
	h.goes, h.gone, h.version = make([]bool, len(intents)), make([]bool, len(intents)), nil
	var merchants, ids [][16]byte
	asked := map[lane]bool{}
	for _, x := range intents {
		if l := (lane{x.MerchantID, x.BotID}); x.goes() && h.Most > 0 && !asked[l] {
			asked[l] = true
			merchants, ids = append(merchants, x.MerchantID), append(ids, x.BotID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, roomSQL, merchants, ids, h.Pace.Interval.Seconds(), h.Pace.Burst, h.Pace.InFlight)
	if err != nil {
		return err
	}
	h.version = make(map[lane]int64, len(ids))
	room := make(map[lane]int, len(ids))
	var (
		l       lane
		version int64
		most    int
	)
	if _, err := pgx.ForEachRow(rows, []any{&l.merchant, &l.bot, &version, &most}, func() error {
		h.version[l], room[l] = version, most
		return nil
	}); err != nil {
		return err
	}
	type chat struct {
		lane
		id int64
	}
	left, first := h.Most, map[chat]bool{}
	for i, x := range intents {
		c := chat{lane{x.MerchantID, x.BotID}, x.ChatID}
		if !x.goes() || first[c] {
			continue
		}
		first[c] = true
		if left > 0 && room[c.lane] > 0 {
			h.goes[i] = true
			left--
			room[c.lane]--
		}
	}
	return nil
}

// goes reports whether it is something to send.
func (x Intent) goes() bool { return x.Channel == Telegram && x.ChatID != 0 }

// messages are what was claimed.
func (h *handful) messages(intents []Intent, out []Recorded) []Message {
	var list []Message
	for i, x := range intents {
		if h.gone[i] {
			list = append(list, Message{MerchantID: x.MerchantID, ID: x.ID, PaymentID: x.PaymentID, BotID: x.BotID, ChatID: x.ChatID,
				Content: x.Content, Traceparent: x.Traceparent, Attempt: 1, CreatedAt: out[i].CreatedAt, DueAt: out[i].CreatedAt,
				BotVersion: h.version[lane{x.MerchantID, x.BotID}]})
		}
	}
	return list
}

// RecordAndClaim is Record, and claims in the same transaction what Claim would take of bots for which nothing waits. What it returns counts
// as handed to Telegram, as with Claim: the caller sends it at once. After an error it is not known whether it was committed: Unclaim it
// before its lease ends. A bot whose row somebody else has locked is left to Claim.
func (s *Store) RecordAndClaim(ctx context.Context, intents []Intent, d Direct) ([]Recorded, []Message, error) {
	h := &handful{Direct: d}
	out := make([]Recorded, len(intents))
	if err := s.fresh.InTx(ctx, s.pool, func(tx pgx.Tx, known bool) error { return s.record(ctx, tx, intents, known, out, h) }); err != nil {
		return nil, nil, err
	}
	return out, h.messages(intents, out), nil
}
