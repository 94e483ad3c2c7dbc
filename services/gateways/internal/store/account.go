package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// ErrTaken means that the label was given to another account meanwhile: look it up again.
var ErrTaken = errors.New("label taken meanwhile")

const findAccount = `
SELECT id FROM accounts WHERE merchant_id = $1 AND provider = $2 AND label = $3`

// FindAccount is the id of the account with a label, or account.ErrNotFound.
func (s *Store) FindAccount(ctx context.Context, m account.MerchantID, p provider.Name, label string) (account.ID, error) {
	var id account.ID
	if err := s.pool.QueryRow(ctx, findAccount, m, string(p), label).Scan(&id); err != nil {
		return account.ID{}, fmt.Errorf("find account: %w", one(err))
	}
	return id, nil
}

// The row keeps its id, key and age; everything else is replaced, and what was paused is resumed.
const putAccount = `
INSERT INTO accounts AS a (merchant_id, id, provider, label, account_key, base_url, calls_per_minute, settings, sealed, credential_names, shadow)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11)
ON CONFLICT ON CONSTRAINT accounts_label DO UPDATE SET base_url = EXCLUDED.base_url, calls_per_minute = EXCLUDED.calls_per_minute,
  settings = EXCLUDED.settings, sealed = EXCLUDED.sealed, credential_names = EXCLUDED.credential_names, shadow = EXCLUDED.shadow, state = 'active',
  state_reason = '', revision = a.revision + 1, updated_at = now()
WHERE a.id = EXCLUDED.id
RETURNING revision`

// Learned words stay unless the merchant names some himself.
const dropRoutes = `
DELETE FROM account_routes WHERE merchant_id = $1 AND account_id = $2 AND (NOT learned OR $3)`

const addRoutes = `
INSERT INTO account_routes (merchant_id, account_id, provider, hash, learned)
SELECT $1, $2, $3, r.hash, false FROM unnest($4::text[]) AS r (hash)
ON CONFLICT (merchant_id, account_id, hash) DO NOTHING`

// PutAccount creates the account r.Key, or replaces what it holds and resumes it; created tells which. A breaker that was
// open closes, since what it judged is replaced. ErrTaken when the label belongs to another id. Idempotency key: (merchant,
// provider, label).
func (s *Store) PutAccount(ctx context.Context, r *account.Record) (created bool, err error) {
	settings, err := json.Marshal(r.Settings)
	if err != nil {
		return false, fmt.Errorf("encode settings: %w", err)
	}
	hashes := make([]string, len(r.Routes))
	for i, route := range r.Routes {
		hashes[i] = route.Hash
	}
	slices.Sort(hashes)
	var revision int
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, putAccount, r.Merchant, r.Account, string(r.Provider), r.Label, r.WebhookKey, r.BaseURL, r.CallsPerMinute,
			string(settings), r.Sealed, r.CredentialNames, r.Shadow).Scan(&revision)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrTaken
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, dropRoutes, r.Merchant, r.Account, len(hashes) > 0); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, addRoutes, r.Merchant, r.Account, string(r.Provider), hashes); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, closeBreaker, r.Merchant, r.Account)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("put account: %w", err)
	}
	return revision == 1, nil
}

const pauseAccount = `
UPDATE accounts SET state = 'credential_refused', state_reason = $4
WHERE merchant_id = $1 AND id = $2 AND revision = $3 AND state = 'active'`

// PauseAccount records that the provider refused the credentials of one revision; it reports whether that changed anything,
// which it does not when they were replaced meanwhile or the account is paused already.
func (s *Store) PauseAccount(ctx context.Context, k account.Key, revision int, reason string) (bool, error) {
	tag, err := s.pool.Exec(ctx, pauseAccount, k.Merchant, k.Account, revision, reason)
	if err != nil {
		return false, fmt.Errorf("pause account %s: %w", k.Account, err)
	}
	return tag.RowsAffected() > 0, nil
}

const resumeAccount = `
UPDATE accounts SET state = 'active', state_reason = ''
WHERE merchant_id = $1 AND id = $2 AND revision = $3 AND state <> 'active'`

// ResumeAccount records that the provider accepts the credentials of one revision; it reports whether that changed anything.
func (s *Store) ResumeAccount(ctx context.Context, k account.Key, revision int) (bool, error) {
	tag, err := s.pool.Exec(ctx, resumeAccount, k.Merchant, k.Account, revision)
	if err != nil {
		return false, fmt.Errorf("resume account %s: %w", k.Account, err)
	}
	return tag.RowsAffected() > 0, nil
}

// accountColumns are read by scanAccount, in this order.
const accountColumns = `a.merchant_id, a.id, a.provider, a.label, a.account_key, a.base_url, a.calls_per_minute, a.state,
  a.state_reason, a.settings, a.sealed, a.credential_names, a.revision, a.created_at, a.updated_at, a.shadow,
  COALESCE((SELECT jsonb_agg(jsonb_build_object('hash', r.hash, 'learned', r.learned) ORDER BY r.hash) FROM account_routes r
    WHERE r.merchant_id = a.merchant_id AND r.account_id = a.id), '[]')`

func accountFields(r *account.Record) []any {
	return []any{&r.Merchant, &r.Account, &r.Provider, &r.Label, &r.WebhookKey, &r.BaseURL, &r.CallsPerMinute, &r.State, &r.StateReason,
		&r.Settings, &r.Sealed, &r.CredentialNames, &r.Revision, &r.CreatedAt, &r.UpdatedAt, &r.Shadow, &r.Routes}
}

const loadAccounts = `
SELECT ` + accountColumns + `
FROM unnest($1::uuid[], $2::uuid[]) AS k (merchant_id, id)
JOIN accounts a ON a.merchant_id = k.merchant_id AND a.id = k.id`

// Accounts loads accounts by key, in no order; those that do not exist are left out.
func (s *Store) Accounts(ctx context.Context, in []account.Key) ([]*account.Record, error) {
	merchants, accounts := keys(in)
	rows, err := s.pool.Query(ctx, loadAccounts, merchants, accounts)
	if err != nil {
		return nil, fmt.Errorf("load accounts: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*account.Record, error) {
		r := &account.Record{}
		return r, row.Scan(accountFields(r)...)
	})
	if err != nil {
		return nil, fmt.Errorf("load accounts: %w", err)
	}
	return out, nil
}

// Listed is an account with its health.
type Listed struct {
	account.Record
	account.Health
}

const listAccounts = `
SELECT ` + accountColumns + `, COALESCE(h.breaker, 'closed'), h.last_success_at, h.last_failure_at,
  COALESCE((SELECT sum(c.calls) FROM calls c WHERE c.merchant_id = a.merchant_id AND c.account_id = a.id
    AND c.bucket > clock_timestamp() - interval '60 seconds'), 0)::integer,
  COALESCE(w.looks, 0), COALESCE(w.differing, 0)
FROM accounts a LEFT JOIN health h ON h.merchant_id = a.merchant_id AND h.account_id = a.id
LEFT JOIN shadow_counts w ON w.merchant_id = a.merchant_id AND w.account_id = a.id AND w.version = a.shadow
WHERE ($1::uuid IS NULL OR a.merchant_id = $1) AND ($2 = '' OR a.provider = $2) AND ($3::uuid IS NULL OR a.id = $3)
ORDER BY a.created_at, a.id LIMIT 1000`

// ListAccounts lists a merchant's accounts, oldest first and at most 1000. A zero merchant means all of them, an empty
// provider and a zero id mean any.
func (s *Store) ListAccounts(ctx context.Context, m account.MerchantID, p provider.Name, id account.ID) ([]Listed, error) {
	var merchant, only *[16]byte
	if !m.IsZero() {
		merchant = (*[16]byte)(&m)
	}
	if !id.IsZero() {
		only = (*[16]byte)(&id)
	}
	rows, err := s.pool.Query(ctx, listAccounts, merchant, string(p), only)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanListed)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return out, nil
}

const newestSecret = `
SELECT merchant_id, id, sealed FROM accounts ORDER BY created_at DESC, id DESC LIMIT 1`

// NewestSecret is the youngest account with its sealed credentials and nothing else, for checking the keyset at the start;
// account.ErrNotFound when there is none.
func (s *Store) NewestSecret(ctx context.Context) (*account.Record, error) {
	r := &account.Record{}
	if err := s.pool.QueryRow(ctx, newestSecret).Scan(&r.Merchant, &r.Account, &r.Sealed); err != nil {
		return nil, fmt.Errorf("read newest account: %w", one(err))
	}
	return r, nil
}
