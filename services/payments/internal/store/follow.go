package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

const getCursor = `SELECT cursor FROM followed WHERE source = $1`

// Cursor is how far the outcome log of a leaf was followed; empty when never.
func (s *Store) Cursor(ctx context.Context, source string) (string, error) {
	var cursor string
	err := s.pool.QueryRow(ctx, getCursor, source).Scan(&cursor)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("get cursor: %w", err)
	}
	return cursor, nil
}

const lockFollower = `SELECT pg_try_advisory_xact_lock(hashtextextended('baixa.follow.' || $1, 0))`

const setCursor = `
INSERT INTO followed AS f (source, cursor, updated_at) VALUES ($1, $2, now())
ON CONFLICT (source) DO UPDATE SET cursor = EXCLUDED.cursor, updated_at = now() WHERE f.cursor = $3
RETURNING true`

// ErrFollowed means that another replica has followed the log further meanwhile; read the cursor again.
var ErrFollowed = errors.New("another replica follows this log")

// Advance moves a cursor from where it was read to where the transaction's events end. When it stands elsewhere by now, or
// another replica is moving it, the answer is ErrFollowed and the transaction must not be committed: so each outcome is
// recorded once, however many replicas follow.
func Advance(ctx context.Context, tx pgx.Tx, source, from, to string) error {
	var ok bool
	if err := tx.QueryRow(ctx, lockFollower, source).Scan(&ok); err != nil {
		return fmt.Errorf("lock follower: %w", err)
	}
	if !ok {
		return ErrFollowed
	}
	err := tx.QueryRow(ctx, setCursor, source, to, from).Scan(&ok)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrFollowed
	}
	if err != nil {
		return fmt.Errorf("advance cursor: %w", err)
	}
	return nil
}

const noteRun = `
INSERT INTO work_runs AS r (name, last_run_at, worked, failed) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET last_run_at = EXCLUDED.last_run_at, worked = r.worked + EXCLUDED.worked, failed = r.failed + EXCLUDED.failed`

// NoteRun records that a kind of work ran, for diagnosis.
func (s *Store) NoteRun(ctx context.Context, name string, at time.Time, worked, failed int) error {
	if _, err := s.pool.Exec(ctx, noteRun, name, at, worked, failed); err != nil {
		return fmt.Errorf("note run: %w", err)
	}
	return nil
}

const existingSales = `
SELECT p.merchant_id, p.id
FROM payments p JOIN unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, id) ON p.merchant_id = w.merchant_id AND p.id = w.id`

// Existing returns which of the keys name a sale.
func (s *Store) Existing(ctx context.Context, keys []Key) (map[Key]bool, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	c := newColumns(len(keys), 2)
	for _, k := range keys {
		c.add(k.MerchantID, k.PaymentID)
	}
	rows, err := pg.ByKey.Query(ctx, s.pool, existingSales, c.args...)
	if err != nil {
		return nil, fmt.Errorf("look for sales: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Key])
	if err != nil {
		return nil, fmt.Errorf("look for sales: %w", err)
	}
	out := make(map[Key]bool, len(list))
	for _, k := range list {
		out[k] = true
	}
	return out, nil
}
