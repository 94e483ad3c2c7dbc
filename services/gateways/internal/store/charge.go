package store

import (
	"context"
	"fmt"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/account"
)

// ChargeState is how far a charge that was asked for has come.
type ChargeState string

// The states. Requested with a running lease is being asked for now; without one its asker died, and it is as Unsure.
const (
	Requested ChargeState = "requested"
	Open      ChargeState = "open"    // nothing can have arrived at the provider
	Unsure    ChargeState = "unsure"  // something may have arrived
	Created   ChargeState = "created" // for ever
	Refused   ChargeState = "refused" // for ever
)

// ChargeKey names a charge: the idempotency key of CreateCharge.
type ChargeKey struct {
	account.Key
	Reference string
}

// Charge is one charge that was asked for.
type Charge struct {
	ChargeKey
	Content  []byte // the sealed fingerprint of the request
	State    ChargeState
	Attempts int
	// Leased is whether somebody asks for it now.
	Leased bool
	// UnsureFor is how long ago the first request went out that may have arrived; 0 when none may have.
	UnsureFor time.Duration
	// Rested is how long ago the last attempt wrote anything.
	Rested time.Duration
	Result ChargeResult
}

// ChargeResult is what the provider answered.
type ChargeResult struct {
	ID, Hash, Reference string
	CopyPaste           string
	ExpiresAt           time.Time // zero when not said
	Reason              string
	HTTPStatus          int
}

const requestCharge = `
INSERT INTO charges (merchant_id, account_id, reference, content, state, unsure_since, lease_until)
VALUES ($1, $2, $3, $4, 'requested', clock_timestamp(), clock_timestamp() + make_interval(secs => $5))
ON CONFLICT (merchant_id, account_id, reference) DO NOTHING`

// RequestCharge commits that a charge is about to be asked for, with attempt 1; false when it was asked for before. The claim
// ends with lease.
func (s *Store) RequestCharge(ctx context.Context, k ChargeKey, content []byte, lease time.Duration) (bool, error) {
	tag, err := s.pool.Exec(ctx, requestCharge, k.Merchant, k.Account, k.Reference, content, lease.Seconds())
	if err != nil {
		return false, fmt.Errorf("request charge: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

const readCharge = `
SELECT content, state, attempts, lease_until > clock_timestamp() AND state = 'requested',
  COALESCE((extract(epoch FROM clock_timestamp() - unsure_since) * 1000000)::bigint, 0),
  (extract(epoch FROM clock_timestamp() - updated_at) * 1000000)::bigint, charge_id, charge_hash, charge_ref,
  copy_paste, expires_at, reason, http_status
FROM charges WHERE merchant_id = $1 AND account_id = $2 AND reference = $3`

// Charge reads a charge, or account.ErrNotFound.
func (s *Store) Charge(ctx context.Context, k ChargeKey) (Charge, error) {
	c := Charge{ChargeKey: k}
	var unsure, rested int64
	var expires *time.Time
	err := s.pool.QueryRow(ctx, readCharge, k.Merchant, k.Account, k.Reference).Scan(&c.Content, &c.State, &c.Attempts, &c.Leased, &unsure, &rested,
		&c.Result.ID, &c.Result.Hash, &c.Result.Reference, &c.Result.CopyPaste, &expires, &c.Result.Reason, &c.Result.HTTPStatus)
	if err != nil {
		return Charge{}, fmt.Errorf("read charge: %w", one(err))
	}
	c.UnsureFor, c.Rested, c.Result.ExpiresAt = microseconds(unsure), microseconds(rested), when(expires)
	return c, nil
}

// Attempts fences: of two that saw the same state one goes on.
const retakeCharge = `
UPDATE charges SET state = 'requested', attempts = attempts + 1, unsure_since = COALESCE(unsure_since, clock_timestamp()),
  lease_until = clock_timestamp() + make_interval(secs => $5), updated_at = clock_timestamp()
WHERE merchant_id = $1 AND account_id = $2 AND reference = $3 AND attempts = $4
  AND (state IN ('open', 'unsure') OR state = 'requested' AND lease_until <= clock_timestamp())`

// RetakeCharge claims c, as Charge read it, for one more attempt; false when another was first. The attempt is c.Attempts+1.
func (s *Store) RetakeCharge(ctx context.Context, c Charge, lease time.Duration) (bool, error) {
	tag, err := s.pool.Exec(ctx, retakeCharge, c.Merchant, c.Account, c.Reference, c.Attempts, lease.Seconds())
	if err != nil {
		return false, fmt.Errorf("retake charge: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

const restartCharge = `
UPDATE charges SET unsure_since = clock_timestamp(), updated_at = clock_timestamp()
WHERE merchant_id = $1 AND account_id = $2 AND reference = $3 AND attempts = $4 AND state = 'requested'`

// RestartCharge records that the provider does not have the charge, so that only the request about to be made may arrive;
// false when another attempt has taken over.
func (s *Store) RestartCharge(ctx context.Context, k ChargeKey, attempt int) (bool, error) {
	tag, err := s.pool.Exec(ctx, restartCharge, k.Merchant, k.Account, k.Reference, attempt)
	if err != nil {
		return false, fmt.Errorf("restart charge: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

const finishCharge = `
UPDATE charges SET state = $5, unsure_since = CASE WHEN $5 = 'unsure' THEN unsure_since END, lease_until = clock_timestamp(),
  charge_id = $6, charge_hash = $7, charge_ref = $8, copy_paste = $9, expires_at = $10, reason = $11, http_status = $12,
  updated_at = clock_timestamp()
WHERE merchant_id = $1 AND account_id = $2 AND reference = $3 AND attempts = $4 AND state = 'requested'`

// FinishCharge records what came of an attempt; false when another attempt has taken over meanwhile. Only Unsure keeps
// the time of the first request that may have arrived.
func (s *Store) FinishCharge(ctx context.Context, k ChargeKey, attempt int, state ChargeState, r ChargeResult) (bool, error) {
	tag, err := s.pool.Exec(ctx, finishCharge, k.Merchant, k.Account, k.Reference, attempt, string(state), r.ID, r.Hash, r.Reference,
		r.CopyPaste, maybe(r.ExpiresAt), r.Reason, r.HTTPStatus)
	if err != nil {
		return false, fmt.Errorf("finish charge: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}
