package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Place is where settings are put: a provider for every merchant (MerchantID is zero), a merchant (AccountID is zero) or an account.
// Provider is set for a provider's place only.
type Place struct {
	MerchantID payment.MerchantID
	AccountID  payment.AccountID
	Provider   string
}

// PolicyRow is one setting at a place.
type PolicyRow struct {
	Place
	Field   string
	Value   *string // nil: it is not set any more
	SetBy   string
	SetAt   time.Time
	Version int64
}

func scanPolicy(row pgx.CollectableRow) (p PolicyRow, err error) {
	err = row.Scan(&p.MerchantID, &p.AccountID, &p.Provider, &p.Field, &p.Value, &p.SetBy, &p.SetAt, &p.Version)
	return p, err
}

const policyColumns = `merchant_id, account_id, provider, field, value, set_by, set_at, version`

// The version is read after the rows' snapshot began and before it ended: versions are given under a lock, so that none below one that
// is visible can appear later.
const policiesSince = `SELECT ` + policyColumns + ` FROM policies WHERE version > $1 ORDER BY version`

// PoliciesSince returns the settings that were changed after a version, those that were unset too.
func (s *Store) PoliciesSince(ctx context.Context, version int64) ([]PolicyRow, error) {
	rows, err := s.pool.Query(ctx, policiesSince, version)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanPolicy)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	return out, nil
}

// PolicyChange is what is to be set (a value) or unset (nil) at a place.
type PolicyChange struct {
	Place
	Values map[string]*string
	By     string
	At     time.Time
	// Check is asked under the lock, with all settings of the merchant and of every provider as they would be.
	Check func([]PolicyRow) error
	// Gone and Paid widen the sales that are scheduled again, see Reschedule. From is when that may begin.
	Gone, Paid bool
	From       time.Time
}

const nextPolicyVersion = `UPDATE policy_version SET number = number + 1 RETURNING number`

const policiesAround = `
SELECT ` + policyColumns + ` FROM policies
WHERE value IS NOT NULL AND (merchant_id = $1 OR merchant_id = '00000000-0000-0000-0000-000000000000')`

const putPolicies = `
INSERT INTO policies AS p (merchant_id, account_id, provider, field, value, set_by, set_at, version)
SELECT $1, $2, $3, w.field, w.value, $6, $7, $8 FROM unnest($4::text[], $5::text[]) AS w (field, value)
ON CONFLICT (merchant_id, account_id, provider, field)
DO UPDATE SET value = EXCLUDED.value, set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at, version = EXCLUDED.version`

const logPolicies = `
INSERT INTO policy_changes (merchant_id, account_id, provider, version, field, before, after, set_by, at)
SELECT $1, $2, $3, $4, w.field, w.before, w.after, $8, $9 FROM unnest($5::text[], $6::text[], $7::text[]) AS w (field, before, after)`

// ChangePolicy changes settings at a place, keeps who did it, and orders that open sales are scheduled again, in one transaction. What
// is so already is not changed; changed tells whether anything was.
func (s *Store) ChangePolicy(ctx context.Context, c PolicyChange) (changed bool, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		changed = false
		var version int64
		if err := tx.QueryRow(ctx, nextPolicyVersion).Scan(&version); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, policiesAround, c.MerchantID)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, scanPolicy)
		if err != nil {
			return err
		}
		before := map[string]*string{}
		after := all[:0]
		for _, r := range all {
			if r.Place == c.Place {
				before[r.Field] = r.Value
				if _, touched := c.Values[r.Field]; touched {
					continue
				}
			}
			after = append(after, r)
		}
		var fields []string
		var old, values []*string
		for field, value := range c.Values {
			if value != nil {
				after = append(after, PolicyRow{Place: c.Place, Field: field, Value: value, SetBy: c.By, SetAt: c.At, Version: version})
			}
			was := before[field]
			if (was == nil) != (value == nil) || was != nil && *was != *value {
				fields, old, values = append(fields, field), append(old, was), append(values, value)
			}
		}
		if err := c.Check(after); err != nil {
			return err
		}
		if changed = len(fields) > 0; !changed {
			return nil
		}
		if _, err := tx.Exec(ctx, putPolicies, c.MerchantID, c.AccountID, c.Provider, fields, values, c.By, c.At, version); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, logPolicies, c.MerchantID, c.AccountID, c.Provider, version, fields, old, values, c.By, c.At); err != nil {
			return err
		}
		return InsertReschedule(ctx, tx, Reschedule{ID: uuid.New(), Place: c.Place, Reason: "policy", Gone: c.Gone, Paid: c.Paid, DueAt: c.From})
	})
	if err != nil {
		return false, fmt.Errorf("change policy: %w", err)
	}
	return changed, nil
}
