package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg"
)

// Env is what a benchmark works in.
type Env struct {
	Options
	// Dir is an empty folder, removed afterwards.
	Dir    string
	pid    int // of `baixa up` when it is a process of its own
	defers []func() error
}

// Defer has something stopped when the benchmark is over, the last one first.
func (e *Env) Defer(stop func() error) { e.defers = append(e.defers, stop) }

// Say tells people what is going on.
func (e *Env) Say(format string, args ...any) { fmt.Fprintf(e.Progress, format+"\n", args...) }

func (e *Env) close() error {
	var errs []error
	for i := len(e.defers) - 1; i >= 0; i-- {
		errs = append(errs, e.defers[i]())
	}
	return errors.Join(append(errs, os.RemoveAll(e.Dir))...)
}

// Postgres starts a server of this benchmark's own, with every durability setting on, and proves that it is so.
func (e *Env) Postgres(ctx context.Context) (*pgxpool.Pool, string, error) {
	server, err := pg.Start(ctx, pg.ServerConfig{Dir: filepath.Join(e.Dir, "postgres"), Durable: true})
	if err != nil {
		return nil, "", err
	}
	e.Defer(func() error {
		stop, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		return server.Stop(stop)
	})
	config, err := pgxpool.ParseConfig(server.DSN())
	if err != nil {
		return nil, "", fmt.Errorf("read the server's address: %w", err)
	}
	config.MaxConns = 40
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, "", fmt.Errorf("connect: %w", err)
	}
	e.Defer(func() error { pool.Close(); return nil })
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := pool.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			return nil, "", fmt.Errorf("read %s: %w", setting, err)
		}
		if value != "on" {
			return nil, "", fmt.Errorf("%s is %s: nothing measured without it counts", setting, value)
		}
	}
	if err := wearIn(ctx, pool); err != nil {
		return nil, "", fmt.Errorf("wear the server in: %w", err)
	}
	return pool, server.DSN(), nil
}

// wornSegments is how many used segments of its log, 16 MB each, a server has to use again. A run of flow writes as much.
const wornSegments = 24

// wearIn gives a new server what one has that runs for some time: segments of its log that it uses again. A new one makes each by writing it
// full of zeros first, in front of everybody's commit, until it has as many as lie between two checkpoints.
func wearIn(ctx context.Context, pool *pgxpool.Pool) error {
	statements := []string{`CREATE TABLE public.worn (n integer)`}
	for range wornSegments {
		statements = append(statements, `INSERT INTO public.worn VALUES (1)`, `SELECT pg_switch_wal()`)
	}
	for _, sql := range append(statements, `DROP TABLE public.worn`, `CHECKPOINT`) {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// machine says on what it was measured, without names.
func machine() map[string]any {
	return map[string]any{"os": runtime.GOOS, "arch": runtime.GOARCH, "cores": runtime.NumCPU(), "go": runtime.Version()}
}
