//go:build unix

package pg

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The home folder of root is closed to all others: the server must run there without a file changing hands.
func TestStart_belowHome(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := private(t, home)
	s, err := Start(t.Context(), ServerConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer end(t, s)
	if got := ask(t, s, `SELECT count(*) FROM pg_database WHERE datname = 'baixa'`); got != 1 {
		t.Errorf("%d databases named baixa, want 1", got)
	}
	info, err := os.Stat(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	if !info.IsDir() || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder has mode %v, want 0700", info.Mode())
	}
}

// Where user namespaces are not allowed root becomes another user; the same folder serves under either.
func TestStart_asAnotherUser(t *testing.T) {
	all := identities()
	if os.Geteuid() != 0 {
		if len(all) != 1 || all[0].foreign || all[0].isolated {
			t.Fatalf("an ordinary user has the identities %v, want himself only", all)
		}
		return
	}
	dir := private(t, os.TempDir())
	others := users()
	if len(others) == 0 {
		t.Fatal("neither user postgres nor user nobody exists")
	}
	var turns [][]identity
	for _, u := range others {
		turns = append(turns, all, []identity{u})
	}
	turns = append(turns, all)
	for i, ids := range turns {
		s := &Server{dir: dir, ids: ids}
		if err := s.start(t.Context(), ServerConfig{}); err != nil {
			s.release()
			t.Fatalf("turn %d as %s: %v", i, ids[0].name, err)
		}
		if got := ask(t, s, `SELECT count(*) FROM pg_database WHERE datname = 'baixa'`); got != 1 {
			t.Errorf("turn %d as %s: %d databases named baixa, want 1", i, ids[0].name, got)
		}
		end(t, s)
	}
}

func TestStart_anotherUserMayNotEnter(t *testing.T) {
	others := users()
	if os.Geteuid() != 0 || len(others) == 0 {
		if err := (identity{name: "user x", foreign: true}).explain(os.ErrPermission); !strings.Contains(err.Error(), "may not enter the folder") {
			t.Errorf("error %q does not explain", err)
		}
		return
	}
	dir := filepath.Join(private(t, os.TempDir()), "below")
	s := &Server{dir: dir, ids: others}
	err := s.start(t.Context(), ServerConfig{})
	s.release()
	if err == nil {
		end(t, s)
		t.Fatal("the server started in a folder that its user may not enter")
	}
	if !strings.Contains(err.Error(), others[0].name+" may not enter the folder: choose one outside of root's home") {
		t.Errorf("error %q does not say what to do", err)
	}
}

func TestPrepareSocketDir_refusesWhatIsNoFolder(t *testing.T) {
	target := private(t, os.TempDir())
	link := filepath.Join(private(t, os.TempDir()), "sock")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := prepareSocketDir(link, identities()[0]); err == nil {
		t.Error("a link to somebody's folder was accepted")
	}
}

// private is a folder that only its owner enters.
func private(t *testing.T, parent string) string {
	t.Helper()
	dir, err := os.MkdirTemp(parent, "baixa-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	return dir
}

func end(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func ask(t *testing.T, s *Server, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}
