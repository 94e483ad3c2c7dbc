// Package store is every statement that the payments service runs, each a constant beside the function that runs it.
//
// It decides nothing: what a sale's state is, when it is looked at and what follows are computed elsewhere and written here.
// Every query of a merchant's rows filters by merchant, except those that find the merchant of something that arrived from
// outside (a key, a webhook) and those of the workers, which carry the merchant along. The state of a sale is written only by
// package ledger, through the functions of ledger.go.
package store

import (
	"embed"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is where and as whom the payments service keeps its rows.
var Schema = pg.Schema{Name: "payments", Role: "baixa_payments", FS: migrations, Dir: "migrations"}

// ErrNotFound means that the row does not exist for this merchant.
var ErrNotFound = errors.New("not found")

// ErrConflict means that an idempotency key was used before with other content; the message names the key.
var ErrConflict = errors.New("used before with other content")

// Store runs statements on a pool whose role is baixa_payments. It is safe for concurrent use and closes nothing.
type Store struct {
	pool  *pgxpool.Pool
	fresh pg.Fresh // webhooks
}

// New returns a store on the pool, which stays the caller's to close.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// Pool is the pool, for transactions.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// one turns pgx's "no rows" into ErrNotFound.
func one(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
