//go:build unix

package pg_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// runStarter starts a durable server in dir, prints its DSN and waits to be killed.
func runStarter(dir string) int {
	s, err := pg.Start(context.Background(), pg.ServerConfig{Dir: dir, Durable: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.DSN())
	<-s.Done()
	return 1
}

func TestStart_keepsDataBetweenRuns(t *testing.T) {
	dir := filepath.Join(folder(t), "made", "by Start, with spaces")
	s := start(t, pg.ServerConfig{Dir: dir, Durable: true})
	run(t, s.DSN(), `CREATE TABLE kept (n int)`, `INSERT INTO kept VALUES (42)`)
	stop(t, s)
	stop(t, s) // twice is safe

	again := start(t, pg.ServerConfig{Dir: dir, Durable: true})
	if again.DSN() != s.DSN() {
		t.Errorf("DSN changed from %s to %s", s.DSN(), again.DSN())
	}
	if got := query[int](t, again.DSN(), `SELECT n FROM kept`); got != 42 {
		t.Errorf("n = %d after restart, want 42", got)
	}
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
		"max_connections": "200", "listen_addresses": "", "wal_compression": "pglz",
	} {
		if got := query[string](t, again.DSN(), `SELECT current_setting('`+setting+`')`); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
}

func TestStart_notDurableTurnsSafetyOff(t *testing.T) {
	s := start(t, pg.ServerConfig{Dir: folder(t)})
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if got := query[string](t, s.DSN(), `SELECT current_setting('`+setting+`')`); got != "off" {
			t.Errorf("%s = %q, want off", setting, got)
		}
	}
}

func TestStart_socketForOwnerOnly(t *testing.T) {
	dir := folder(t)
	s := start(t, pg.ServerConfig{Dir: dir})
	u, err := url.Parse(s.DSN())
	if err != nil {
		t.Fatalf("DSN %q: %v", s.DSN(), err)
	}
	sock := u.Query().Get("host")
	if want := filepath.Join(dir, "sock"); sock != want {
		t.Errorf("socket folder %s, want %s", sock, want)
	}
	info, err := os.Stat(sock)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("socket folder has mode %o, want 700", info.Mode().Perm())
	}
}

func TestStart_longPathPutsSocketElsewhere(t *testing.T) {
	dir := filepath.Join(folder(t), strings.Repeat("long", 30))
	s := start(t, pg.ServerConfig{Dir: dir})
	u, err := url.Parse(s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	sock := u.Query().Get("host")
	if strings.HasPrefix(sock, dir) || len(sock) > 80 {
		t.Errorf("socket folder %s is not a short one elsewhere", sock)
	}
	stop(t, s)
	if err := pg.Remove(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{dir, sock} {
		if _, err := os.Stat(gone); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s still exists after Remove (%v)", gone, err)
		}
	}
}

func TestStart_secondOnSameFolderIsRefused(t *testing.T) {
	dir := folder(t)
	s := start(t, pg.ServerConfig{Dir: dir})
	_, err := pg.Start(t.Context(), pg.ServerConfig{Dir: dir})
	if !errors.Is(err, pg.ErrInUse) {
		t.Fatalf("second Start: %v, want ErrInUse", err)
	}
	if pid := fmt.Sprint(os.Getpid()); !strings.Contains(err.Error(), "process "+pid) {
		t.Errorf("error %q does not name process %s", err, pid)
	}
	if err := pg.Remove(t.Context(), dir); !errors.Is(err, pg.ErrInUse) {
		t.Errorf("Remove of a running server: %v, want ErrInUse", err)
	}
	if got := query[int](t, s.DSN(), `SELECT 1`); got != 1 {
		t.Errorf("first server answers %d", got)
	}
}

func TestStart_badFolders(t *testing.T) {
	file := filepath.Join(folder(t), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := folder(t)
	if err := os.MkdirAll(filepath.Join(foreign, "data", "holiday"), 0o700); err != nil {
		t.Fatal(err)
	}
	other := folder(t)
	if err := os.MkdirAll(filepath.Join(other, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "data", "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "/nowhere") // so that nothing is fetched for the missing version
	for _, c := range []struct{ name, dir, want string }{
		{"no folder", "", "no data folder given"},
		{"a file", file, "not a directory"},
		{"someone's data", foreign, "neither empty nor a PostgreSQL data folder"},
		{"other version", other, "written by PostgreSQL 9, which is not installed (found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := pg.Start(t.Context(), pg.ServerConfig{Dir: c.dir})
			if err == nil {
				stop(t, s)
				t.Fatal("Start succeeded")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q lacks %q", err, c.want)
			}
		})
	}
}

func TestStart_logHoldsNoValues(t *testing.T) {
	var log syncBuffer
	s := start(t, pg.ServerConfig{Dir: folder(t), Log: &log})
	run(t, s.DSN(), `CREATE TABLE people (cpf text PRIMARY KEY)`)
	conn, err := pgx.Connect(t.Context(), s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = conn.Exec(t.Context(), `INSERT INTO people (cpf) VALUES ($1)`, "000-secret-000")
	}
	_ = conn.Close(t.Context())
	if !pg.IsUnique(err, "people_pkey") {
		t.Fatalf("second insert: %v, want a unique violation", err)
	}
	stop(t, s)
	if !strings.Contains(log.String(), "duplicate key value") {
		t.Errorf("log lacks the error:\n%s", log.String())
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("log holds the row's value:\n%s", log.String())
	}
}

// The process that started the server is killed while a transaction is open: the server must end by itself, and the next
// Start, at once, must find every committed row.
func TestStart_starterKilled(t *testing.T) {
	dir := folder(t)
	starter := exec.Command(os.Args[0], "-test.run=^$")
	starter.Env = append(os.Environ(), starterEnv+"="+dir)
	starter.Stderr = os.Stderr
	out, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = starter.Process.Kill()
		_ = starter.Wait()
		t.Fatalf("starter said %q: %v", line, err)
	}
	dsn := strings.TrimSpace(line)
	run(t, dsn, `CREATE TABLE kept (n int)`, `INSERT INTO kept VALUES (1)`)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), `BEGIN; INSERT INTO kept VALUES (2)`); err != nil {
		t.Fatal(err)
	}
	old := serverPID(t, dir)

	if err := starter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = starter.Wait()
	wait, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if _, err := conn.WaitForNotification(wait); err == nil || wait.Err() != nil {
		t.Fatalf("the server still serves 90 s after its starter was killed (%v)", err)
	}
	s := start(t, pg.ServerConfig{Dir: dir, Durable: true})
	if got := query[int](t, s.DSN(), `SELECT count(*) FROM kept`); got != 1 {
		t.Errorf("%d rows after the kill, want the 1 committed", got)
	}
	if now := serverPID(t, dir); now == old {
		t.Errorf("server %d is still the one of the killed starter", now)
	}
}

// The server itself is killed: its lock file stays and its process id belongs to somebody else by now.
func TestStart_staleLockFile(t *testing.T) {
	dir := folder(t)
	s := start(t, pg.ServerConfig{Dir: dir, Durable: true})
	run(t, s.DSN(), `CREATE TABLE kept (n int)`, `INSERT INTO kept VALUES (1)`)
	file := filepath.Join(dir, "data", "postmaster.pid")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(serverPID(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	stop(t, s)
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	living := append([]byte(fmt.Sprintf("%d\n", os.Getppid())), rest...)
	if err := os.WriteFile(file, living, 0o600); err != nil {
		t.Fatal(err)
	}

	again := start(t, pg.ServerConfig{Dir: dir, Durable: true})
	if got := query[int](t, again.DSN(), `SELECT n FROM kept`); got != 1 {
		t.Errorf("n = %d, want 1", got)
	}
}

func TestStart_cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := folder(t)
	if s, err := pg.Start(ctx, pg.ServerConfig{Dir: dir}); err == nil {
		stop(t, s)
		t.Fatal("Start succeeded with a cancelled context")
	}
	start(t, pg.ServerConfig{Dir: dir}) // nothing half done stays in the way
}

// The parent-death signal is the thread's, not the process's: the thread that called Start may end.
func TestStart_outlivesTheCallingThread(t *testing.T) {
	dir := folder(t)
	got := make(chan *pg.Server, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with this goroutine
		s, err := pg.Start(context.Background(), pg.ServerConfig{Dir: dir})
		if err != nil {
			t.Error(err)
		}
		got <- s
	}()
	s := <-got
	if s == nil {
		t.FailNow()
	}
	defer stop(t, s)
	select {
	case <-s.Done():
		t.Fatal("the server ended with the thread")
	case <-time.After(300 * time.Millisecond):
	}
	if got := query[int](t, s.DSN(), `SELECT 1`); got != 1 {
		t.Errorf("the server answers %d", got)
	}
	ours, err := syscall.Getpgid(0)
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err := syscall.Getpgid(serverPID(t, dir)); err != nil || theirs == ours {
		t.Errorf("the server is in process group %d (%v), ours: Ctrl-C would reach it before the services", theirs, err)
	}
}

func TestStop_impatient(t *testing.T) {
	dir := folder(t)
	s := start(t, pg.ServerConfig{Dir: dir, Durable: true})
	run(t, s.DSN(), `CREATE TABLE kept (n int)`, `INSERT INTO kept VALUES (1)`)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(over); err != nil {
		t.Fatalf("Stop without time: %v", err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("Stop returned before the server was gone")
	}
	again := start(t, pg.ServerConfig{Dir: dir, Durable: true})
	if got := query[int](t, again.DSN(), `SELECT n FROM kept`); got != 1 {
		t.Errorf("n = %d after an immediate shutdown, want 1", got)
	}
}
