package store

import (
	"context"
	"fmt"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/account"
)

const claimLooks = `
INSERT INTO sale_looks AS s (merchant_id, account_id, ref, free_us)
SELECT $1, $2, r.ref, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + $4 FROM unnest($3::text[]) AS r (ref)
ORDER BY r.ref
ON CONFLICT (merchant_id, account_id, ref) DO UPDATE SET free_us = EXCLUDED.free_us
WHERE s.free_us <= EXCLUDED.free_us - $4
RETURNING ref`

const waitLooks = `
SELECT s.ref, GREATEST(0, s.free_us - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
FROM sale_looks s WHERE s.merchant_id = $1 AND s.account_id = $2 AND s.ref = ANY ($3::text[])`

// ClaimLooks takes the right to ask about sales, each named once, of which none may be asked about again within interval. The calls are
// made at any time within ahead: nobody else has the right for both together, or until SettleLooks. It returns how long to wait for
// those that may not be asked about; the others are claimed.
func (s *Store) ClaimLooks(ctx context.Context, k account.Key, refs []string, interval, ahead time.Duration) (map[string]time.Duration, error) {
	rows, err := s.pool.Query(ctx, claimLooks, k.Merchant, k.Account, refs, (interval + ahead).Microseconds())
	if err != nil {
		return nil, fmt.Errorf("claim looks: %w", err)
	}
	defer rows.Close()
	waits := make(map[string]time.Duration)
	for _, ref := range refs {
		waits[ref] = interval
	}
	for rows.Next() {
		var ref string
		if err := rows.Scan(&ref); err != nil {
			return nil, fmt.Errorf("claim looks: %w", err)
		}
		delete(waits, ref)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("claim looks: %w", err)
	}
	if len(waits) == 0 {
		return waits, nil
	}
	return waits, s.waitLooks(ctx, k, waits)
}

func (s *Store) waitLooks(ctx context.Context, k account.Key, waits map[string]time.Duration) error {
	refs := make([]string, 0, len(waits))
	for ref := range waits {
		refs = append(refs, ref)
	}
	rows, err := s.pool.Query(ctx, waitLooks, k.Merchant, k.Account, refs)
	if err != nil {
		return fmt.Errorf("read looks: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var ref string
		var wait int64
		if err := rows.Scan(&ref, &wait); err != nil {
			return fmt.Errorf("read looks: %w", err)
		}
		waits[ref] = microseconds(wait)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read looks: %w", err)
	}
	return nil
}

// Rows are locked in the order of claimLooks.
const settleLooks = `
INSERT INTO sale_looks AS s (merchant_id, account_id, ref, free_us)
SELECT $1, $2, r.ref, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - r.ago + $5 FROM unnest($3::text[], $4::bigint[]) AS r (ref, ago)
ORDER BY r.ref
ON CONFLICT (merchant_id, account_id, ref) DO UPDATE SET free_us = EXCLUDED.free_us`

// Made is a call that a claim was taken for, and how long ago it had been made.
type Made struct {
	Ref string
	Ago time.Duration
}

// SettleLooks lets the intervals of claimed sales, each named once, begin when their calls had been made.
func (s *Store) SettleLooks(ctx context.Context, k account.Key, made []Made, interval time.Duration) error {
	refs, ago := make([]string, len(made)), make([]int64, len(made))
	for i, m := range made {
		refs[i], ago[i] = m.Ref, m.Ago.Microseconds()
	}
	if _, err := s.pool.Exec(ctx, settleLooks, k.Merchant, k.Account, refs, ago, interval.Microseconds()); err != nil {
		return fmt.Errorf("settle looks: %w", err)
	}
	return nil
}

const releaseLooks = `
DELETE FROM sale_looks WHERE merchant_id = $1 AND account_id = $2 AND ref = ANY ($3::text[])`

// ReleaseLooks gives claims back whose call was not made.
func (s *Store) ReleaseLooks(ctx context.Context, k account.Key, refs []string) error {
	if _, err := s.pool.Exec(ctx, releaseLooks, k.Merchant, k.Account, refs); err != nil {
		return fmt.Errorf("release looks: %w", err)
	}
	return nil
}

const sweepLooks = `
DELETE FROM sale_looks WHERE (merchant_id, account_id, ref) IN (
  SELECT merchant_id, account_id, ref FROM sale_looks WHERE free_us < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
  ORDER BY free_us LIMIT 5000 FOR UPDATE SKIP LOCKED)`

const sweepCalls = `
DELETE FROM calls WHERE bucket < clock_timestamp() - interval '2 minutes'`

const sweepShadows = `
DELETE FROM shadow_differences WHERE at < clock_timestamp() - interval '30 days'`

// Sweep deletes what is over: looks that are free again, counters older than the minute they count, and differences of
// shadows older than 30 days.
func (s *Store) Sweep(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, sweepLooks); err != nil {
		return fmt.Errorf("sweep looks: %w", err)
	}
	if _, err := s.pool.Exec(ctx, sweepCalls); err != nil {
		return fmt.Errorf("sweep counters: %w", err)
	}
	if _, err := s.pool.Exec(ctx, sweepShadows); err != nil {
		return fmt.Errorf("sweep shadows: %w", err)
	}
	return nil
}
