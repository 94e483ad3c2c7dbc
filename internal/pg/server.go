//go:build unix

package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	serverUser     = "baixa" // superuser and owner; admitted only through the private socket
	serverDatabase = "baixa"
	startLimit     = 2 * time.Minute // when the caller sets no deadline: recovery after a crash may take a while
	stopLimit      = 30 * time.Second
	readyEvery     = 10 * time.Millisecond
)

// ErrInUse means that another process (or this one) already runs a server on the folder.
var ErrInUse = errors.New("data folder is in use")

// ServerConfig says where and how a managed server runs.
type ServerConfig struct {
	Dir     string    // kept between runs; made (0700) when missing; holds data/, lock and, when its path is short, sock/
	Durable bool      // true: every durability setting on. false: for tests, a crash of the machine may lose the data
	Log     io.Writer // the server's own log, which holds no parameters and no row values; nil discards it
}

// Server is a PostgreSQL that this process started and that ends with it: when this process dies, even by kill -9, the
// kernel asks the server for a fast shutdown (on Linux; elsewhere the next Start on the folder does).
//
// It listens on a Unix socket in a folder of mode 0700 and on no port: no password is needed, no other user of the machine
// gets in, and no port can be taken.
type Server struct {
	dir  string
	sock string
	ids  []identity // to run as, best first
	lock *os.File
	proc *process
	once sync.Once
}

// Start runs a server on c.Dir, creating the database when the folder is new, and returns when it answers. Binaries are
// looked for in $PGBIN, PATH, pg_config's folder, the usual places, a cached copy, and at last fetched with apt-get
// download; data of another major version is refused. As root the server runs in a user namespace of its own, or as
// user postgres or nobody where namespaces are not allowed.
//
// A folder that another live process serves gives ErrInUse (wrapped, with its process id) at once: servers are not shared,
// because the one who started it would take it away from the other. What a killed process left behind is cleared: Start
// waits for its server to end, or ends it. A ctx without a deadline is given 2 minutes. The caller calls Stop.
func Start(ctx context.Context, c ServerConfig) (*Server, error) {
	if c.Dir == "" {
		return nil, errors.New("start PostgreSQL: no data folder given")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startLimit)
		defer cancel()
	}
	s := &Server{dir: dir, ids: identities()}
	if err := s.start(ctx, c); err != nil {
		s.release()
		return nil, fmt.Errorf("start PostgreSQL in %s: %w", dir, err)
	}
	return s, nil
}

// DSN reaches the server's database as its superuser. It holds no secret, stays the same over restarts on the same folder
// and works for every process of the same user on this machine.
func (s *Server) DSN() string { return s.dsn(serverDatabase) }

// Dir is the absolute folder the data is kept in.
func (s *Server) Dir() string { return s.dir }

// Done is closed when the server has ended, whoever ended it.
func (s *Server) Done() <-chan struct{} { return s.proc.done }

// Stop ends the server: fast shutdown (open transactions roll back, data is flushed); when ctx ends first, or after 30 s,
// immediate shutdown, which the next start recovers from. It returns nil once the server is gone and may be called twice.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	err := s.proc.stop(ctx)
	if err == nil {
		s.release()
	}
	return err
}

// Remove deletes a managed server's folder with its data. A folder in use gives ErrInUse; a missing one is fine.
func Remove(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("remove PostgreSQL folder: %w", err)
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	s := &Server{dir: dir}
	defer s.release()
	if s.lock, err = lockDir(dir); err != nil {
		return fmt.Errorf("remove PostgreSQL folder %s: %w", dir, err)
	}
	if err := clearLeftovers(ctx, s.data(), s.socketDir()); err != nil {
		return fmt.Errorf("remove PostgreSQL folder %s: %w", dir, err)
	}
	if sock := s.socketDir(); filepath.Dir(sock) != dir {
		if err := os.RemoveAll(sock); err != nil {
			return fmt.Errorf("remove PostgreSQL socket folder: %w", err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove PostgreSQL folder: %w", err)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) dsn(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(serverUser), Path: "/" + database,
		RawQuery: url.Values{"host": {s.sock}, "port": {socketPort}, "sslmode": {"disable"}}.Encode(),
	}
	return u.String()
}

func (s *Server) release() {
	s.once.Do(func() {
		if s.lock == nil {
			return
		}
		if s.sock != "" && filepath.Dir(s.sock) != s.dir {
			_ = os.Remove(s.sock) // in /tmp; only when empty
		}
		_ = s.lock.Close() // closing gives the lock back
	})
}

func (s *Server) start(ctx context.Context, c ServerConfig) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	var err error
	if s.lock, err = lockDir(s.dir); err != nil {
		return err
	}
	s.sock = s.socketDir()
	if err := clearLeftovers(ctx, s.data(), s.sock); err != nil {
		return err
	}
	found, id, err := choose(ctx, s.dir, s.ids)
	if err != nil {
		return err
	}
	if err := prepareSocketDir(s.sock, id); err != nil {
		return err
	}
	if err := initialise(ctx, s.dir, found, id, c.Durable); err != nil {
		return err
	}
	tail := &tail{to: c.Log}
	cmd := found.command("postgres", append([]string{"-D", s.data()}, settings(s.sock, c.Durable)...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, tail, tail
	if s.proc, err = spawn(cmd, id); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		_ = s.proc.stop(stop)
		return fmt.Errorf("%w; its last words:\n%s", err, tail)
	}
	return nil
}

// ready waits until the server answers and the database exists.
func (s *Server) ready(ctx context.Context) error {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		err := s.createDatabase(ctx)
		if err == nil {
			return nil
		}
		var refused *pgconn.ConnectError
		if !errors.As(err, &refused) {
			return err
		}
		select {
		case <-s.proc.done:
			return errors.New("the server ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("the server did not get ready: %w (%w)", ctx.Err(), errors.Unwrap(refused))
		case <-tick.C:
		}
	}
}

func (s *Server) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var exists bool
	const existsSQL = `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1)`
	if err := conn.QueryRow(ctx, existsSQL, serverDatabase).Scan(&exists); err != nil {
		return fmt.Errorf("look for database %s: %w", serverDatabase, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+serverDatabase); err != nil {
		return fmt.Errorf("create database %s: %w", serverDatabase, err)
	}
	return nil
}
