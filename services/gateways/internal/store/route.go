package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

func scanListed(row pgx.CollectableRow) (Listed, error) {
	var l Listed
	var success, failure *time.Time
	err := row.Scan(append(accountFields(&l.Record), &l.Breaker, &success, &failure, &l.CallsLastMinute,
		&l.ShadowLooks, &l.ShadowDiffering)...)
	l.LastSuccessAt, l.LastFailureAt = when(success), when(failure)
	return l, err
}

const accountsByKey = `
SELECT account_key, merchant_id, id FROM accounts WHERE account_key = ANY ($1::text[])`

// ByWebhookKey finds the accounts of webhook keys; unknown keys are left out.
func (s *Store) ByWebhookKey(ctx context.Context, webhookKeys []string) (map[string]account.Key, error) {
	rows, err := s.pool.Query(ctx, accountsByKey, webhookKeys)
	if err != nil {
		return nil, fmt.Errorf("find accounts by webhook key: %w", err)
	}
	defer rows.Close()
	out := map[string]account.Key{}
	for rows.Next() {
		var key string
		var k account.Key
		if err := rows.Scan(&key, &k.Merchant, &k.Account); err != nil {
			return nil, fmt.Errorf("find accounts by webhook key: %w", err)
		}
		out[key] = k
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find accounts by webhook key: %w", err)
	}
	return out, nil
}

// Word is one routing word of one provider.
type Word struct {
	Provider provider.Name
	Hash     string
}

const accountsByRoute = `
SELECT r.provider, r.hash, min(r.merchant_id::text)::uuid, min(r.account_id::text)::uuid
FROM unnest($1::text[], $2::text[]) AS w (provider, hash)
JOIN account_routes r ON r.provider = w.provider AND r.hash = w.hash
GROUP BY r.provider, r.hash HAVING count(DISTINCT r.account_id) = 1`

// ByRoute finds the accounts that words route to. A word of several accounts routes to none: whoever owns one of them could
// otherwise claim the others' webhooks.
func (s *Store) ByRoute(ctx context.Context, words []Word) (map[Word]account.Key, error) {
	providers, hashes := make([]string, len(words)), make([]string, len(words))
	for i, w := range words {
		providers[i], hashes[i] = string(w.Provider), w.Hash
	}
	rows, err := s.pool.Query(ctx, accountsByRoute, providers, hashes)
	if err != nil {
		return nil, fmt.Errorf("find accounts by route: %w", err)
	}
	defer rows.Close()
	out := map[Word]account.Key{}
	for rows.Next() {
		var w Word
		var k account.Key
		if err := rows.Scan(&w.Provider, &w.Hash, &k.Merchant, &k.Account); err != nil {
			return nil, fmt.Errorf("find accounts by route: %w", err)
		}
		out[w] = k
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find accounts by route: %w", err)
	}
	return out, nil
}

// Learning stops at a bound, so that a provider that sends a new word with every charge fills nothing.
const learnRoutes = `
INSERT INTO account_routes (merchant_id, account_id, provider, hash, learned)
SELECT $1, $2, $3, w.hash, true FROM unnest($4::text[]) AS w (hash)
WHERE (SELECT count(*) FROM account_routes r WHERE r.merchant_id = $1 AND r.account_id = $2) < 32
  AND NOT EXISTS (SELECT 1 FROM account_routes r WHERE r.merchant_id = $1 AND r.account_id = $2 AND NOT r.learned)
ON CONFLICT (merchant_id, account_id, hash) DO NOTHING`

// LearnRoutes adds words that a charge of the account was answered with, unless the merchant configured some. Calling it
// again changes nothing.
func (s *Store) LearnRoutes(ctx context.Context, k account.Key, p provider.Name, hashes []string) error {
	if _, err := s.pool.Exec(ctx, learnRoutes, k.Merchant, k.Account, string(p), hashes); err != nil {
		return fmt.Errorf("learn routes of account %s: %w", k.Account, err)
	}
	return nil
}

const webhookHeaders = `
SELECT DISTINCT lower(settings ->> 'webhook_header') AS name FROM accounts WHERE settings ? 'webhook_header' ORDER BY name LIMIT 200`

// WebhookHeaders are the names of static headers that accounts have, of all merchants, in lower case.
func (s *Store) WebhookHeaders(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, webhookHeaders)
	if err != nil {
		return nil, fmt.Errorf("list webhook headers: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list webhook headers: %w", err)
	}
	return out, nil
}
