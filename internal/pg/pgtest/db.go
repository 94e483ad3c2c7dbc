package pgtest

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg"
)

// closeLimit is how long a pool may take to get its connections back at the end of a test.
const closeLimit = 90 * time.Second

// DB is one test's own database.
type DB struct{ dsn string }

// New makes an empty database with the schemas migrated, and drops it when the test ends. It fails the test when there is
// no server or a migration does not apply. Tests may run in parallel.
func New(t testing.TB, schemas ...pg.Schema) *DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setUpLimit)
	defer cancel()
	dsn, err := here.start(ctx)
	if err != nil {
		t.Fatalf("no test database: %v", err)
	}
	from, err := here.template(ctx, dsn, schemas)
	if err != nil {
		t.Fatalf("prepare test database: %v", err)
	}
	name, err := here.copy(ctx, dsn, from)
	if err != nil {
		t.Fatalf("make test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), setUpLimit)
		defer cancel()
		if err := execute(ctx, dsn, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
	return &DB{dsn: withDatabase(dsn, name)}
}

// DSN reaches the database as its owner. It is a URL, or key=value pairs when BAIXA_TEST_DSN is.
func (d *DB) DSN() string { return d.dsn }

// Pool is a service's view: acting as the schema's role, seeing the schema alone. It is closed when the test ends; a
// connection that the test still holds then is an error.
func (d *DB) Pool(t testing.TB, s pg.Schema) *pgxpool.Pool {
	t.Helper()
	return d.open(t, pg.Config{DSN: d.dsn, Schema: s.Name, Role: s.Role, AppName: "test " + s.Name})
}

// Admin is the owner's view, for faults (terminate backends, break grants) and for looking where no service may.
func (d *DB) Admin(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return d.open(t, pg.Config{DSN: d.dsn, AppName: "test admin"})
}

func (d *DB) open(t testing.TB, c pg.Config) *pgxpool.Pool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setUpLimit)
	defer cancel()
	pool, err := pg.Open(ctx, c)
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() { pool.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(closeLimit):
			t.Errorf("%d connections of %q are still held at the end of the test", pool.Stat().AcquiredConns(), c.AppName)
		}
	})
	return pool
}

// withDatabase is the same server's other database.
func withDatabase(dsn, name string) string {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		if u, err := url.Parse(dsn); err == nil {
			u.Path = "/" + name
			q := u.Query()
			q.Del("dbname")
			q.Del("database")
			u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // libpq's rule, and pgx's: a plus is a plus
			return u.String()
		}
	}
	return dsn + " dbname=" + name // the last one counts
}
