package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/gateways/internal/account"
)

const setQuiet = `
INSERT INTO health AS h (merchant_id, account_id, quiet_until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (merchant_id, account_id) DO UPDATE SET quiet_until = GREATEST(h.quiet_until, EXCLUDED.quiet_until)`

// SetQuiet records that the provider wants silence from now on, for all replicas. A longer silence already asked for stays.
func (s *Store) SetQuiet(ctx context.Context, k account.Key, d time.Duration) error {
	if _, err := s.pool.Exec(ctx, setQuiet, k.Merchant, k.Account, d.Seconds()); err != nil {
		return fmt.Errorf("set quiet of account %s: %w", k.Account, err)
	}
	return nil
}

// Of replicas that see the same failures one opens the breaker; a probe's failure opens a half-open one again, for longer.
const tripBreaker = `
INSERT INTO health AS h (merchant_id, account_id, breaker, retry_at, trips)
VALUES ($1, $2, 'open', clock_timestamp() + make_interval(secs => $3), 1)
ON CONFLICT (merchant_id, account_id) DO UPDATE SET breaker = 'open', trips = h.trips + 1, probe_until = NULL,
  retry_at = clock_timestamp() + make_interval(secs => LEAST($3 * power(2, LEAST(h.trips, 20)), $4))
WHERE h.breaker = CASE WHEN $5 THEN 'half-open' ELSE 'closed' END
RETURNING (extract(epoch FROM h.retry_at - clock_timestamp()) * 1000000)::bigint`

// TripBreaker opens a closed breaker, or with probe a half-open one, and returns for how long; 0 when another was first. The
// time begins at first and doubles with every failed probe up to limit.
func (s *Store) TripBreaker(ctx context.Context, k account.Key, probe bool, first, limit time.Duration) (time.Duration, error) {
	var us int64
	err := s.pool.QueryRow(ctx, tripBreaker, k.Merchant, k.Account, first.Seconds(), limit.Seconds(), probe).Scan(&us)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("trip breaker of account %s: %w", k.Account, err)
	}
	return microseconds(max(us, 1)), nil
}

const claimProbe = `
UPDATE health SET breaker = 'half-open', probe_until = clock_timestamp() + make_interval(secs => $3)
WHERE merchant_id = $1 AND account_id = $2 AND breaker <> 'closed' AND retry_at <= clock_timestamp()
  AND (probe_until IS NULL OR probe_until < clock_timestamp())`

// ClaimProbe takes the right to make the one call that tests an open breaker whose time is over. The right ends with lease,
// so that a probe that died is replaced by another.
func (s *Store) ClaimProbe(ctx context.Context, k account.Key, lease time.Duration) (bool, error) {
	tag, err := s.pool.Exec(ctx, claimProbe, k.Merchant, k.Account, lease.Seconds())
	if err != nil {
		return false, fmt.Errorf("claim probe of account %s: %w", k.Account, err)
	}
	return tag.RowsAffected() > 0, nil
}

const releaseProbe = `
UPDATE health SET breaker = 'open', probe_until = NULL
WHERE merchant_id = $1 AND account_id = $2 AND breaker = 'half-open'`

// ReleaseProbe gives a probe back that proved nothing, so that another may be made at once.
func (s *Store) ReleaseProbe(ctx context.Context, k account.Key) error {
	if _, err := s.pool.Exec(ctx, releaseProbe, k.Merchant, k.Account); err != nil {
		return fmt.Errorf("release probe of account %s: %w", k.Account, err)
	}
	return nil
}

const closeBreaker = `
UPDATE health SET breaker = 'closed', retry_at = NULL, probe_until = NULL, trips = 0
WHERE merchant_id = $1 AND account_id = $2 AND breaker <> 'closed'`

// CloseBreaker closes it and reports whether it was not.
func (s *Store) CloseBreaker(ctx context.Context, k account.Key) (bool, error) {
	tag, err := s.pool.Exec(ctx, closeBreaker, k.Merchant, k.Account)
	if err != nil {
		return false, fmt.Errorf("close breaker of account %s: %w", k.Account, err)
	}
	return tag.RowsAffected() > 0, nil
}

// Usage is what one replica did with an account since it told last.
type Usage struct {
	account.Key
	Calls       int
	LastSuccess time.Time // zero when there was none
	LastFailure time.Time
}

const addCalls = `
INSERT INTO calls AS c (merchant_id, account_id, bucket, calls)
SELECT u.merchant_id, u.account_id, date_bin('2 seconds', clock_timestamp(), timestamptz '2000-01-01'), u.calls
FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS u (merchant_id, account_id, calls) WHERE u.calls > 0
ORDER BY u.merchant_id, u.account_id
ON CONFLICT (merchant_id, account_id, bucket) DO UPDATE SET calls = c.calls + EXCLUDED.calls`

const setLast = `
INSERT INTO health AS h (merchant_id, account_id, last_success_at, last_failure_at)
SELECT u.merchant_id, u.account_id, u.success, u.failure
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS u (merchant_id, account_id, success, failure)
ORDER BY u.merchant_id, u.account_id
ON CONFLICT (merchant_id, account_id) DO UPDATE SET last_success_at = GREATEST(h.last_success_at, EXCLUDED.last_success_at),
  last_failure_at = GREATEST(h.last_failure_at, EXCLUDED.last_failure_at)`

// AddUsage adds a replica's counters, each account once.
func (s *Store) AddUsage(ctx context.Context, in []Usage) error {
	slices.SortFunc(in, func(a, b Usage) int {
		return cmp.Or(slices.Compare(a.Merchant[:], b.Merchant[:]), slices.Compare(a.Account[:], b.Account[:]))
	})
	ks, calls := make([]account.Key, len(in)), make([]int32, len(in))
	success, failure := make([]*time.Time, len(in)), make([]*time.Time, len(in))
	for i, u := range in {
		ks[i], calls[i], success[i], failure[i] = u.Key, int32(u.Calls), maybe(u.LastSuccess), maybe(u.LastFailure)
	}
	merchants, accounts := keys(ks)
	if _, err := s.pool.Exec(ctx, addCalls, merchants, accounts, calls); err != nil {
		return fmt.Errorf("add calls: %w", err)
	}
	if _, err := s.pool.Exec(ctx, setLast, merchants, accounts, success, failure); err != nil {
		return fmt.Errorf("set times of last calls: %w", err)
	}
	return nil
}
