package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	maxAttempts   = 5 // of one transaction that conflicts with others
	firstBackoff  = time.Millisecond * 5
	acquireWait   = 5 * time.Second // for a free connection
	rollbackLimit = 2 * time.Second
)

// InTx runs do in one read-committed transaction and commits when it returns nil; an error or a panic rolls back. The transaction begins
// with its first statement; one without statements is none. Later puts off what needs no answer.
//
// A serialisation failure or a deadlock runs do again, in a new transaction, at most 5 times in all, after a random pause
// of 5 to 80 ms; so do must have no effect outside the transaction that it could not repeat, and must not keep the
// transaction. Nothing else is retried. ErrPoolTimeout is returned when no connection is free within 5 s. An error of
// the commit itself leaves open whether it happened: the caller's idempotency key decides.
func InTx(ctx context.Context, pool *pgxpool.Pool, do func(pgx.Tx) error) error {
	backoff := firstBackoff
	for attempt := 1; ; attempt++ {
		err := once(ctx, pool, do)
		if err == nil || !conflicting(err) {
			return err
		}
		if attempt == maxAttempts {
			return fmt.Errorf("transaction kept conflicting, %d attempts: %w", attempt, err)
		}
		pause := time.NewTimer(backoff + rand.N(backoff))
		select {
		case <-ctx.Done():
			pause.Stop()
			return errors.Join(ctx.Err(), err)
		case <-pause.C:
		}
		backoff *= 2
	}
}

func once(ctx context.Context, pool *pgxpool.Pool, do func(pgx.Tx) error) error {
	conn, err := acquire(ctx, pool)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx := &flow{conn: conn.Conn()}
	committed := false
	defer func() {
		if committed {
			return
		}
		// The caller's context may be over; a connection that cannot roll back is closed by the pool.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
		defer cancel()
		_ = tx.Rollback(ctx)
	}()
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	return nil
}

// acquire tells waiting too long for the pool from the caller's own deadline, which the pool itself does not.
func acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, acquireWait)
	defer cancel()
	conn, err := pool.Acquire(wait)
	if err != nil {
		if ctx.Err() == nil && errors.Is(wait.Err(), context.DeadlineExceeded) {
			return nil, ErrPoolTimeout
		}
		return nil, fmt.Errorf("acquire connection: %w", err)
	}
	return conn, nil
}
