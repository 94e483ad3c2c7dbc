package store

import (
	"context"
	"fmt"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/account"
)

// Budget is how many calls an account may make: Burst at once, then one every Step.
type Budget struct {
	Step  time.Duration
	Burst int
}

// PerMinute is the budget of n calls in any minute: never more than n begin within 60 s, of which a tenth may come at once.
func PerMinute(n int) Budget {
	burst := max(n/10, 1)
	steps := n - burst + 1
	return Budget{Step: (time.Minute + time.Duration(steps) - 1) / time.Duration(steps), Burst: burst}
}

// Question asks for calls of one account.
type Question struct {
	account.Key
	Budget
	// Asked is how many calls are wanted.
	Asked int
	// Owed are calls made since the last question that nobody asked for, or, below zero, calls granted and not made.
	Owed int
}

// Permission is the answer: how many of the calls asked for may be made now, and if not all, why and how long to wait.
type Permission struct {
	Granted int
	// Wait is the time until one more call is granted by the budget alone.
	Wait time.Duration
	// Quiet is how long the provider still wants silence; nothing is granted before.
	Quiet time.Duration
	// Breaker is closed, open or half-open; nothing is granted unless closed. Retry is the time until a probe is allowed.
	Breaker string
	Retry   time.Duration
}

const (
	// Where the virtual clock stands before this question's calls, what was owed included.
	owedFull = `GREATEST(GREATEST(b.full_us, EXCLUDED.at_us) + EXCLUDED.owed * EXCLUDED.step_us, EXCLUDED.at_us)`
	// How many of the asked calls fit before the clock is ahead of now by the whole burst.
	fitting = `LEAST(EXCLUDED.asked, GREATEST(0, (EXCLUDED.at_us + EXCLUDED.burst * EXCLUDED.step_us - ` + owedFull + `) / EXCLUDED.step_us))`
)

// The generic cell rate algorithm, on the server's clock, for many accounts at once. Rows are locked in the order of their
// keys, so that overlapping questions never wait in a circle.
const askBudget = `
WITH asked AS (
  SELECT q.merchant_id, q.account_id, q.asked, q.owed, q.step_us, q.burst, c.at_us, COALESCE(h.breaker, 'closed') AS breaker,
    GREATEST(0, COALESCE((extract(epoch FROM h.quiet_until) * 1000000)::bigint - c.at_us, 0)) AS quiet_us,
    GREATEST(0, COALESCE((extract(epoch FROM h.retry_at) * 1000000)::bigint - c.at_us, 0)) AS retry_us
  FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[], $5::bigint[], $6::bigint[])
    AS q (merchant_id, account_id, asked, owed, step_us, burst)
  CROSS JOIN (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at_us) AS c
  LEFT JOIN health h ON h.merchant_id = q.merchant_id AND h.account_id = q.account_id
), granted AS (
  INSERT INTO budgets AS b (merchant_id, account_id, full_us, at_us, step_us, burst, asked, owed, granted)
  SELECT a.merchant_id, a.account_id, a.at_us + GREATEST(0, n.fits + a.owed) * a.step_us, a.at_us, a.step_us, a.burst, n.wanted, a.owed, n.fits
  FROM asked a
  CROSS JOIN LATERAL (SELECT CASE WHEN a.quiet_us = 0 AND a.breaker = 'closed' THEN a.asked ELSE 0 END AS wanted) AS w
  CROSS JOIN LATERAL (SELECT w.wanted, LEAST(w.wanted, GREATEST(0, a.burst - GREATEST(0, a.owed))) AS fits) AS n
  ORDER BY a.merchant_id, a.account_id
  ON CONFLICT (merchant_id, account_id) DO UPDATE SET at_us = EXCLUDED.at_us, step_us = EXCLUDED.step_us, burst = EXCLUDED.burst,
    asked = EXCLUDED.asked, owed = EXCLUDED.owed, granted = ` + fitting + `,
    full_us = ` + owedFull + ` + ` + fitting + ` * EXCLUDED.step_us
  RETURNING b.merchant_id, b.account_id, b.granted, GREATEST(0, b.full_us - (b.burst - 1) * b.step_us - b.at_us) AS wait_us
)
SELECT a.merchant_id, a.account_id, g.granted, g.wait_us, a.quiet_us, a.breaker, a.retry_us
FROM asked a JOIN granted g ON g.merchant_id = a.merchant_id AND g.account_id = a.account_id`

// Ask takes from the budgets of several accounts, each named once, what they may spend of what they ask for. The rows are
// unlogged: no fsync is waited for.
func (s *Store) Ask(ctx context.Context, in []Question) (map[account.Key]Permission, error) {
	n := len(in)
	ks := make([]account.Key, n)
	asked, owed := make([]int32, n), make([]int32, n)
	steps, bursts := make([]int64, n), make([]int64, n)
	for i, q := range in {
		ks[i], asked[i], owed[i] = q.Key, int32(q.Asked), int32(q.Owed)
		steps[i], bursts[i] = max(q.Step.Microseconds(), 1), int64(max(q.Burst, 1))
	}
	merchants, accounts := keys(ks)
	rows, err := s.pool.Query(ctx, askBudget, merchants, accounts, asked, owed, steps, bursts)
	if err != nil {
		return nil, fmt.Errorf("ask budgets: %w", err)
	}
	defer rows.Close()
	out := make(map[account.Key]Permission, n)
	for rows.Next() {
		var k account.Key
		var p Permission
		var wait, quiet, retry int64
		if err := rows.Scan(&k.Merchant, &k.Account, &p.Granted, &wait, &quiet, &p.Breaker, &retry); err != nil {
			return nil, fmt.Errorf("ask budgets: %w", err)
		}
		p.Wait, p.Quiet, p.Retry = microseconds(wait), microseconds(quiet), microseconds(retry)
		out[k] = p
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ask budgets: %w", err)
	}
	return out, nil
}
