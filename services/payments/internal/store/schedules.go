package store

import (
	"context"
	"time"
)

// EffectQueue is one kind of work that decisions ordered.
type EffectQueue struct {
	Kind         string
	Due, Waiting int64
	// Failing failed at least once, Hopeless more than three times.
	Failing, Hopeless int64
	NextAt            *time.Time
	OldestFreeAt      *time.Time // since when something is due that nobody works on
	LastError         string     // of the row that failed most often
}

const effectQueues = `
SELECT e.kind, count(*) FILTER (WHERE e.due_at <= $2), count(*) FILTER (WHERE e.due_at > $2), count(*) FILTER (WHERE e.attempts > 0),
       count(*) FILTER (WHERE e.attempts > 3), min(e.due_at),
       min(e.due_at) FILTER (WHERE e.due_at <= $2 AND (e.leased_until IS NULL OR e.leased_until <= $2)),
       COALESCE((array_agg(e.last_error ORDER BY e.attempts DESC, e.last_error) FILTER (WHERE e.attempts > 0))[1], '')
FROM effects e
WHERE $1::uuid IS NULL OR e.merchant_id = $1
GROUP BY e.kind ORDER BY e.kind`

// EffectQueues sums the open effects by kind.
func (s *Store) EffectQueues(ctx context.Context, c Scope) ([]EffectQueue, error) {
	return report[EffectQueue](ctx, s, "sum effects", effectQueues, c.Merchant, c.Now)
}

// WebhookDay is what one provider posted in the last 24 hours.
type WebhookDay struct {
	Provider string
	// Received counts copies as well.
	Received, NotUnderstood, Refused, Parked int64
	// LastAt is the newest ever; with a merchant in the scope, the newest of that merchant in 30 days.
	LastAt *time.Time
}

const webhookDays = `
WITH RECURSIVE names AS (
    (SELECT provider FROM webhooks ORDER BY provider LIMIT 1)
    UNION ALL
    SELECT (SELECT h.provider FROM webhooks h WHERE h.provider > n.provider ORDER BY h.provider LIMIT 1)
    FROM names n WHERE n.provider IS NOT NULL
)
SELECT n.provider, d.received, d.not_understood, d.refused, d.parked,
       (SELECT h.received_at FROM webhooks h
        WHERE h.provider = n.provider AND ($1::uuid IS NULL OR h.merchant_id = $1 AND h.received_at >= $3)
        ORDER BY h.received_at DESC LIMIT 1)
FROM names n CROSS JOIN LATERAL (
    SELECT COALESCE(sum(h.copies), 0)::bigint AS received, count(*) FILTER (WHERE h.state = 'not_understood') AS not_understood,
           count(*) FILTER (WHERE h.state = 'refused') AS refused, count(*) FILTER (WHERE h.state = 'parked') AS parked
    FROM webhooks h
    WHERE h.provider = n.provider AND h.received_at >= $2 AND ($1::uuid IS NULL OR h.merchant_id = $1)
) d
WHERE n.provider IS NOT NULL ORDER BY n.provider`

// WebhookDays sums the webhooks of the last 24 hours by provider; a provider that never posted is missing.
func (s *Store) WebhookDays(ctx context.Context, c Scope) ([]WebhookDay, error) {
	return report[WebhookDay](ctx, s, "sum webhooks", webhookDays, c.Merchant, c.Now.Add(-day), c.Now.Add(-30*day))
}

// Inbox is the webhooks that wait to be read, or to be read again.
type Inbox struct {
	Due, Waiting, Failing int64
	// Unread were never judged although patience has passed, or could not be read when it was tried.
	Unread int64
	NextAt *time.Time
}

const inbox = `
SELECT count(*) FILTER (WHERE h.due_at <= $2), count(*) FILTER (WHERE h.due_at > $2),
       count(*) FILTER (WHERE h.state = 'new' AND h.attempts > 0),
       count(*) FILTER (WHERE h.state = 'new' AND (h.due_at < $3 OR h.attempts > 0 AND h.due_at > $2)), min(h.due_at)
FROM webhooks h
WHERE h.due_at IS NOT NULL AND ($1::uuid IS NULL OR h.merchant_id = $1)`

// Inbox counts the webhooks that wait. Until one is read its merchant is not known, so that a merchant's scope sees those only
// that wait to be read again.
func (s *Store) Inbox(ctx context.Context, c Scope, patience time.Duration) (Inbox, error) {
	out, err := report[Inbox](ctx, s, "count inbox", inbox, c.Merchant, c.Now, c.Now.Add(-patience))
	if err != nil {
		return Inbox{}, err
	}
	return out[0], nil
}

const workRuns = `
SELECT name, last_run_at FROM work_runs
UNION ALL
SELECT 'follow ' || source, updated_at FROM followed`

// Runs tells when each kind of work ran last, by name; the followed logs are "follow " and the leaf's name.
func (s *Store) Runs(ctx context.Context) (map[string]time.Time, error) {
	type run struct {
		Name string
		At   time.Time
	}
	list, err := report[run](ctx, s, "list runs", workRuns)
	if err != nil {
		return nil, err
	}
	out := make(map[string]time.Time, len(list))
	for _, r := range list {
		out[r.Name] = r.At
	}
	return out, nil
}
