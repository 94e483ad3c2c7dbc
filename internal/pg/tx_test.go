package pg_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

const (
	insertEntry  = `INSERT INTO entries (name) VALUES ($1)`
	countEntries = `SELECT count(*) FROM entries`
	countUp      = `UPDATE counters SET n = n + 1 WHERE name = $1`
)

func TestInTx_commits(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), insertEntry, "a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	expectEntries(t, pool, 1)
}

func TestInTx_rollsBack(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	wrong := errors.New("changed my mind")
	insert := func(tx pgx.Tx) {
		if _, err := tx.Exec(t.Context(), insertEntry, "a"); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("error", func(t *testing.T) {
		err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error { insert(tx); return wrong })
		if any(err) != any(wrong) { // not even wrapped
			t.Errorf("InTx returned %v, want the function's own error", err)
		}
	})
	t.Run("panic", func(t *testing.T) {
		defer func() {
			if r := recover(); r != any(wrong) {
				t.Errorf("panic %v, want it passed on", r)
			}
		}()
		_ = pg.InTx(t.Context(), pool, func(tx pgx.Tx) error { insert(tx); panic(wrong) })
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := pg.InTx(ctx, pool, func(tx pgx.Tx) error { insert(tx); cancel(); return nil })
		if !errors.Is(err, context.Canceled) || pg.Unavailable(err) {
			t.Errorf("InTx returned %v, want the context's error, which is not the database's fault", err)
		}
	})
	t.Run("swallowed", func(t *testing.T) {
		err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			insert(tx)
			_, _ = tx.Exec(t.Context(), `SELECT 1/0`)
			return nil
		})
		if err == nil {
			t.Error("InTx reports success for a transaction that the server aborted")
		}
	})
	expectEntries(t, pool, 0)
	if held := pool.Stat().AcquiredConns(); held != 0 {
		t.Errorf("%d connections are still held", held)
	}
}

// Two transactions take the same two rows in opposite order; the server ends one of them, which then runs again.
func TestInTx_retriesDeadlock(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	var (
		wg       sync.WaitGroup
		attempts atomic.Int32
		both     sync.WaitGroup
	)
	both.Add(2)
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			first := true
			err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				attempts.Add(1)
				if _, err := tx.Exec(t.Context(), countUp, order[0]); err != nil {
					return err
				}
				if first {
					first = false
					both.Done()
					both.Wait()
				}
				if _, err := tx.Exec(t.Context(), countUp, order[1]); err != nil {
					return fmt.Errorf("second row: %w", err)
				}
				return nil
			})
			if err != nil {
				t.Errorf("order %v: %v", order, err)
			}
		})
	}
	wg.Wait()
	if got := attempts.Load(); got != 3 {
		t.Errorf("%d attempts, want 3: one of two runs again", got)
	}
	var sum int
	if err := pool.QueryRow(t.Context(), `SELECT sum(n) FROM counters`).Scan(&sum); err != nil || sum != 4 {
		t.Errorf("counters sum up to %d (%v), want 4", sum, err)
	}
}

func TestInTx_retriesSerialisationFailure(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	attempts := 0
	err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		attempts++
		if _, err := tx.Exec(t.Context(), `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`); err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), `SELECT n FROM counters`); err != nil {
			return err
		}
		if attempts == 1 {
			if _, err := pool.Exec(t.Context(), countUp, "a"); err != nil {
				return err
			}
		}
		_, err := tx.Exec(t.Context(), countUp, "a")
		return err
	})
	if err != nil || attempts != 2 {
		t.Errorf("%d attempts and %v, want 2 and success", attempts, err)
	}
}

func TestInTx_givesUp(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	conflict := &pgconn.PgError{Code: "40001", Message: "could not serialize access"}
	attempts := 0
	err := pg.InTx(t.Context(), pool, func(pgx.Tx) error { attempts++; return conflict })
	if attempts != 5 || !errors.Is(err, conflict) || !pg.Unavailable(err) {
		t.Errorf("%d attempts and %v, want 5 and the conflict, as unavailable", attempts, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	attempts = 0
	err = pg.InTx(ctx, pool, func(pgx.Tx) error { attempts++; cancel(); return conflict })
	if attempts != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d attempts and %v after a cancel, want 1 and the context's error", attempts, err)
	}
}

func TestInTx_poolTimeout(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, accounts)
	pool, err := pg.Open(t.Context(), pg.Config{DSN: db.DSN(), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	held, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	never := func(pgx.Tx) error { t.Error("the function ran without a connection"); return nil }
	err = pg.InTx(t.Context(), pool, never)
	if !errors.Is(err, pg.ErrPoolTimeout) || !pg.Unavailable(err) {
		t.Errorf("InTx without a free connection: %v, want ErrPoolTimeout", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pg.InTx(ctx, pool, never); !errors.Is(err, context.Canceled) || pg.Unavailable(err) {
		t.Errorf("InTx after the caller left: %v, want the context's error", err)
	}
}

func expectEntries(t *testing.T, pool *pgxpool.Pool, want int) {
	t.Helper()
	var got int
	if err := pool.QueryRow(t.Context(), countEntries).Scan(&got); err != nil || got != want {
		t.Errorf("%d entries (%v), want %d", got, err, want)
	}
}

// A known row undoes the transaction, which is made again for rows that may be known.
func TestFresh_makesAgainWhatMetAKnownRow(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	var (
		fresh pg.Fresh
		calls []bool
	)
	write := func(known bool, tx pgx.Tx, names ...string) error {
		calls = append(calls, known)
		for _, name := range names {
			statement := insertEntry
			if known {
				statement += ` ON CONFLICT DO NOTHING`
			}
			if _, err := tx.Exec(t.Context(), statement, name); err != nil {
				return fmt.Errorf("entry %s: %w", name, err)
			}
		}
		return nil
	}
	for _, names := range [][]string{{"a"}, {"b", "a"}} {
		if err := fresh.InTx(t.Context(), pool, func(tx pgx.Tx, known bool) error { return write(known, tx, names...) }); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(calls) != "[false false true]" {
		t.Errorf("rows may have been known %v, want new ones, new ones that were not, and those again", calls)
	}
	expectEntries(t, pool, 2)
}

// Other errors, and a violation that is none of a known row, are the caller's.
func TestFresh_passesOnWhatIsNoRepetition(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	var fresh pg.Fresh
	wrong := errors.New("changed my mind")
	calls := 0
	if err := fresh.InTx(t.Context(), pool, func(pgx.Tx, bool) error { calls++; return wrong }); any(err) != any(wrong) || calls != 1 {
		t.Errorf("%v after %d calls, want the function's own error after one", err, calls)
	}
	calls = 0
	err := fresh.InTx(t.Context(), pool, func(tx pgx.Tx, _ bool) error {
		calls++
		_, err := tx.Exec(t.Context(), `INSERT INTO entries (name) VALUES ('twice'), ('twice')`)
		return err
	})
	if !pg.IsUnique(err, "entries_name_key") || calls != 2 {
		t.Errorf("%v after %d calls, want the violation after two", err, calls)
	}
}
