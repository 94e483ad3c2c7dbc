// Package store is every statement that the delivery service runs, each a constant beside the function that runs it.
//
// It decides nothing about Meta, pages or tokens. Every statement about a merchant's rows filters by merchant, except the ones
// that find the merchant of a token that a visitor shows and those of the worker, which carry the merchant along.
package store

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is where and as whom the delivery service keeps its rows.
var Schema = pg.Schema{Name: "delivery", Role: "baixa_delivery", FS: migrations, Dir: "migrations"}

// Channel is the NOTIFY channel of the outcome log.
const Channel = "delivery_outcomes"

// ErrNotFound means that the row does not exist, or not for this merchant.
var ErrNotFound = errors.New("not found")

// Store runs statements on a pool whose role is baixa_delivery. It is safe for concurrent use and closes nothing.
type Store struct {
	pool  *pgxpool.Pool
	log   *eventlog.Log
	news  chan struct{} // outcomes were appended and not yet announced
	fresh pg.Fresh      // deliveries
}

// Config says what a Store works on. Both must be set.
type Config struct {
	Pool *pgxpool.Pool // stays the caller's to close
	Log  *eventlog.Log // of Channel; the caller runs it
}

// New checks c.
func New(c Config) (*Store, error) {
	if c.Pool == nil || c.Log == nil {
		return nil, errors.New("delivery store: a pool and an event log are needed")
	}
	return &Store{pool: c.Pool, log: c.Log, news: make(chan struct{}, 1)}, nil
}

// announce has Run notify the followers. It never blocks.
func (s *Store) announce() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Run tells the followers of the log, here and at other replicas, that outcomes were appended, until ctx is done; it returns
// ctx's error. Outcomes that are appended together are announced once: NOTIFY serialises the commits of all transactions that
// use it, so a visit's own transaction does not. An announcement that is lost is made good by the followers' polls.
func (s *Store) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.news:
		}
		err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error { return s.log.Notify(ctx, tx, "") })
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "outcomes not announced", slog.Any("error", err))
		}
	}
}

// mostDead is how many connections that died while they were idle are passed over.
const mostDead = 8

// again runs do once more as long as what failed is a connection that had died unnoticed: nothing was sent on it.
func again(do func() error) error {
	err := do()
	for range mostDead {
		if !pgconn.SafeToRetry(err) {
			break
		}
		err = do()
	}
	return err
}

// one turns pgx's "no rows" into ErrNotFound.
func one(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

func marshalTracking(t sale.Tracking) (string, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("encode tracking: %w", err)
	}
	return string(raw), nil
}
