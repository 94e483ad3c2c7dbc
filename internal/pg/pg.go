// Package pg is everything Baixa asks of PostgreSQL itself: a pool bound to one schema and one role, migrations, the
// few helpers that every store needs, and a server of our own for machines that have none.
//
// It refuses to know any table: statements belong to the stores. It never reads across schemas, and it puts neither
// passwords nor query parameters into errors, logs or spans.
package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectTimeout    = 5 * time.Second  // one attempt to reach one host
	openTimeout       = 15 * time.Second // all hosts of the DSN together
	defaultMaxConns   = 8
	statementTimeout  = 30 * time.Second
	idleInTransaction = 30 * time.Second
	maxConnLifetime   = 30 * time.Minute
	maxConnIdle       = 5 * time.Minute
)

// Config says how a service reaches its own schema.
type Config struct {
	DSN      string // postgres://user:password@host:5432/database or key=value pairs; never logged
	Schema   string // the only schema on the search path; empty leaves the server's search path
	Role     string // the role every connection acts as; empty keeps the DSN's user
	MaxConns int32  // upper bound of open connections; 0 means 8
	AppName  string // application_name, as pg_stat_activity shows it; empty means "baixa"
}

// Open connects and returns a pool whose every connection acts as c.Role, sees only c.Schema, speaks UTC, gives up a
// statement after 30 s and loses a transaction that idles for 30 s. The role and the timeouts are start-up parameters
// of the connection, so that RESET ROLE and DISCARD ALL return to them. Spans carry SQL text, never parameters.
//
// Open proves that the database answers: a malformed DSN, an unreachable host, a refused password, a missing database
// and a missing role are each one error that says so and never holds the password. The caller closes the pool.
func Open(ctx context.Context, c Config) (*pgxpool.Pool, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(c.DSN)
	if err != nil {
		return nil, dsnError(err)
	}
	cfg.MaxConns = defaultMaxConns
	if c.MaxConns > 0 {
		cfg.MaxConns = c.MaxConns
	}
	cfg.MaxConnLifetime, cfg.MaxConnLifetimeJitter = maxConnLifetime, maxConnLifetime/6
	cfg.MaxConnIdleTime = maxConnIdle
	cfg.HealthCheckPeriod = 30 * time.Second
	cfg.PingTimeout = 2 * time.Second
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	// Spans of waiting for a connection drown the statements; the pool's gauges show the same.
	cfg.ConnConfig.Tracer = tracer{otelpgx.NewTracer(otelpgx.WithDisableAcquireTracer())}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		k := &kept{}
		conn.PgConn().CustomData()[keptKey] = k
		return registerArrays(conn.TypeMap(), k)
	}
	for k, v := range c.parameters() {
		cfg.ConnConfig.RuntimeParams[k] = v
	}

	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, connectError(err, &cfg.ConnConfig.Config)
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, connectError(err, &cfg.ConnConfig.Config)
	}
	if err := otelpgx.RecordStats(pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("register pool gauges: %w", err)
	}
	return pool, nil
}

func (c Config) check() error {
	if strings.TrimSpace(c.DSN) == "" {
		return errors.New("database DSN is empty: expected " + dsnForms)
	}
	if c.MaxConns < 0 {
		return fmt.Errorf("database pool size %d: expected a positive number", c.MaxConns)
	}
	if c.Schema != "" && !identifier.MatchString(c.Schema) {
		return fmt.Errorf("schema name %q: expected lower case letters, digits and underscores", c.Schema)
	}
	if c.Role != "" && !identifier.MatchString(c.Role) {
		return fmt.Errorf("role name %q: expected lower case letters, digits and underscores", c.Role)
	}
	return nil
}

// parameters are sent when a connection starts. Names are checked identifiers, so they need no quoting.
func (c Config) parameters() map[string]string {
	p := map[string]string{
		"application_name":                    "baixa",
		"timezone":                            "UTC",
		"jit":                                 "off", // compiling costs more than our short statements
		"statement_timeout":                   milliseconds(statementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleInTransaction),
	}
	if c.AppName != "" {
		p["application_name"] = c.AppName
	}
	if c.Schema != "" {
		p["search_path"] = c.Schema
	}
	if c.Role != "" {
		p["role"] = c.Role
	}
	return p
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
