package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/gateways/internal/account"
)

// Difference is one field of one answer that an account's shadow read otherwise than the adapter that decides.
type Difference struct {
	account.Key
	At      time.Time
	Version string
	Ref     string
	Field   string
	Decided string
	Shadow  string
}

// ShadowCount is how many answers a shadow read, and how many of them otherwise.
type ShadowCount struct {
	account.Key
	Version          string
	Looks, Differing int64
}

const addShadowCounts = `
INSERT INTO shadow_counts AS c (merchant_id, account_id, version, looks, differing)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[]) AS u (merchant_id, account_id, version, looks, differing)
ORDER BY u.merchant_id, u.account_id, u.version
ON CONFLICT (merchant_id, account_id, version) DO UPDATE SET looks = c.looks + EXCLUDED.looks, differing = c.differing + EXCLUDED.differing`

const addDifferences = `
INSERT INTO shadow_differences (merchant_id, account_id, at, version, ref, field, decided, shadow)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])`

// AddShadows adds one replica's counts, each account and version once, and its differences. Both or neither.
func (s *Store) AddShadows(ctx context.Context, counts []ShadowCount, all []Difference) error {
	ks, versions := make([]account.Key, len(counts)), make([]string, len(counts))
	looks, differing := make([]int64, len(counts)), make([]int64, len(counts))
	for i, c := range counts {
		ks[i], versions[i], looks[i], differing[i] = c.Key, c.Version, c.Looks, c.Differing
	}
	merchants, accounts := keys(ks)
	dks, at := make([]account.Key, len(all)), make([]time.Time, len(all))
	text := [5][]string{}
	for i, d := range all {
		dks[i], at[i] = d.Key, d.At
		for n, v := range []string{d.Version, d.Ref, d.Field, d.Decided, d.Shadow} {
			text[n] = append(text[n], v)
		}
	}
	dm, da := keys(dks)
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, addShadowCounts, merchants, accounts, versions, looks, differing); err != nil {
			return err
		}
		if len(all) == 0 {
			return nil
		}
		_, err := tx.Exec(ctx, addDifferences, dm, da, at, text[0], text[1], text[2], text[3], text[4])
		return err
	})
	if err != nil {
		return fmt.Errorf("add shadows: %w", err)
	}
	return nil
}

const listDifferences = `
SELECT merchant_id, account_id, at, version, ref, field, decided, shadow FROM shadow_differences
WHERE merchant_id = $1 AND account_id = $2 ORDER BY id DESC LIMIT $3`

// Differences are an account's newest, at most limit.
func (s *Store) Differences(ctx context.Context, k account.Key, limit int) ([]Difference, error) {
	rows, err := s.pool.Query(ctx, listDifferences, k.Merchant, k.Account, limit)
	if err != nil {
		return nil, fmt.Errorf("list shadow differences: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Difference, err error) {
		err = row.Scan(&d.Merchant, &d.Account, &d.At, &d.Version, &d.Ref, &d.Field, &d.Decided, &d.Shadow)
		d.At = d.At.UTC()
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("list shadow differences: %w", err)
	}
	return out, nil
}
