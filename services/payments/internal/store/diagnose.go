package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// The statements below look at many rows for few numbers. They are planned with their arguments' values each time
// (QueryExecModeCacheDescribe), since the best plan for one merchant is not the best for all.

// OpenEffect is work of one sale that is still to be done.
type OpenEffect struct {
	Name      string
	Kind      string
	Payload   json.RawMessage
	DueAt     time.Time
	Attempts  int    // that failed so far
	LastError string // a code's name, empty before the first failure
	CreatedAt time.Time
}

const openEffects = `
SELECT key, kind, payload, due_at, attempts, last_error, created_at
FROM effects WHERE merchant_id = $1 AND payment_id = $2 ORDER BY created_at, key`

// OpenEffects returns what must still follow for a sale, oldest first.
func (s *Store) OpenEffects(ctx context.Context, k Key) ([]OpenEffect, error) {
	return report[OpenEffect](ctx, s, "list open effects", openEffects, k.MerchantID, k.PaymentID)
}

// report runs one of this file's statements.
func report[T any](ctx context.Context, s *Store, doing, statement string, args ...any) ([]T, error) {
	rows, err := s.pool.Query(ctx, statement, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
	if err == nil {
		var out []T
		if out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T]); err == nil {
			return out, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", doing, err)
}

// Scope narrows a diagnosis.
type Scope struct {
	Merchant *payment.MerchantID // nil: all
	Now      time.Time
}

// since is the least id of a sale that was recorded after an instant.
func since(t time.Time) payment.ID { return pg.FirstID(t) }

const day = 24 * time.Hour

// SaleInShort is one sale as a diagnosis lists it.
type SaleInShort struct {
	ID         payment.ID
	ExternalID string
	Provider   string
	State      string
	Amount     money.Amount
	Currency   string
	CreatedAt  time.Time
	PaidAt     *time.Time
	HasToken   bool
	Message    string // as in Fulfilment
}

const lastSales = `
SELECT p.id, COALESCE(p.external_id, ''), p.provider, p.state, p.amount_centavos, p.currency, p.created_at, p.paid_at,
       p.token_issued_at IS NOT NULL, p.message
FROM payments p WHERE $1::uuid IS NULL OR p.merchant_id = $1
ORDER BY p.created_at DESC, p.id DESC LIMIT 10`

// LastSales returns the ten newest sales, newest first.
func (s *Store) LastSales(ctx context.Context, c Scope) ([]SaleInShort, error) {
	return report[SaleInShort](ctx, s, "list last sales", lastSales, c.Merchant)
}

// ProviderDay is what the sales of one provider are that were recorded in the last 24 hours.
type ProviderDay struct {
	Provider                       string
	Total, Paid, Pending, InReview int64
	WithToken, Messaged            int64
	Undeliverable, MaybeSent       int64
	Polls, Hints                   int64
	Unanswered                     int64 // whose last look ended in an error
	LastPollAt                     *time.Time
}

const providerDays = `
SELECT p.provider, count(*), count(*) FILTER (WHERE p.state = 'paid'), count(*) FILTER (WHERE p.state = 'pending'),
       count(*) FILTER (WHERE p.state = 'needs_review'), count(*) FILTER (WHERE p.token_issued_at IS NOT NULL),
       count(*) FILTER (WHERE p.message = 'sent'), count(*) FILTER (WHERE p.message = 'undeliverable' AND p.opened_at IS NULL),
       count(*) FILTER (WHERE p.message = 'maybe_sent' AND p.opened_at IS NULL),
       COALESCE(sum(p.polls), 0)::bigint, COALESCE(sum(p.hints), 0)::bigint,
       count(*) FILTER (WHERE p.last_outcome NOT IN ('', 'status', 'not_found')), max(p.last_poll_at)
FROM payments p
WHERE p.id >= $2 AND ($1::uuid IS NULL OR p.merchant_id = $1)
GROUP BY p.provider ORDER BY p.provider`

// ProviderDays sums the sales that were recorded in the last 24 hours, by provider.
func (s *Store) ProviderDays(ctx context.Context, c Scope) ([]ProviderDay, error) {
	return report[ProviderDay](ctx, s, "sum providers", providerDays, c.Merchant, since(c.Now.Add(-day)))
}

// Stuck is paid sales that did not reach their buyers.
type Stuck struct {
	// NoToken are paid and have no link; NoMessage have a link and no message that went out.
	NoToken, NoMessage             int64
	NoTokenAmount, NoMessageAmount money.Amount
	// One sale of each, the longest paid; empty when there is none.
	NoTokenSample, NoMessageSample string
}

const stuckSales = `
WITH waiting AS (
    SELECT e.merchant_id, e.payment_id AS id FROM effects e
    WHERE e.kind = 'deliver' AND e.created_at < $3 AND ($1::uuid IS NULL OR e.merchant_id = $1)
    UNION
    SELECT p.merchant_id, p.id FROM payments p
    WHERE p.id >= $2 AND ($1::uuid IS NULL OR p.merchant_id = $1) AND p.state = 'paid' AND NOT p.delivered_elsewhere
      AND p.message IN ('', 'queued') AND COALESCE(state_since(p.facts), p.created_at) < $3
), stuck AS (
    SELECT p.id, p.amount_centavos, p.paid_at, p.token_issued_at IS NULL AS no_token
    FROM waiting w JOIN payments p ON p.merchant_id = w.merchant_id AND p.id = w.id
    WHERE p.state = 'paid' AND NOT p.delivered_elsewhere AND p.opened_at IS NULL
      AND (p.token_issued_at IS NULL OR p.token_issued_at < $3 AND p.message IN ('', 'queued'))
)
SELECT count(*) FILTER (WHERE no_token), count(*) FILTER (WHERE NOT no_token),
       COALESCE(sum(amount_centavos) FILTER (WHERE no_token), 0)::bigint, COALESCE(sum(amount_centavos) FILTER (WHERE NOT no_token), 0)::bigint,
       COALESCE(((array_agg(id ORDER BY paid_at, id) FILTER (WHERE no_token))[1])::text, ''),
       COALESCE(((array_agg(id ORDER BY paid_at, id) FILTER (WHERE NOT no_token))[1])::text, '')
FROM stuck`

// StuckSales finds paid sales without a link, and links without a message, for longer than patience: those of the last 24 hours,
// and older ones whose delivery is still being tried.
func (s *Store) StuckSales(ctx context.Context, c Scope, patience time.Duration) (Stuck, error) {
	out, err := report[Stuck](ctx, s, "find stuck sales", stuckSales, c.Merchant, since(c.Now.Add(-day)), c.Now.Add(-patience))
	if err != nil {
		return Stuck{}, err
	}
	return out[0], nil
}

const openReviews = `
SELECT COALESCE(sum(s.count), 0)::bigint, COALESCE(sum(s.centavos), 0)::bigint
FROM statistics s WHERE s.metric = 'needs_review' AND ($1::uuid IS NULL OR s.merchant_id = $1)`

// OpenReviews counts the sales with an open question and the money under review, however old, from the statistics, which equal
// the sales at any time.
func (s *Store) OpenReviews(ctx context.Context, c Scope) (sales int64, amount money.Amount, err error) {
	type sums struct {
		Sales  int64
		Amount money.Amount
	}
	out, err := report[sums](ctx, s, "count open reviews", openReviews, c.Merchant)
	if err != nil {
		return 0, 0, err
	}
	return out[0].Sales, out[0].Amount, nil
}
