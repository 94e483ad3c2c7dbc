package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AccessPace bounds what accesses take of a bot's rate, which is the messages': they wait until the bot has rested, so that messages go
// first.
type AccessPace struct {
	Interval time.Duration // of one call
	Calls    int           // that a step may make
	PerBot   int           // accesses of one bot in one claim
}

// $1 most accesses, $2 most of one bot, $3 lease in seconds, $4 seconds of the bot's rate that one access takes. A bot that is missing
// or refused holds nothing back: no call is made. A lease that ends in the far future was taken before the clock went back.
const claimAccessesSQL = `
WITH ready AS (
    SELECT DISTINCT merchant_id, bot_id FROM accesses WHERE due_at <= now()
), lanes AS (
    SELECT r.merchant_id, r.bot_id, b.bot_id IS NULL AS missing, b.refused_at IS NOT NULL AS refused
    FROM ready r LEFT JOIN bots b ON b.merchant_id = r.merchant_id AND b.bot_id = r.bot_id
    WHERE b.bot_id IS NULL OR b.refused_at IS NOT NULL OR b.paused_until <= now() AND b.next_at <= now()
), picked AS (
    SELECT l.merchant_id, l.bot_id, l.missing, l.refused, q.id
    FROM lanes l CROSS JOIN LATERAL (
        SELECT a.id FROM accesses a
        WHERE a.merchant_id = l.merchant_id AND a.bot_id = l.bot_id AND a.due_at <= now()
          AND (a.lease_until < now() OR a.lease_until > now() + interval '10 minutes')
        ORDER BY a.due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED) q
    LIMIT $1
), spent AS (
    UPDATE bots b SET next_at = greatest(b.next_at, now()) + make_interval(secs => c.n * $4::float8)
    FROM (SELECT merchant_id, bot_id, count(*) AS n FROM picked WHERE NOT missing AND NOT refused GROUP BY merchant_id, bot_id) c
    WHERE b.merchant_id = c.merchant_id AND b.bot_id = c.bot_id
)
UPDATE accesses a SET lease_until = now() + make_interval(secs => $3::float8), version = a.version + 1
FROM picked p WHERE a.merchant_id = p.merchant_id AND a.id = p.id
RETURNING ` + accessColumns + `, p.missing, p.refused`

const renewAccessSQL = `
UPDATE accesses SET lease_until = now() + make_interval(secs => $4::float8)
WHERE merchant_id = $1 AND id = $2 AND version = $3 AND lease_until > '-infinity'`

// RenewAccess holds a claimed access for another lease; one that changed since it was claimed stays as it is.
func (s *Store) RenewAccess(ctx context.Context, a Access, lease time.Duration) error {
	if _, err := s.pool.Exec(ctx, renewAccessSQL, a.MerchantID, a.ID, a.Version, lease.Seconds()); err != nil {
		return fmt.Errorf("renew access %s: %w", a.ID, err)
	}
	return nil
}

// ClaimAccesses leases up to limit accesses about which something is to be done, shared out between the bots.
func (s *Store) ClaimAccesses(ctx context.Context, limit int, p AccessPace, lease time.Duration) ([]Access, error) {
	rows, err := s.pool.Query(ctx, claimAccessesSQL, limit, p.PerBot, lease.Seconds(), p.Interval.Seconds()*float64(p.Calls))
	if err != nil {
		return nil, fmt.Errorf("claim accesses: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Access, err error) {
		return a, row.Scan(append(a.targets(), &a.BotMissing, &a.BotRefuse)...)
	})
	if err != nil {
		return nil, fmt.Errorf("claim accesses: %w", err)
	}
	return list, nil
}

const linkSQL = `
UPDATE accesses SET link = $3, link_until = $4, links = links + 1, state = 1, expected_at = CASE WHEN state = 6 THEN now() ELSE expected_at END, error = '', due_at = now() + make_interval(secs => $5::float8), tries = 0,
    lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND id = $2`

// PutLink keeps the sealed invite link of a pending access and says that it is there. done is false when the access changed meanwhile:
// then nobody knows the link, and the caller closes it.
func (s *Store) PutLink(ctx context.Context, a Access, sealed []byte, until time.Time, look time.Duration) (done bool, err error) {
	return s.withBuyer(ctx, "keep link of", a, a.Version, func(tx pgx.Tx, a Access) error {
		if _, err := tx.Exec(ctx, linkSQL, a.MerchantID, a.ID, sealed, until, look.Seconds()); err != nil {
			return err
		}
		return s.tell(ctx, tx, a, "ready", "", nil)
	})
}

const dropLinkSQL = `
UPDATE accesses SET link = NULL, link_until = NULL, due_at = CASE WHEN removal IN (1, 2) THEN now() END, tries = 0, lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND id = $2 AND version = $3`

// DropLink forgets a link that is closed, or that need not be.
func (s *Store) DropLink(ctx context.Context, a Access) error {
	if _, err := s.pool.Exec(ctx, dropLinkSQL, a.MerchantID, a.ID, a.Version); err != nil {
		return fmt.Errorf("drop link of access %s: %w", a.ID, err)
	}
	return nil
}

const laterSQL = `
UPDATE accesses SET due_at = now() + make_interval(secs => $4::float8), tries = tries + 1, lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND id = $2 AND version = $3`

// Later looks at an access again after wait.
func (s *Store) Later(ctx context.Context, a Access, wait time.Duration) error {
	if _, err := s.pool.Exec(ctx, laterSQL, a.MerchantID, a.ID, a.Version, wait.Seconds()); err != nil {
		return fmt.Errorf("put off access %s: %w", a.ID, err)
	}
	return nil
}

const waitingSQL = `
UPDATE accesses SET state = 1, error = '', due_at = now() + make_interval(secs => $4::float8), tries = 0, lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND id = $2 AND version = $3 AND state IN (1, 6)`

// WaitForBuyer looks at a pending access again after wait; nothing is wrong with it any more.
func (s *Store) WaitForBuyer(ctx context.Context, a Access, wait time.Duration) error {
	if _, err := s.pool.Exec(ctx, waitingSQL, a.MerchantID, a.ID, a.Version, wait.Seconds()); err != nil {
		return fmt.Errorf("wait with access %s: %w", a.ID, err)
	}
	return nil
}

// A cancelled or active access keeps its state, and its error is beside it.
const faultSQL = `
UPDATE accesses SET state = CASE WHEN state IN (1, 3) THEN 6 ELSE state END, error = $3,
    due_at = CASE WHEN $4::float8 >= 0 THEN now() + make_interval(secs => $4::float8) END, tries = tries + 1, lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND id = $2`

// PutFault writes what the owner must mend, tells it once until it changes or is over, and tries again after wait; a negative one means
// never by itself.
func (s *Store) PutFault(ctx context.Context, a Access, reason string, wait time.Duration) (done bool, err error) {
	return s.withBuyer(ctx, "note fault of", a, a.Version, func(tx pgx.Tx, a Access) error {
		if _, err := tx.Exec(ctx, faultSQL, a.MerchantID, a.ID, reason, wait.Seconds()); err != nil {
			return err
		}
		if a.Error == reason {
			return nil
		}
		return s.tell(ctx, tx, a, "failed", reason, nil)
	})
}

const moveChatSQL = `
UPDATE accesses SET chat_id = $3, due_at = CASE WHEN state <> 2 AND due_at IS NOT NULL THEN now() ELSE due_at END, lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND chat_id = $2`

// MoveChat follows a group that became a supergroup.
func (s *Store) MoveChat(ctx context.Context, a Access, to int64) error {
	if _, err := s.pool.Exec(ctx, moveChatSQL, a.MerchantID, a.ChatID, to); err != nil {
		return fmt.Errorf("move accesses of group %d: %w", a.ChatID, err)
	}
	return nil
}

const pullBackSQL = `
UPDATE accesses SET due_at = now() WHERE state IN (1, 3, 5, 6) AND due_at > now() + make_interval(secs => $1::float8)`

// A bot's pace and the quiet of a chat are seconds; what Telegram asked for may be longer, and it will ask again.
const (
	pullBotsSQL = `
UPDATE bots SET next_at = least(next_at, now()), paused_until = least(paused_until, now() + interval '1 minute')
WHERE next_at > now() + interval '1 minute' OR paused_until > now() + interval '1 minute'`
	pullMessagesSQL = `
UPDATE telegram_queue SET due_at = least(due_at, now() + interval '1 minute'),
    lease_until = CASE WHEN state = 1 THEN least(lease_until, now() + interval '5 minutes') END
WHERE due_at > now() + interval '1 minute' OR lease_until > now() + interval '5 minutes'`
	pullWebhooksSQL = `
UPDATE webhook_messages SET due_at = CASE WHEN tries = 0 THEN least(due_at, now()) ELSE due_at END,
    lease_until = least(lease_until, now() + interval '5 minutes')
WHERE state = 1 AND (due_at > now() OR lease_until > now() + interval '5 minutes')`
)

// PullBack makes due what a clock that went back has put out of reach: accesses, for which longest is the longest wait there is, messages and
// the bots that send them, and webhooks that were never tried. A lease that a dead process held ends in minutes.
func (s *Store) PullBack(ctx context.Context, longest time.Duration) error {
	if _, err := s.pool.Exec(ctx, pullBackSQL, longest.Seconds()); err != nil {
		return fmt.Errorf("pull accesses back: %w", err)
	}
	for _, statement := range []string{pullBotsSQL, pullMessagesSQL, pullWebhooksSQL} {
		if _, err := s.pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("pull messages back: %w", err)
		}
	}
	return nil
}

// Now is the database's clock.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	if err := s.pool.QueryRow(ctx, nowSQL).Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("database's clock: %w", err)
	}
	return now, nil
}
