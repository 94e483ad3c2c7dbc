package store

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// LookQueue is the schedule of one provider's looks.
type LookQueue struct {
	Provider     string
	Due, Waiting int64
	// Failing looks got no answer the last time, Unanswered at least three times in a row.
	Failing, Unanswered int64
	// Overdue are due for longer than the limit given, and were recorded before that: what was imported a moment ago is not late.
	Overdue int64
	NextAt  *time.Time
	// About means that the counts are estimates: the schedule is too long to be counted for one answer.
	About bool
}

const (
	countedLooks = 150_000 // a schedule of so many is counted, in a quarter of a second
	sampledLooks = 40_000  // of a longer one so many are looked at
	// A count of fewer hits in the sample than that says little: what is rare is counted by an index.
	enoughHits = 50
)

// The conditions of $2 to $7 are those of a count and of a sample.
const lookSums = `l.provider, count(*) FILTER (WHERE l.due_at <= $2), count(*) FILTER (WHERE l.due_at > $2),
       count(*) FILTER (WHERE l.unanswered > 0), count(*) FILTER (WHERE l.unanswered >= 3),
       count(*) FILTER (WHERE l.due_at < COALESCE(c.before, $6) AND l.payment_id < COALESCE(c.made_before, $7)
                          AND (l.leased_until IS NULL OR l.leased_until <= $2)),
       min(l.due_at), false`

const lateness = ` LEFT JOIN unnest($3::text[], $4::timestamptz[], $5::uuid[]) AS c (provider, before, made_before) ON c.provider = l.provider `

const lookQueues = `
SELECT ` + lookSums + `
FROM looks l` + lateness + `
WHERE ($1::uuid IS NULL OR l.merchant_id = $1) AND ($8::uuid[] IS NULL OR l.account_id = ANY ($8))
GROUP BY l.provider ORDER BY l.provider`

// A sample is of pages: $8 is how many of a hundred.
const sampleLooks = `
SELECT ` + lookSums + `
FROM looks l TABLESAMPLE SYSTEM ($8)` + lateness + `
WHERE $1::uuid IS NULL OR l.merchant_id = $1
GROUP BY l.provider ORDER BY l.provider`

// countLooks is how many looks there are, as the planner thinks.
const countLooks = `
SELECT COALESCE((SELECT (reltuples / relpages * (pg_relation_size(oid) / current_setting('block_size')::int))::bigint
                 FROM pg_class WHERE oid = 'looks'::regclass AND relpages > 0 AND reltuples > 0), 0)`

// Per account, by looks_due alone: when its next look is due, and how many of the longest due are overdue, up to fifty a lane.
const accountLooks = `
WITH RECURSIVE account AS (
    (SELECT account_id FROM looks ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT l.account_id FROM looks l WHERE l.account_id > a.account_id ORDER BY l.account_id LIMIT 1)
    FROM account a WHERE a.account_id IS NOT NULL
), owned AS (
    SELECT a.account_id, o.provider FROM account a CROSS JOIN LATERAL (
        SELECT l.provider, l.merchant_id FROM looks l WHERE l.account_id = a.account_id LIMIT 1) o
    WHERE $1::uuid IS NULL OR o.merchant_id = $1
)
SELECT l.provider, array_agg(l.account_id), min(n.due_at), sum(n.overdue)::bigint
FROM owned l` + lateness + `
CROSS JOIN LATERAL (
    SELECT min(q.due_at) AS due_at, count(*) FILTER (WHERE q.due_at < COALESCE(c.before, $6) AND q.payment_id < COALESCE(c.made_before, $7)
                                                     AND (q.leased_until IS NULL OR q.leased_until <= $2)) AS overdue
    FROM (VALUES (0), (1), (2), (3)) AS v (lane) CROSS JOIN LATERAL (
        SELECT k.due_at, k.payment_id, k.leased_until FROM looks k
        WHERE k.account_id = l.account_id AND k.lane = v.lane ORDER BY k.due_at LIMIT 50) q
) n
GROUP BY l.provider`

const unansweredLooks = `
SELECT provider, count(*), count(*) FILTER (WHERE unanswered >= 3) FROM looks
WHERE unanswered > 0 AND ($1::uuid IS NULL OR merchant_id = $1) AND provider = ANY ($2) GROUP BY provider`

// LookQueues sums the schedule by provider. A look is overdue beyond late of its provider, or beyond otherwise when late does not
// name it. A schedule of more than some hundred thousand looks is estimated from a sample, and what is rare in it counted.
func (s *Store) LookQueues(ctx context.Context, c Scope, late map[string]time.Duration, otherwise time.Duration) ([]LookQueue, error) {
	return s.lookQueues(ctx, c, late, otherwise, countedLooks, sampledLooks)
}

func (s *Store) lookQueues(ctx context.Context, c Scope, late map[string]time.Duration, otherwise time.Duration, counted, sampled int64) ([]LookQueue, error) {
	names, before, made := make([]string, 0, len(late)), make([]time.Time, 0, len(late)), make([]payment.ID, 0, len(late))
	for name, d := range late {
		at := c.Now.Add(-d)
		names, before, made = append(names, name), append(before, at), append(made, since(at))
	}
	rest := c.Now.Add(-otherwise)
	args := []any{c.Merchant, c.Now, names, before, made, rest, since(rest)}
	count := func(accounts []payment.AccountID) ([]LookQueue, error) {
		return report[LookQueue](ctx, s, "sum looks", lookQueues, append(slices.Clip(args), accounts)...)
	}
	size, err := report[struct{ N int64 }](ctx, s, "count looks", countLooks)
	if err != nil {
		return nil, err
	}
	if size[0].N <= counted {
		return count(nil)
	}
	share := float32(100 * float64(sampled) / float64(size[0].N))
	sample, err := report[LookQueue](ctx, s, "sample looks", sampleLooks, append(slices.Clip(args), share)...)
	if err != nil {
		return nil, err
	}
	if c.Merchant != nil {
		hits := int64(0)
		for _, q := range sample {
			hits += q.Due + q.Waiting
		}
		if float64(hits)*100/float64(share) <= float64(counted) {
			return count(nil) // the merchant's part is short
		}
	}
	return s.estimateLooks(ctx, c, args, sample, share, count)
}

// estimateLooks makes of a sample what LookQueues returns.
func (s *Store) estimateLooks(ctx context.Context, c Scope, args []any, sample []LookQueue, share float32, count func([]payment.AccountID) ([]LookQueue, error)) ([]LookQueue, error) {
	providers, err := report[struct {
		Provider string
		Accounts []payment.AccountID
		NextAt   *time.Time
		Overdue  int64
	}](ctx, s, "sum accounts' looks", accountLooks, args...)
	if err != nil {
		return nil, err
	}
	var (
		out    []LookQueue
		small  []payment.AccountID
		seldom []string
	)
	for _, p := range providers {
		i := slices.IndexFunc(sample, func(q LookQueue) bool { return q.Provider == p.Provider })
		if i < 0 || sample[i].Due+sample[i].Waiting < enoughHits {
			small = append(small, p.Accounts...)
			continue
		}
		q := sample[i]
		if q.Failing < enoughHits {
			seldom = append(seldom, q.Provider)
		}
		for _, n := range []*int64{&q.Due, &q.Waiting, &q.Failing, &q.Unanswered} {
			*n = about(*n, share)
		}
		if q.Overdue < enoughHits {
			q.Overdue = p.Overdue
		} else {
			q.Overdue = max(p.Overdue, about(q.Overdue, share))
		}
		q.NextAt, q.About = p.NextAt, true
		out = append(out, q)
	}
	rare, err := report[struct {
		Provider            string
		Failing, Unanswered int64
	}](ctx, s, "sum unanswered looks", unansweredLooks, c.Merchant, seldom)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if slices.Contains(seldom, out[i].Provider) {
			out[i].Failing, out[i].Unanswered = 0, 0
		}
		for _, r := range rare {
			if r.Provider == out[i].Provider {
				out[i].Failing, out[i].Unanswered = r.Failing, r.Unanswered
			}
		}
	}
	if len(small) > 0 {
		counted, err := count(small)
		if err != nil {
			return nil, err
		}
		out = append(out, counted...)
	}
	slices.SortFunc(out, func(a, b LookQueue) int { return strings.Compare(a.Provider, b.Provider) })
	return out, nil
}

// about is the whole of which hits were found in a share of a hundred, in two digits: it is no better than that.
func about(hits int64, share float32) int64 {
	whole := float64(hits) * 100 / float64(share)
	if whole < 100 {
		return int64(math.Round(whole))
	}
	unit := math.Pow(10, math.Floor(math.Log10(whole))-1)
	return int64(math.Round(whole/unit) * unit)
}
