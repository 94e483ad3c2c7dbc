package pg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// ErrBehind means that migrations of this binary are not in the database: run `baixa migrate`.
var ErrBehind = errors.New("database is behind this binary")

// ErrAhead means that the database holds migrations which this binary does not know: run a newer binary.
var ErrAhead = errors.New("database is ahead of this binary")

// oldestServer is the first release with everything the statements use (xid8, DROP DATABASE … FORCE) still maintained.
const oldestServer = 140000

var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Schema is one service's part of the database: a schema, the role that works in it, and its migrations.
type Schema struct {
	Name string // of the schema
	Role string // of the role, NOLOGIN; cluster-wide, so the same in every database of the server
	FS   fs.FS  // holds Dir
	Dir  string // folder of goose SQL files, NNNNN_what.sql; "" or "." is the root of FS
}

// Migrate brings the schema to this binary's version, as the DSN's user, which becomes the owner of what is created. It
// creates the role (NOLOGIN, granted to the user) and the schema when they are missing, gives the role USAGE on the
// schema and on its future sequences, and applies what is pending under a session lock; each migration says itself what
// the role may do with its tables. Any number of services and replicas may call it at once, and a second call changes
// nothing. It returns ErrAhead (wrapped) when the database holds newer migrations; connection errors read as in Open.
func Migrate(ctx context.Context, dsn string, s Schema) error {
	db, cfg, err := s.open(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return connectError(err, &cfg.Config)
	}
	if err := s.prepare(ctx, db); err != nil {
		return fmt.Errorf("prepare schema %s: %w", s.Name, err)
	}
	lock := &sessionLock{id: lockID("migrate", s.Name)}
	p, err := s.provider(db, goose.WithSessionLocker(lock))
	if err != nil {
		return err
	}
	results, err := p.Up(ctx)
	if err != nil {
		return s.migrationError(err)
	}
	for _, r := range results {
		slog.InfoContext(ctx, "migration applied", slog.String("schema", s.Name), slog.Int64("version", r.Source.Version),
			slog.Duration("took", r.Duration))
	}
	return s.compare(ctx, db, p)
}

// migrationError names the file, which goose keeps in the error's fields.
func (s Schema) migrationError(err error) error {
	var partial *goose.PartialError
	if errors.As(err, &partial) && partial.Failed != nil && partial.Failed.Source != nil {
		return fmt.Errorf("migrate schema %s: %s: %w", s.Name, partial.Failed.Source.Path, partial.Err)
	}
	return fmt.Errorf("migrate schema %s: %w", s.Name, err)
}

// Check compares the schema with this binary without changing anything: nil when equal, ErrBehind or ErrAhead (wrapped,
// with the versions) otherwise. A schema that was never migrated is behind.
func Check(ctx context.Context, dsn string, s Schema) error {
	db, cfg, err := s.open(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return connectError(err, &cfg.Config)
	}
	p, err := s.provider(db)
	if err != nil {
		return err
	}
	return s.compare(ctx, db, p)
}

func (s Schema) check() error {
	switch {
	case !identifier.MatchString(s.Name) || strings.HasPrefix(s.Name, "pg_"):
		return fmt.Errorf("schema name %q: expected lower case letters, digits and underscores, not beginning with pg_", s.Name)
	case !identifier.MatchString(s.Role) || strings.HasPrefix(s.Role, "pg_"):
		return fmt.Errorf("role name %q of schema %s: expected lower case letters, digits and underscores, not beginning with pg_", s.Role, s.Name)
	case s.FS == nil:
		return fmt.Errorf("schema %s: no migrations given", s.Name)
	}
	return nil
}

func (s Schema) open(dsn string) (*sql.DB, *pgx.ConnConfig, error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	if err := (Config{DSN: dsn}).check(); err != nil {
		return nil, nil, err
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, nil, dsnError(err)
	}
	cfg.ConnectTimeout = connectTimeout
	cfg.RuntimeParams["application_name"] = "baixa migrate " + s.Name
	cfg.RuntimeParams["search_path"] = s.Name
	cfg.RuntimeParams["timezone"] = "UTC"
	return stdlib.OpenDB(*cfg), cfg, nil
}

func (s Schema) provider(db *sql.DB, opts ...goose.ProviderOption) (*goose.Provider, error) {
	dir := s.Dir
	if dir == "" {
		dir = "."
	}
	files, err := fs.Sub(s.FS, dir)
	if err != nil {
		return nil, fmt.Errorf("migrations of schema %s: %w", s.Name, err)
	}
	// No registry of Go migrations: nothing outside the schema's own folder may add to it.
	opts = append(opts, goose.WithTableName(s.table()), goose.WithDisableGlobalRegistry(true))
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, opts...)
	if err != nil {
		return nil, fmt.Errorf("migrations of schema %s in %q: %w", s.Name, dir, err)
	}
	return p, nil
}

// table is goose's own name, so that its command line works too.
func (s Schema) table() string { return s.Name + "." + goose.DefaultTablename }

const appliedSQL = `SELECT DISTINCT version_id FROM %s WHERE is_applied AND version_id > 0 ORDER BY version_id`

func (s Schema) compare(ctx context.Context, db *sql.DB, p *goose.Provider) error {
	var exists bool
	if err := db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, s.table()).Scan(&exists); err != nil {
		return fmt.Errorf("look for %s: %w", s.table(), err)
	}
	var applied []int64
	if exists {
		rows, err := db.QueryContext(ctx, fmt.Sprintf(appliedSQL, s.table()))
		if err != nil {
			return fmt.Errorf("read %s: %w", s.table(), err)
		}
		defer rows.Close()
		for rows.Next() {
			var v int64
			if err := rows.Scan(&v); err != nil {
				return fmt.Errorf("read %s: %w", s.table(), err)
			}
			applied = append(applied, v)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("read %s: %w", s.table(), err)
		}
	}
	var known []int64
	for _, source := range p.ListSources() {
		known = append(known, source.Version)
	}
	missing := func(from, in []int64) []int64 {
		return slices.DeleteFunc(slices.Clone(from), func(v int64) bool { return slices.Contains(in, v) })
	}
	if newer := missing(applied, known); len(newer) > 0 {
		return fmt.Errorf("schema %s holds migrations %v, unknown here: %w", s.Name, newer, ErrAhead)
	}
	if pending := missing(known, applied); len(pending) > 0 {
		return fmt.Errorf("schema %s lacks migrations %v: %w", s.Name, pending, ErrBehind)
	}
	return nil
}

// sessionLock is goose's session lock with a shorter breath: replicas that start together wait tens of milliseconds for
// each other, not goose's whole seconds. It tries instead of waiting inside the server, since a waiting statement would
// hold a snapshot and block CREATE INDEX CONCURRENTLY of the one that migrates.
type sessionLock struct{ id int64 }

func (l *sessionLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	for {
		var locked bool
		if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, l.id).Scan(&locked); err != nil {
			return fmt.Errorf("take migration lock: %w", err)
		}
		if locked {
			return nil
		}
		pause := time.NewTimer(20*time.Millisecond + rand.N(60*time.Millisecond))
		select {
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("wait for another process that migrates: %w", ctx.Err())
		case <-pause.C:
		}
	}
}

func (l *sessionLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, l.id); err != nil {
		return fmt.Errorf("release migration lock: %w", err)
	}
	return nil
}

// lockID is one advisory lock per purpose and schema; advisory locks are per database.
func lockID(purpose, schema string) int64 {
	h := fnv.New64a()
	h.Write([]byte("baixa " + purpose + " " + schema))
	return int64(h.Sum64())
}
