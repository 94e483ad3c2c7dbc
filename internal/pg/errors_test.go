package pg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

func TestIsUnique_namesTheConstraint(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	var err error
	for range 2 {
		_, err = pool.Exec(t.Context(), insertEntry, "same")
	}
	_, other := pool.Exec(t.Context(), `INSERT INTO entries (name) VALUES (NULL)`)
	wrapped := fmt.Errorf("save entry: %w", err)
	for _, c := range []struct {
		err        error
		constraint string
		want       bool
	}{
		{err, "entries_name_key", true}, {wrapped, "entries_name_key", true}, {err, "", true},
		{err, "entries_pkey", false}, {other, "", false}, {nil, "", false}, {errors.New("duplicate key"), "", false},
	} {
		if got := pg.IsUnique(c.err, c.constraint); got != c.want {
			t.Errorf("IsUnique(%v, %q) = %v, want %v", c.err, c.constraint, got, c.want)
		}
	}
	if pg.Unavailable(err) {
		t.Error("a unique violation counts as unavailable")
	}
}

func TestUnavailable_byState(t *testing.T) {
	for code, want := range map[string]bool{
		"08006": true, "53300": true, "53100": true, "57P01": true, "57P03": true, "57014": true, "55P03": true, "40P01": true, "40001": true, "25P03": true, "58030": true,
		"23505": false, "42601": false, "42501": false, "22P02": false, "28P01": false, "3D000": false, "P0001": false, "25P02": false,
	} {
		err := fmt.Errorf("do it: %w", &pgconn.PgError{Code: code})
		if got := pg.Unavailable(err); got != want {
			t.Errorf("Unavailable of SQLSTATE %s = %v, want %v", code, got, want)
		}
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {errors.New("no"), false}, {context.Canceled, false}, {context.DeadlineExceeded, false}, {pgx.ErrNoRows, false}, {pgx.ErrTxClosed, false},
		{io.ErrUnexpectedEOF, true}, {pgconn.ErrConnClosed, true}, {pg.ErrPoolTimeout, true},
	} {
		if got := pg.Unavailable(c.err); got != c.want {
			t.Errorf("Unavailable(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

func TestUnavailable_whenOpenIsRefused(t *testing.T) {
	for dsn, want := range map[string]bool{
		"host=/nowhere user=u dbname=d":                               true,
		"postgres://u@" + listenForPassword(t) + "/d?sslmode=disable": false, // a wrong password stays wrong
	} {
		if _, err := pg.Open(t.Context(), pg.Config{DSN: dsn}); err == nil || pg.Unavailable(err) != want {
			t.Errorf("Unavailable(%v) = %v, want %v", err, !want, want)
		}
	}
}

// A connection broken under a running statement, a statement that takes too long, and the whole server gone for a while.
func TestUnavailable_realFaults(t *testing.T) {
	server := pgtest.Server(t, accounts)
	pool := server.Pool(t, accounts)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	err := pg.InTx(ctx, pool, func(tx pgx.Tx) error {
		var pid int
		if err := tx.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		run(t, server.DSN(), fmt.Sprintf(`SELECT pg_terminate_backend(%d, 10000)`, pid))
		_, err := tx.Exec(ctx, insertEntry, "a")
		return err
	})
	if !pg.Unavailable(err) {
		t.Errorf("terminated backend: %v is not unavailable", err)
	}

	err = pg.InTx(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 20`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_sleep(30)`)
		return err
	})
	if !pg.Unavailable(err) {
		t.Errorf("statement timeout: %v is not unavailable", err)
	}

	short, end := context.WithTimeout(ctx, 50*time.Millisecond)
	defer end()
	if _, err := pool.Exec(short, `SELECT pg_sleep(30)`); err == nil || pg.Unavailable(err) {
		t.Errorf("the caller's own deadline: %v counts as unavailable", err)
	}

	server.Stop(t)
	for range 3 { // the pool's old connections first, then new ones
		if _, err := pool.Exec(ctx, countEntries); !pg.Unavailable(err) {
			t.Errorf("stopped server: %v is not unavailable", err)
		}
	}
	server.Start(t)
	if _, err := pool.Exec(ctx, insertEntry, "b"); err != nil {
		t.Errorf("the same pool after the restart: %v", err)
	}
	expectEntries(t, pool, 1)
}
