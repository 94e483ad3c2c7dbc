package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// Endpoint is an address of a merchant's own system that takes events.
type Endpoint struct {
	MerchantID, ID uuid.UUID

	URL                  string
	Loopback             bool // http on this machine is admitted
	Description          string
	EventTypes           []string
	BotIDs               []uuid.UUID
	DisabledReason       string // empty: enabled
	FailingSince         *time.Time
	CreatedAt, UpdatedAt time.Time
	Waiting              int64 // messages
	Secrets              int   // that sign now
}

// Limits of endpoints.
const (
	MaxEndpoints = 20 // of one merchant
	MaxSecrets   = 5  // of one endpoint that sign at once
)

// ErrTooMany means that a merchant has MaxEndpoints, or an endpoint MaxSecrets.
var ErrTooMany = errors.New("too many")

// The merchant's row of the first endpoint is no lock for the second, so the count is taken under an advisory one.
const lockEndpointsSQL = `SELECT pg_advisory_xact_lock(hashtextextended('notifier.endpoints.' || $1::uuid::text, 0))`

const countEndpointsSQL = `SELECT count(*) FROM endpoints WHERE merchant_id = $1 AND id <> $2`

const putEndpointSQL = `
INSERT INTO endpoints AS e (merchant_id, id, url, loopback, description, event_types, bot_ids)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (merchant_id, id) DO UPDATE
SET url = EXCLUDED.url, loopback = EXCLUDED.loopback, description = EXCLUDED.description, event_types = EXCLUDED.event_types,
    bot_ids = EXCLUDED.bot_ids, disabled_reason = '', failures = 0, failing_since = NULL, paused_until = '-infinity',
    updated_at = clock_timestamp()
RETURNING e.xmax::text = '0'`

const putSecretSQL = `INSERT INTO endpoint_secrets (merchant_id, endpoint_id, id, secret) VALUES ($1, $2, $3, $4)`

// PutEndpoint makes the endpoint with its first sealed secret, or changes and enables it and leaves its secrets alone; made says
// which. ErrTooMany when the merchant has enough. Idempotency key: (MerchantID, ID).
func (s *Store) PutEndpoint(ctx context.Context, e Endpoint, secretID uuid.UUID, secret []byte) (made bool, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockEndpointsSQL, e.MerchantID); err != nil {
			return err
		}
		others := 0
		if err := tx.QueryRow(ctx, countEndpointsSQL, e.MerchantID, e.ID).Scan(&others); err != nil {
			return err
		}
		if others >= MaxEndpoints {
			return ErrTooMany
		}
		if err := tx.QueryRow(ctx, putEndpointSQL, e.MerchantID, e.ID, e.URL, e.Loopback, e.Description, e.EventTypes, e.BotIDs).Scan(&made); err != nil || !made {
			return err
		}
		_, err := tx.Exec(ctx, putSecretSQL, e.MerchantID, e.ID, secretID, secret)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("put endpoint %s: %w", e.ID, err)
	}
	return made, nil
}

const endpointColumns = `
SELECT e.merchant_id, e.id, e.url, e.loopback, e.description, e.event_types, e.bot_ids, e.disabled_reason, e.failing_since, e.created_at, e.updated_at,
       (SELECT count(*) FROM webhook_messages m WHERE m.merchant_id = e.merchant_id AND m.endpoint_id = e.id AND m.state = 1),
       (SELECT count(*) FROM endpoint_secrets x WHERE x.merchant_id = e.merchant_id AND x.endpoint_id = e.id AND (x.expires_at IS NULL OR x.expires_at > now()))
FROM endpoints e`

func scanEndpoint(row pgx.CollectableRow) (e Endpoint, err error) {
	err = row.Scan(&e.MerchantID, &e.ID, &e.URL, &e.Loopback, &e.Description, &e.EventTypes, &e.BotIDs, &e.DisabledReason, &e.FailingSince,
		&e.CreatedAt, &e.UpdatedAt, &e.Waiting, &e.Secrets)
	return e, err
}

const endpointSQL = endpointColumns + ` WHERE e.merchant_id = $1 AND e.id = $2`

// Endpoint reads one, or returns ErrNotFound.
func (s *Store) Endpoint(ctx context.Context, merchant, id uuid.UUID) (Endpoint, error) {
	rows, err := s.pool.Query(ctx, endpointSQL, merchant, id)
	if err != nil {
		return Endpoint{}, fmt.Errorf("endpoint %s: %w", id, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanEndpoint)
	if err != nil {
		return Endpoint{}, fmt.Errorf("endpoint %s: %w", id, one(err))
	}
	return e, nil
}

const listEndpointsSQL = endpointColumns + ` WHERE e.merchant_id = $1 ORDER BY e.created_at, e.id`

// Endpoints lists a merchant's, oldest first.
func (s *Store) Endpoints(ctx context.Context, merchant uuid.UUID) ([]Endpoint, error) {
	rows, err := s.pool.Query(ctx, listEndpointsSQL, merchant)
	if err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanEndpoint)
	if err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	return list, nil
}

const deleteEndpointSQL = `DELETE FROM endpoints WHERE merchant_id = $1 AND id = $2`

// DeleteEndpoint removes an endpoint with everything of it, or returns ErrNotFound.
func (s *Store) DeleteEndpoint(ctx context.Context, merchant, id uuid.UUID) error {
	tag, err := s.pool.Exec(ctx, deleteEndpointSQL, merchant, id)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delete endpoint %s: %w", id, err)
	}
	return nil
}

const lockEndpointSQL = `SELECT id FROM endpoints WHERE merchant_id = $1 AND id = $2 FOR UPDATE`

const dropSecretsSQL = `DELETE FROM endpoint_secrets WHERE merchant_id = $1 AND endpoint_id = $2 AND expires_at <= now()`

const countSecretsSQL = `SELECT count(*) FROM endpoint_secrets WHERE merchant_id = $1 AND endpoint_id = $2`

const retireSecretsSQL = `
UPDATE endpoint_secrets SET expires_at = least(COALESCE(expires_at, 'infinity'), now() + make_interval(secs => $3::float8))
WHERE merchant_id = $1 AND endpoint_id = $2`

const nowSQL = `SELECT now()`

// RotateSecret adds a sealed secret and lets the older ones sign for overlap longer, or less where they end earlier; until is when
// the last of them ends. ErrNotFound for an unknown endpoint, ErrTooMany with MaxSecrets good ones.
func (s *Store) RotateSecret(ctx context.Context, merchant, endpoint, id uuid.UUID, secret []byte, overlap time.Duration) (until time.Time, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var locked uuid.UUID
		if err := tx.QueryRow(ctx, lockEndpointSQL, merchant, endpoint).Scan(&locked); err != nil {
			return one(err)
		}
		if _, err := tx.Exec(ctx, retireSecretsSQL, merchant, endpoint, overlap.Seconds()); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, dropSecretsSQL, merchant, endpoint); err != nil {
			return err
		}
		good := 0
		if err := tx.QueryRow(ctx, countSecretsSQL, merchant, endpoint).Scan(&good); err != nil {
			return err
		}
		if good >= MaxSecrets {
			return ErrTooMany
		}
		if _, err := tx.Exec(ctx, putSecretSQL, merchant, endpoint, id, secret); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, nowSQL).Scan(&until); err != nil {
			return err
		}
		until = until.Add(overlap)
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("rotate secret of endpoint %s: %w", endpoint, err)
	}
	return until, nil
}

// Secret is a sealed secret with the id under which it was sealed.
type Secret struct {
	ID     uuid.UUID
	Sealed []byte
}

const secretsSQL = `
SELECT id, secret FROM endpoint_secrets
WHERE merchant_id = $1 AND endpoint_id = $2 AND (expires_at IS NULL OR expires_at > now())
ORDER BY created_at DESC, id DESC`

// Secrets are those that sign now, the newest first.
func (s *Store) Secrets(ctx context.Context, merchant, endpoint uuid.UUID) ([]Secret, error) {
	rows, err := s.pool.Query(ctx, secretsSQL, merchant, endpoint)
	if err != nil {
		return nil, fmt.Errorf("secrets of endpoint %s: %w", endpoint, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (x Secret, err error) {
		err = row.Scan(&x.ID, &x.Sealed)
		return x, err
	})
	if err != nil {
		return nil, fmt.Errorf("secrets of endpoint %s: %w", endpoint, err)
	}
	return list, nil
}
