// Package store is every statement that the gateways service runs, each a constant beside the function that runs it.
//
// It decides nothing about providers and opens no secret. Every statement about a merchant's rows filters by merchant, except
// those that find the account of a webhook that arrived from outside, and the sweeping of what is over.
package store

import (
	"embed"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/gateways/internal/account"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is where and as whom the gateways service keeps its rows.
var Schema = pg.Schema{Name: "gateways", Role: "baixa_gateways", FS: migrations, Dir: "migrations"}

// Store runs statements on a pool whose role is baixa_gateways. It is safe for concurrent use and closes nothing.
type Store struct{ pool *pgxpool.Pool }

// New returns a store on the pool, which stays the caller's to close.
func New(pool *pgxpool.Pool) (*Store, error) {
	if pool == nil {
		return nil, errors.New("gateways store: a pool is needed")
	}
	return &Store{pool: pool}, nil
}

// keys are the two arrays that statements join with.
func keys(in []account.Key) (merchants, accounts [][16]byte) {
	merchants, accounts = make([][16]byte, len(in)), make([][16]byte, len(in))
	for i, k := range in {
		merchants[i], accounts[i] = k.Merchant, k.Account
	}
	return merchants, accounts
}

// one turns pgx's "no rows" into account.ErrNotFound.
func one(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return account.ErrNotFound
	}
	return err
}

// microseconds is a duration as statements take and return it.
func microseconds(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

// when is zero for a NULL.
func when(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// maybe is NULL for a zero time.
func maybe(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
