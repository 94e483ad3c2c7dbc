package pgtest

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/pg"
)

// Instance is a server that belongs to one test, which may stop it and start it again. It is always a managed one, also
// when BAIXA_TEST_DSN is set. It holds one database, migrated; its DSN stays the same over restarts.
type Instance struct {
	DB
	dir    string
	mu     sync.Mutex
	server *pg.Server
}

// Server starts one, with the schemas migrated. It ends with the test, and its data with it.
func Server(t testing.TB, schemas ...pg.Schema) *Instance {
	t.Helper()
	// Not t.TempDir: its long name would push the socket out of the folder, and removing it must wait for the server.
	dir, err := os.MkdirTemp("", dirPrefix)
	if err != nil {
		t.Fatalf("make folder of test server: %v", err)
	}
	s := &Instance{dir: dir}
	t.Cleanup(func() {
		s.Stop(t)
		ctx, cancel := context.WithTimeout(context.Background(), setUpLimit)
		defer cancel()
		if err := pg.Remove(ctx, dir); err != nil {
			t.Errorf("remove test server: %v", err)
		}
	})
	s.Start(t)
	ctx, cancel := context.WithTimeout(context.Background(), setUpLimit)
	defer cancel()
	if err := migrate(ctx, s.dsn, schemas); err != nil {
		t.Fatalf("prepare test server: %v", err)
	}
	return s
}

// Start starts the server again after Stop; a running one is left alone.
func (s *Instance) Start(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), setUpLimit)
	defer cancel()
	server, err := pg.Start(ctx, pg.ServerConfig{Dir: s.dir})
	if err != nil {
		t.Fatalf("start test server: %v", err)
	}
	s.server, s.dsn = server, server.DSN()
}

// Stop is a fast shutdown: connections break, committed rows stay, for ten minutes at least: whoever clears away what killed test processes left
// takes an older folder that nobody serves for such a one. A stopped server is left alone.
func (s *Instance) Stop(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), setUpLimit)
	defer cancel()
	now := time.Now()
	if err := os.Chtimes(s.dir, now, now); err != nil { // while it is locked still
		t.Errorf("keep test server's folder: %v", err)
	}
	if err := s.server.Stop(ctx); err != nil {
		t.Errorf("stop test server: %v", err)
		return
	}
	s.server = nil
}
