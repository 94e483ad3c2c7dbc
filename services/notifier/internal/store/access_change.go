package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The changes of an access's times. All of them hold the buyer's lock.

const leavingSQL = `
SELECT EXISTS (SELECT FROM accesses WHERE merchant_id = $1 AND chat_id = $2 AND user_id = $3 AND id <> $4 AND removal = 2)`

// Months are Brazil's: from the 31st to a shorter month's last day, whatever the hour in UTC.
const activateSQL = `
WITH base AS (
    SELECT greatest(now(), COALESCE((SELECT max(o.expires_at) FROM accesses o
        WHERE o.merchant_id = $1 AND o.chat_id = $3 AND o.user_id = $4 AND o.id <> $2 AND o.state = 2), now())) AS at
), ends AS (
    SELECT b.at, CASE WHEN a.remaining IS NOT NULL THEN b.at + make_interval(secs => a.remaining)
                      WHEN a.unit = 'forever' THEN NULL
                      ELSE (b.at AT TIME ZONE 'America/Sao_Paulo' + make_interval(
                          hours => CASE a.unit WHEN 'hours' THEN a.value ELSE 0 END,
                          days => CASE a.unit WHEN 'days' THEN a.value WHEN 'weeks' THEN 7 * a.value ELSE 0 END,
                          months => CASE a.unit WHEN 'months' THEN a.value ELSE 0 END)) AT TIME ZONE 'America/Sao_Paulo' END AS until
    FROM base b, accesses a WHERE a.merchant_id = $1 AND a.id = $2
)
UPDATE accesses a
SET state = 2, error = '', started_at = e.at, expires_at = e.until, removal = 0, removed_at = NULL, due_at = e.until, tries = 0,
    lease_until = '-infinity', version = a.version + 1
FROM ends e WHERE a.merchant_id = $1 AND a.id = $2
RETURNING a.expires_at, e.at > now()`

// ActivateAccess begins the time of a pending access whose buyer is in the group: now, or at the end of the buyer's others. wait means
// that the buyer is just being taken out for another access, so that what was seen will not be true: look again. done is false when the
// access changed since it was read.
func (s *Store) ActivateAccess(ctx context.Context, a Access) (wait, done bool, err error) {
	done, err = s.withBuyer(ctx, "activate", a, a.Version, func(tx pgx.Tx, a Access) error {
		wait = false
		if err := tx.QueryRow(ctx, leavingSQL, a.MerchantID, a.ChatID, a.UserID, a.ID).Scan(&wait); err != nil || wait {
			return err
		}
		var (
			until *time.Time
			later bool
		)
		if err := tx.QueryRow(ctx, activateSQL, a.MerchantID, a.ID, a.ChatID, a.UserID).Scan(&until, &later); err != nil {
			return err
		}
		what := "started"
		if later {
			what = "extended"
		}
		return s.tell(ctx, tx, a, what, "", until)
	})
	return wait, done, err
}

// The others that matter: active ones that are not over, and pending ones, whose buyer is about to be seen.
const othersSQL = `
SELECT EXISTS (SELECT FROM accesses WHERE merchant_id = $1 AND chat_id = $2 AND user_id = $3 AND id <> $4 AND state = 2
               AND (expires_at IS NULL OR expires_at > now())),
       EXISTS (SELECT FROM accesses WHERE merchant_id = $1 AND chat_id = $2 AND user_id = $3 AND id <> $4 AND state IN (1, 6) AND removal = 0
               AND created_at > now() - interval '1 day')`

const endSQL = `
UPDATE accesses SET state = CASE WHEN state = 5 THEN 5 ELSE 3 END, error = '', removal = $3::smallint, due_at = CASE WHEN $3::smallint = 1 THEN now() END, tries = 0,
    lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND id = $2`

const putOffSQL = `
UPDATE accesses SET due_at = now() + make_interval(secs => $3::float8), tries = tries + 1, lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND id = $2`

// ExpireAccess ends an access whose time is over: its buyer stays by another one, or is to be taken out. While a fresh sale of the same
// buyer waits to be seen it is put off, for at most grace after the end.
func (s *Store) ExpireAccess(ctx context.Context, a Access, grace, again time.Duration) (done bool, err error) {
	return s.withBuyer(ctx, "expire", a, a.Version, func(tx pgx.Tx, a Access) error {
		var active, pending bool
		if err := tx.QueryRow(ctx, othersSQL, a.MerchantID, a.ChatID, a.UserID, a.ID).Scan(&active, &pending); err != nil {
			return err
		}
		if active {
			if _, err := tx.Exec(ctx, endSQL, a.MerchantID, a.ID, RemovalNone); err != nil {
				return err
			}
			return s.tell(ctx, tx, a, "ended", "", a.ExpiresAt)
		}
		if pending && a.ExpiresAt != nil && a.Now.Before(a.ExpiresAt.Add(grace)) {
			_, err := tx.Exec(ctx, putOffSQL, a.MerchantID, a.ID, again.Seconds())
			return err
		}
		_, err := tx.Exec(ctx, endSQL, a.MerchantID, a.ID, RemovalWanted)
		return err
	})
}

const removalSQL = `
UPDATE accesses SET removal = $3::smallint, version = version + 1 WHERE merchant_id = $1 AND id = $2
RETURNING version`

// BeginRemoval commits that the buyer is about to be banned, unless another access keeps them in by now: then begun is false and the
// access needs nothing more. It returns the access as it is then.
func (s *Store) BeginRemoval(ctx context.Context, a Access) (out Access, begun, done bool, err error) {
	done, err = s.withBuyer(ctx, "begin to remove", a, a.Version, func(tx pgx.Tx, a Access) error {
		begun, out = a.Removal == RemovalBegun, a
		if begun {
			return nil
		}
		var active, pending bool
		if err := tx.QueryRow(ctx, othersSQL, a.MerchantID, a.ChatID, a.UserID, a.ID).Scan(&active, &pending); err != nil {
			return err
		}
		if active {
			if _, err := tx.Exec(ctx, endSQL, a.MerchantID, a.ID, RemovalNone); err != nil {
				return err
			}
			return s.tell(ctx, tx, a, "ended", "", a.ExpiresAt)
		}
		begun, out.Removal = true, RemovalBegun
		return tx.QueryRow(ctx, removalSQL, a.MerchantID, a.ID, RemovalBegun).Scan(&out.Version)
	})
	return out, begun, done, err
}

const removedSQL = `
UPDATE accesses
SET removal = CASE WHEN state IN (1, 2) THEN 0 ELSE 3 END, state = CASE WHEN state IN (3, 6) THEN 4 ELSE state END, removed_at = now(), error = '',
    link = NULL, link_until = NULL, due_at = CASE WHEN state = 1 THEN now() END, tries = 0, lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND id = $2`

// EndRemoval writes that the buyer is out and the ban lifted. An access that was given back meanwhile goes on as pending.
func (s *Store) EndRemoval(ctx context.Context, a Access) (done bool, err error) {
	return s.withBuyer(ctx, "end removal of", a, 0, func(tx pgx.Tx, a Access) error {
		if a.Removal != RemovalBegun {
			return errOvertaken
		}
		if _, err := tx.Exec(ctx, removedSQL, a.MerchantID, a.ID); err != nil {
			return err
		}
		return s.tell(ctx, tx, a, "removed", a.Cancelled, nil)
	})
}

// Renewals that were to count from this one's end count from its new one.
const shiftSQL = `
UPDATE accesses SET started_at = started_at + make_interval(secs => $6::float8), expires_at = expires_at + make_interval(secs => $6::float8),
    due_at = due_at + make_interval(secs => $6::float8), version = version + 1
WHERE merchant_id = $1 AND chat_id = $2 AND user_id = $3 AND id <> $4 AND state = 2 AND started_at >= $5`

// A link that is out, or a buyer who may be in, must be dealt with; what was over is over.
const cancelSQL = `
UPDATE accesses
SET state = 5, cancelled = $3, error = '', remaining = $4, due_at = now(), tries = 0, lease_until = '-infinity', version = version + 1,
    removal = CASE WHEN removal = 0 AND (started_at IS NOT NULL OR links > 0) THEN 1 ELSE removal END
WHERE merchant_id = $1 AND id = $2`

// CancelAccess ends an access for a reason and keeps what was left of it. One that is cancelled already stays as it is.
func (s *Store) CancelAccess(ctx context.Context, at Access, reason string) (Access, error) {
	_, err := s.withBuyer(ctx, "cancel", at, 0, func(tx pgx.Tx, a Access) error {
		if a.State == AccessCancelled {
			return nil
		}
		var left *float64
		switch {
		case a.StartedAt == nil: // all of it, or what a restored one had
			if err := tx.QueryRow(ctx, remainingSQL, a.MerchantID, a.ID).Scan(&left); err != nil {
				return err
			}
		case a.State == AccessActive && a.ExpiresAt == nil: // all of what has no end
		case a.State == AccessActive:
			from := a.Now
			if a.StartedAt.After(from) {
				from = *a.StartedAt
			}
			seconds := max(0, a.ExpiresAt.Sub(from).Seconds())
			left = &seconds
			if _, err := tx.Exec(ctx, shiftSQL, a.MerchantID, a.ChatID, a.UserID, a.ID, a.ExpiresAt, -seconds); err != nil {
				return err
			}
		default:
			left = new(float64)
		}
		if _, err := tx.Exec(ctx, cancelSQL, a.MerchantID, a.ID, reason, left); err != nil {
			return err
		}
		return s.tell(ctx, tx, a, "cancelled", reason, nil)
	})
	if err != nil {
		return Access{}, err
	}
	return s.Access(ctx, &at.MerchantID, at.ID, uuid.Nil)
}

const remainingSQL = `SELECT remaining FROM accesses WHERE merchant_id = $1 AND id = $2`

// One with nothing left is over at once. A removal that has begun goes on; one that was only wanted does not.
const restoreSQL = `
UPDATE accesses
SET expected_at = now(), state = CASE WHEN remaining = 0 THEN CASE WHEN removal = 0 THEN 3 ELSE 4 END ELSE 1 END, cancelled = '', error = '', started_at = NULL, expires_at = NULL,
    link = NULL, link_until = NULL, removal = CASE WHEN removal = 2 THEN 2 WHEN remaining = 0 THEN removal ELSE 0 END,
    due_at = CASE WHEN remaining = 0 AND removal NOT IN (1, 2) THEN NULL ELSE now() END, tries = 0, lease_until = '-infinity', version = version + 1
WHERE merchant_id = $1 AND id = $2`

// RestoreAccess gives a cancelled access back as pending, with what it had left. One that is not cancelled, or was so by hand unless
// manual says that this is undone as well, stays as it is.
func (s *Store) RestoreAccess(ctx context.Context, at Access, manual bool) (Access, error) {
	_, err := s.withBuyer(ctx, "restore", at, 0, func(tx pgx.Tx, a Access) error {
		if a.State != AccessCancelled || a.Cancelled == CancelledManually && !manual {
			return nil
		}
		if _, err := tx.Exec(ctx, restoreSQL, a.MerchantID, a.ID); err != nil {
			return err
		}
		return s.tell(ctx, tx, a, "restored", "", nil)
	})
	if err != nil {
		return Access{}, err
	}
	return s.Access(ctx, &at.MerchantID, at.ID, uuid.Nil)
}

// CancelledManually is the reason of the owner's own cancellations.
const CancelledManually = "manual"

const extendSQL = `
UPDATE accesses SET expires_at = $3, due_at = $3, tries = 0, lease_until = '-infinity', version = version + 1 WHERE merchant_id = $1 AND id = $2`

// ExtendAccess moves the end of an active access that has one to until, which is not before it; ok is false for any other.
func (s *Store) ExtendAccess(ctx context.Context, at Access, until time.Time) (out Access, ok bool, err error) {
	_, err = s.withBuyer(ctx, "extend", at, 0, func(tx pgx.Tx, a Access) error {
		ok = a.State == AccessActive && a.ExpiresAt != nil && !until.Before(*a.ExpiresAt)
		if !ok || until.Equal(*a.ExpiresAt) {
			return nil
		}
		if _, err := tx.Exec(ctx, shiftSQL, a.MerchantID, a.ChatID, a.UserID, a.ID, a.ExpiresAt, until.Sub(*a.ExpiresAt).Seconds()); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, extendSQL, a.MerchantID, a.ID, until); err != nil {
			return err
		}
		return s.tell(ctx, tx, a, "extended", "", &until)
	})
	if err != nil {
		return Access{}, false, err
	}
	out, err = s.Access(ctx, &at.MerchantID, at.ID, uuid.Nil)
	return out, ok, err
}
