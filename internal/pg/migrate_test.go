package pg_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

var accounts = pg.Schema{Name: "accounts", Role: "baixa_test_accounts", Dir: "sql", FS: fstest.MapFS{
	"sql/00001_entries.sql": {Data: []byte(`-- +goose Up
CREATE TABLE entries (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CONSTRAINT entries_name_key UNIQUE
);
GRANT SELECT, INSERT ON entries TO baixa_test_accounts;
`)},
	"sql/00002_counters.sql": {Data: []byte(`-- +goose Up
CREATE TABLE counters (name text PRIMARY KEY, n bigint NOT NULL);
CREATE SEQUENCE tickets;
GRANT SELECT, INSERT, UPDATE ON counters TO baixa_test_accounts;
INSERT INTO counters (name, n) VALUES ('a', 0), ('b', 0);
`)},
}}

var ledger = pg.Schema{Name: "ledger", Role: "baixa_test_ledger", FS: fstest.MapFS{
	"00001_lines.sql": {Data: []byte("-- +goose Up\nCREATE TABLE lines (n int);\nGRANT SELECT ON lines TO baixa_test_ledger;\n")},
}}

// with returns s with one more file, or without the files named.
func with(s pg.Schema, add map[string]string, without ...string) pg.Schema {
	files := fstest.MapFS{}
	for name, f := range s.FS.(fstest.MapFS) {
		files[name] = f
	}
	for name, text := range add {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for _, name := range without {
		delete(files, name)
	}
	s.FS = files
	return s
}

func TestMigrate_secondStartChangesNothing(t *testing.T) {
	db := pgtest.New(t)
	if err := pg.Check(t.Context(), db.DSN(), accounts); !errors.Is(err, pg.ErrBehind) || !strings.Contains(err.Error(), "schema accounts lacks migrations [1 2]") {
		t.Errorf("Check of an empty database: %v, want ErrBehind with the versions", err)
	}
	const catalog = `SELECT string_agg(x, E'\n' ORDER BY x) FROM (
		SELECT 'class ' || relname || ' ' || c.xmin::text || COALESCE(relacl::text, '') FROM pg_class c WHERE relnamespace = 'accounts'::regnamespace
		UNION ALL SELECT 'schema ' || n.xmin::text || nspacl::text FROM pg_namespace n WHERE nspname = 'accounts'
		UNION ALL SELECT 'role ' || r.xmin::text FROM pg_authid r WHERE rolname = 'baixa_test_accounts'
		UNION ALL SELECT 'default ' || d.xmin::text FROM pg_default_acl d
		UNION ALL SELECT 'version ' || version_id || v.xmin::text FROM accounts.goose_db_version v) s (x)`
	var states []string
	for range 2 {
		if err := pg.Migrate(t.Context(), db.DSN(), accounts); err != nil {
			t.Fatal(err)
		}
		states = append(states, query[string](t, db.DSN(), catalog))
	}
	if states[0] != states[1] {
		t.Errorf("the second start changed the catalog:\n%s\n\nto\n%s", states[0], states[1])
	}
	if err := pg.Check(t.Context(), db.DSN(), accounts); err != nil {
		t.Errorf("Check after Migrate: %v", err)
	}
	// Sequences of later migrations are the role's to use.
	if got := query[bool](t, db.DSN(), `SELECT has_sequence_privilege('baixa_test_accounts', 'accounts.tickets', 'USAGE')`); !got {
		t.Error("the role may not use a sequence that a migration made")
	}
	if got := query[bool](t, db.DSN(), `SELECT rolcanlogin FROM pg_roles WHERE rolname = 'baixa_test_accounts'`); got {
		t.Error("the role may log in")
	}
}

func TestCheck_behindAndAhead(t *testing.T) {
	db := pgtest.New(t, accounts)
	newer := with(accounts, map[string]string{"sql/00003_more.sql": "-- +goose Up\nCREATE TABLE more (n int);\n"})
	if err := pg.Check(t.Context(), db.DSN(), newer); !errors.Is(err, pg.ErrBehind) || !strings.Contains(err.Error(), "[3]") {
		t.Errorf("Check of a newer binary: %v, want ErrBehind with 3", err)
	}
	if err := pg.Migrate(t.Context(), db.DSN(), newer); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]error{
		"Check":   pg.Check(t.Context(), db.DSN(), accounts),
		"Migrate": pg.Migrate(t.Context(), db.DSN(), accounts),
	} {
		if !errors.Is(call, pg.ErrAhead) || !strings.Contains(call.Error(), "[3]") {
			t.Errorf("%s of an older binary: %v, want ErrAhead with 3", name, call)
		}
	}
}

func TestMigrate_failedMigrationLeavesNothing(t *testing.T) {
	db := pgtest.New(t)
	broken := with(accounts, map[string]string{"sql/00003_broken.sql": "-- +goose Up\nCREATE TABLE half (n int);\nINSERT INTO missing VALUES (1);\n"})
	err := pg.Migrate(t.Context(), db.DSN(), broken)
	if err == nil || !strings.Contains(err.Error(), "migrate schema accounts") || !strings.Contains(err.Error(), "00003_broken.sql") {
		t.Fatalf("Migrate: %v, want an error that names the schema and the file", err)
	}
	if got := query[bool](t, db.DSN(), `SELECT to_regclass('accounts.half') IS NULL`); !got {
		t.Error("half of the broken migration stayed")
	}
	if err := pg.Migrate(t.Context(), db.DSN(), accounts); err != nil {
		t.Errorf("Migrate after the repair: %v", err)
	}
}

// Services and replicas start together, over several databases of one server that share the roles.
func TestMigrate_allAtOnce(t *testing.T) {
	const databases, replicas = 3, 4
	// Roles that no other test made, so that creating them is part of the race.
	fresh := func(s pg.Schema) pg.Schema {
		role := s.Role + "_race"
		files := fstest.MapFS{}
		for name, f := range s.FS.(fstest.MapFS) {
			files[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(f.Data), s.Role, role))}
		}
		s.Role, s.FS = role, files
		return s
	}
	schemas := []pg.Schema{fresh(accounts), fresh(ledger)}
	var (
		wg   sync.WaitGroup
		errs = make(chan error, databases*replicas*len(schemas))
	)
	for range databases {
		db := pgtest.New(t)
		for range replicas {
			for _, s := range schemas {
				wg.Go(func() { errs <- pg.Migrate(t.Context(), db.DSN(), s) })
			}
		}
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

// An owner that is no superuser, as hosted databases give it.
func TestMigrate_ordinaryOwner(t *testing.T) {
	db := pgtest.New(t)
	admin := db.Admin(t)
	const login = "baixa_test_owner"
	run(t, db.DSN(), `DROP ROLE IF EXISTS `+login, `CREATE ROLE `+login+` LOGIN NOSUPERUSER`)
	t.Cleanup(func() { run(t, db.DSN(), `DROP OWNED BY `+login+` CASCADE`, `DROP ROLE `+login) })
	var database string
	if err := admin.QueryRow(t.Context(), `SELECT current_database()`).Scan(&database); err != nil {
		t.Fatal(err)
	}
	run(t, db.DSN(), `GRANT CREATE, CONNECT ON DATABASE `+database+` TO `+login)
	dsn := as(t, db.DSN(), login)
	s := ledger
	s.Role = "baixa_test_ordinary"
	s.FS = fstest.MapFS{"00001_lines.sql": {Data: []byte("-- +goose Up\nCREATE TABLE lines (n int);\nGRANT SELECT ON lines TO baixa_test_ordinary;\n")}}

	err := pg.Migrate(t.Context(), dsn, s)
	if err == nil || !strings.Contains(err.Error(), "CREATE ROLE baixa_test_ordinary NOLOGIN; GRANT baixa_test_ordinary TO <this user>;") {
		t.Fatalf("Migrate without CREATEROLE: %v, want what an administrator must run", err)
	}
	run(t, db.DSN(), `CREATE ROLE baixa_test_ordinary NOLOGIN`, `GRANT baixa_test_ordinary TO `+login)
	t.Cleanup(func() { run(t, db.DSN(), `DROP OWNED BY baixa_test_ordinary`, `DROP ROLE baixa_test_ordinary`) })
	if err := pg.Migrate(t.Context(), dsn, s); err != nil {
		t.Fatalf("Migrate after that: %v", err)
	}
	pool, err := pg.Open(t.Context(), pg.Config{DSN: dsn, Schema: s.Name, Role: s.Role})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), `SELECT n FROM lines`); err != nil {
		t.Error(err)
	}
}

func TestMigrate_refusesBadSchemas(t *testing.T) {
	db := pgtest.New(t)
	good := fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\nSELECT 1;\n")}}
	for name, c := range map[string]struct {
		schema pg.Schema
		want   string
	}{
		"no name":      {pg.Schema{Role: "r", FS: good}, "schema name"},
		"quoted name":  {pg.Schema{Name: `a"b`, Role: "r", FS: good}, "schema name"},
		"system name":  {pg.Schema{Name: "pg_mine", Role: "r", FS: good}, "schema name"},
		"no role":      {pg.Schema{Name: "a", FS: good}, "role name"},
		"no files":     {pg.Schema{Name: "a", Role: "r"}, "no migrations given"},
		"wrong folder": {pg.Schema{Name: "a", Role: "baixa_test_bad", FS: good, Dir: "sql"}, "migrations of schema a"},
		"two of a number": {pg.Schema{Name: "a", Role: "baixa_test_bad", FS: fstest.MapFS{
			"00001_a.sql": good["00001_a.sql"], "00001_b.sql": good["00001_a.sql"]}}, "migrations of schema a"},
	} {
		if err := pg.Migrate(t.Context(), db.DSN(), c.schema); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for _, dsn := range []string{"", "nonsense hunter2-x"} {
		err := pg.Migrate(t.Context(), dsn, accounts)
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "expected postgres://") {
			t.Errorf("Migrate with DSN %q: %v", dsn, err)
		}
	}
}

// as is the same database for another user, whom the private socket admits without a password.
func as(t *testing.T, dsn, user string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(user)
	return u.String()
}
