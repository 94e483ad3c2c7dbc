package pgtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/baixapay/baixa/internal/pg"
)

func TestMain(m *testing.M) { Main(m) }

var notes = pg.Schema{Name: "notes", Role: "baixa_test_notes", FS: fstest.MapFS{
	"00001_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE notes (n int PRIMARY KEY);\nGRANT SELECT, INSERT ON notes TO baixa_test_notes;\n")},
}}

func TestNew_everyTestItsOwnDatabase(t *testing.T) {
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			pool := New(t, notes).Pool(t, notes)
			if _, err := pool.Exec(t.Context(), `INSERT INTO notes (n) VALUES (1)`); err != nil {
				t.Error(err) // a shared table would refuse the second 1
			}
		})
	}
}

func TestNew_migratesOnceAndDropsAfterwards(t *testing.T) {
	var first *DB
	t.Run("inner", func(t *testing.T) { first = New(t, notes) })
	second := New(t, notes)
	here.mu.Lock()
	templates := len(here.templates)
	here.mu.Unlock()
	New(t, notes)
	here.mu.Lock()
	if len(here.templates) != templates {
		t.Errorf("%d templates after another test of the same schemas, want %d", len(here.templates), templates)
	}
	here.mu.Unlock()
	name := first.DSN()[strings.LastIndex(first.DSN(), "/baixa_test")+1:]
	name, _, _ = strings.Cut(name, "?")
	var left int
	if err := second.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_database WHERE datname = $1`, name).Scan(&left); err != nil || left != 0 {
		t.Errorf("database %s of an ended test: %d left (%v)", name, left, err)
	}
}

func TestNew_otherMigrationsOtherTemplate(t *testing.T) {
	more := notes
	more.FS = fstest.MapFS{"00001_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE other (n int);\n")}}
	a, err := fingerprint([]pg.Schema{notes})
	if err != nil {
		t.Fatal(err)
	}
	b, err := fingerprint([]pg.Schema{more})
	if err != nil || a == b {
		t.Errorf("fingerprints %s and %s (%v) of different migrations", a, b, err)
	}
	if _, err := New(t, more).Admin(t).Exec(t.Context(), `SELECT n FROM notes.other`); err != nil {
		t.Error(err)
	}
}

func TestServer_keepsDataOverRestarts(t *testing.T) {
	s := Server(t, notes)
	dsn, pool := s.DSN(), s.Pool(t, notes)
	if _, err := pool.Exec(t.Context(), `INSERT INTO notes (n) VALUES (7)`); err != nil {
		t.Fatal(err)
	}
	s.Stop(t)
	s.Stop(t)
	if _, err := pool.Exec(t.Context(), `SELECT 1`); !pg.Unavailable(err) {
		t.Errorf("stopped server answers %v", err)
	}
	s.Start(t)
	s.Start(t)
	var n int
	if err := pool.QueryRow(t.Context(), `SELECT n FROM notes`).Scan(&n); err != nil || n != 7 || s.DSN() != dsn {
		t.Errorf("after the restart: %d (%v) at %s, want 7 at %s", n, err, s.DSN(), dsn)
	}
}

// fatal records a Fatalf of the helpers instead of failing this test.
type fatal struct {
	testing.TB
	text string
}

func (f *fatal) Helper()                      {}
func (f *fatal) Cleanup(func())               {}
func (f *fatal) Fatalf(form string, a ...any) { f.text = fmt.Sprintf(form, a...); panic(f) }
func caught(t *testing.T, call func(*fatal)) string {
	t.Helper()
	f := &fatal{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(f) {
				panic(r)
			}
		}()
		call(f)
	}()
	return f.text
}

func TestNew_failsInsteadOfSkipping(t *testing.T) {
	broken := notes
	broken.FS = fstest.MapFS{"00001_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABEL notes (n int);\n")}}
	if text := caught(t, func(f *fatal) { New(f, broken) }); !strings.Contains(text, "prepare test database: migrate schema notes: 00001_notes.sql") {
		t.Errorf("broken migration: Fatalf said %q", text)
	}
	fresh := func(armed bool) string {
		h := &host{armed: armed, templates: map[string]*template{}}
		_, err := h.start(t.Context())
		if err == nil {
			return ""
		}
		return err.Error()
	}
	if text := fresh(false); !strings.Contains(text, "func TestMain(m *testing.M) { pgtest.Main(m) }") {
		t.Errorf("without Main: %q", text)
	}
	t.Setenv("PGBIN", t.TempDir())
	if text := fresh(true); !strings.Contains(text, "holds no postgres and initdb") {
		t.Errorf("without PostgreSQL: %q", text)
	}
}

func TestSweep_removesOnlyWhatIsStale(t *testing.T) {
	tmp, err := os.MkdirTemp("", "baixa-sweep-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	t.Setenv("TMPDIR", tmp)
	made := map[string]string{}
	for _, name := range []string{"young", "stale", "used"} {
		made[name] = filepath.Join(tmp, dirPrefix+name)
		if err := os.Mkdir(made[name], 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s, err := pg.Start(t.Context(), pg.ServerConfig{Dir: made["used"]})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(context.Background())
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"stale", "used"} {
		if err := os.Chtimes(made[name], old, old); err != nil {
			t.Fatal(err)
		}
	}
	sweep(t.Context())
	for name, want := range map[string]bool{"young": true, "stale": false, "used": true} {
		_, err := os.Stat(made[name])
		if (err == nil) != want {
			t.Errorf("folder %s exists: %v, want %v", name, err == nil, want)
		}
	}
}

// Another process's tests begin while a server is stopped in the midst of a long test.
func TestSweep_leavesAStoppedServer(t *testing.T) {
	tmp, err := os.MkdirTemp("", "baixa-sweep-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	t.Setenv("TMPDIR", tmp)
	s := Server(t)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(s.dir, old, old); err != nil {
		t.Fatal(err)
	}
	s.Stop(t)
	sweep(t.Context())
	if _, err := os.Stat(filepath.Join(s.dir, "data", "PG_VERSION")); err != nil {
		t.Errorf("the data of a stopped server: %v", err)
	}
}

func TestWithDatabase_bothForms(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://u:p@h:5432/a?sslmode=disable":    "postgres://u:p@h:5432/b?sslmode=disable",
		"postgresql://u@/a?host=%2Ftmp%2Fx&dbname=c": "postgresql://u@/b?host=%2Ftmp%2Fx",
		"host=/tmp/x user=u dbname=a":                "host=/tmp/x user=u dbname=a dbname=b",
	} {
		if got := withDatabase(dsn, "b"); got != want {
			t.Errorf("withDatabase(%q) = %q, want %q", dsn, got, want)
		}
	}
}

func TestNew_givenServer(t *testing.T) {
	given := Server(t)
	t.Setenv("BAIXA_TEST_DSN", given.DSN())
	h := &host{armed: true, templates: map[string]*template{}}
	dsn, err := h.start(t.Context())
	if err != nil || dsn != given.DSN() || h.server != nil {
		t.Fatalf("start: %q, %v, own server %v; want the given one", dsn, err, h.server != nil)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := h.template(t.Context(), dsn, []pg.Schema{notes}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := h.close(); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := given.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_database WHERE datname LIKE 'baixa_test%'`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d databases stay on the given server (%v)", left, err)
	}
}
