package pg_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

func TestOpen_bindsRoleSchemaAndLimits(t *testing.T) {
	db := pgtest.New(t, accounts)
	const servers = `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = on', current_database()); END $$` // as on most servers that are not ours
	if _, err := db.Admin(t).Exec(t.Context(), servers); err != nil {
		t.Fatal(err)
	}
	pool, err := pg.Open(t.Context(), pg.Config{DSN: db.DSN(), Schema: accounts.Name, Role: accounts.Role, MaxConns: 1, AppName: "teller"})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	// A pool of one connection: nothing a statement does on it can shed the role for good.
	for _, reset := range []string{`SELECT 1`, `RESET ROLE`, `DISCARD ALL`} {
		if _, err := pool.Exec(t.Context(), reset, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", reset, err)
		}
		for setting, want := range map[string]string{
			"role": accounts.Role, "search_path": accounts.Name, "application_name": "teller", "TimeZone": "UTC",
			"statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s", "jit": "off",
		} {
			var got string
			const sql = `SELECT current_setting($1)`
			if err := pool.QueryRow(t.Context(), sql, pgx.QueryExecModeSimpleProtocol, setting).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("after %s: %s = %q, want %q", reset, setting, got, want)
			}
		}
	}
	if got := pool.Config().MaxConns; got != 1 {
		t.Errorf("pool of %d connections, want 1", got)
	}
}

func TestOpen_roleMayOnlyWhatMigrationsGrant(t *testing.T) {
	db := pgtest.New(t, accounts, ledger)
	pool := db.Pool(t, accounts)
	if _, err := pool.Exec(t.Context(), `INSERT INTO entries (name) VALUES ('first')`); err != nil {
		t.Errorf("insert of its own: %v", err)
	}
	for _, forbidden := range []string{
		`UPDATE entries SET name = 'x'`, `DELETE FROM entries`, `TRUNCATE entries`, `DROP TABLE entries`, `CREATE TABLE more (n int)`,
		`SELECT * FROM ledger.lines`, `CREATE TABLE public.more (n int)`, `DELETE FROM accounts.goose_db_version`,
	} {
		if _, err := pool.Exec(t.Context(), forbidden); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v, want permission denied", forbidden, err)
		}
	}
}

func TestOpen_errorsAreClearAndHideThePassword(t *testing.T) {
	const password = "hunter2-x"
	db := pgtest.New(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := closed.Addr().String()
	closed.Close()
	silent := listenSilently(t)
	asker := listenForPassword(t)

	for _, c := range []struct{ name, dsn, want string }{
		{"empty", "  ", "DSN is empty: expected postgres://"},
		{"no DSN at all", "see the wiki " + password, "DSN is not valid"},
		{"bad port", "postgres://u:" + password + "@127.0.0.1:port/x", "port is not a number"},
		{"slash in password", "postgres://u:" + password + "/y@127.0.0.1:5432/x", "percent-encoding"},
		{"percent in password", "postgres://u:" + password + "%zz@127.0.0.1:5432/x", "percent-encoding"},
		{"bad sslmode", "postgres://u:" + password + "@127.0.0.1:5432/x?sslmode=perhaps", "sslmode is unknown"},
		{"bad pool setting", "postgres://u:" + password + "@127.0.0.1:5432/x?pool_max_conns=many", "pool_ settings"},
		{"pairs", "host=127.0.0.1 port=none password=" + password, "port is not a number"},
		{"nothing listens", "postgres://u:" + password + "@" + free + "/shop?sslmode=disable", `connect to database "shop" at ` + free + ` as user "u": nothing listens there`},
		{"unknown host", "postgres://u:" + password + "@no-such-host.invalid/shop", "host is not known"},
		{"no socket", "host=/nowhere user=u dbname=shop password=" + password, `at /nowhere as user "u": nothing listens there`},
		{"wrong password", "postgres://u:" + password + "@" + asker + "/shop?sslmode=disable", "the password was refused"},
		{"missing database", strings.Replace(db.DSN(), "/baixa_test_", "/gone_", 1), "the database does not exist"},
		{"silent", "postgres://u:" + password + "@" + silent + "/shop?sslmode=disable&connect_timeout=1", "no answer within"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			if c.name == "silent" {
				ctx, cancel = context.WithTimeout(ctx, time.Second)
				defer cancel()
			}
			pool, err := pg.Open(ctx, pg.Config{DSN: c.dsn})
			if err == nil {
				pool.Close()
				t.Fatal("Open succeeded")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q lacks %q", err, c.want)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), password) {
					t.Errorf("error %q holds the password", e)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q is more than one line", err)
			}
		})
	}
}

func TestOpen_missingRole(t *testing.T) {
	db := pgtest.New(t)
	_, err := pg.Open(t.Context(), pg.Config{DSN: db.DSN(), Role: "baixa_nobody_made_it"})
	if err == nil || !strings.Contains(err.Error(), `role "baixa_nobody_made_it" does not exist or this user may not become it: apply the migrations first`) {
		t.Errorf("Open: %v", err)
	}
}

func TestOpen_refusesNamesThatNeedQuoting(t *testing.T) {
	for _, c := range []pg.Config{
		{DSN: "postgres://x", Schema: "a,b"}, {DSN: "postgres://x", Schema: "Upper"}, {DSN: "postgres://x", Role: "a; DROP"}, {DSN: "postgres://x", MaxConns: -1},
	} {
		if _, err := pg.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("Open(%+v): %v", c, err)
		}
	}
}

func TestOpen_spansCarrySQLButNoParameters(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	ctx, root := provider.Tracer("test").Start(t.Context(), "sale")
	if _, err := pool.Exec(ctx, `INSERT INTO entries (name) VALUES ($1)`, "000-secret-000"); err != nil {
		t.Fatal(err)
	}
	root.End()
	text := ""
	for _, s := range spans.GetSpans() {
		text += s.Name + " "
		for _, a := range s.Attributes {
			text += string(a.Key) + "=" + a.Value.String() + " "
		}
	}
	if !strings.Contains(text, "INSERT INTO entries (name) VALUES ($1)") {
		t.Errorf("no span carries the statement: %s", text)
	}
	if strings.Contains(text, "secret") {
		t.Errorf("a span carries the parameter: %s", text)
	}
}

// listenSilently accepts connections and says nothing.
func listenSilently(t *testing.T) string {
	return listen(t, func(net.Conn) {})
}

// listenForPassword plays a server that refuses whatever password it gets (the wire format is in
// https://www.postgresql.org/docs/current/protocol-message-formats.html).
func listenForPassword(t *testing.T) string {
	return listen(t, func(c net.Conn) {
		buf := make([]byte, 1024)
		if _, err := c.Read(buf); err != nil {
			return
		}
		_, _ = c.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}) // AuthenticationCleartextPassword
		if _, err := c.Read(buf); err != nil {
			return
		}
		fields := "SFATAL\x00C28P01\x00Mpassword authentication failed\x00\x00"
		_, _ = c.Write(append([]byte{'E', 0, 0, 0, byte(4 + len(fields))}, fields...))
		c.Close()
	})
}

func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go serve(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}
