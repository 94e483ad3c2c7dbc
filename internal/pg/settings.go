//go:build unix

package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const socketPort = "5432" // names the socket file only

// settings are given on the command line, where they beat the files: the binary, not the data folder, decides. They suit
// one small machine (2 cores, 2-4 GB) that runs everything.
func settings(sock string, durable bool) []string {
	values := []string{
		"listen_addresses=",
		"unix_socket_directories=" + sock,
		"unix_socket_permissions=0700",
		"port=" + socketPort,
		"max_connections=200",
		"timezone=UTC", "log_timezone=UTC",

		"effective_cache_size=1GB",
		"work_mem=8MB",
		"maintenance_work_mem=64MB",
		"random_page_cost=1.1", // solid-state disks
		"jit=off",              // compiling costs more than our short statements
		"wal_compression=on",
		// Queues and due-tables turn their rows over all the time.
		"autovacuum_naptime=15s",
		"autovacuum_vacuum_scale_factor=0.05",

		"logging_collector=off",
		"log_destination=stderr",
		"log_line_prefix=%m [%p] %q%a ",
		"log_min_duration_statement=1s",
		// Row values and parameters never reach the log: DETAIL lines quote keys, statements may quote literals.
		"log_error_verbosity=terse",
		"log_parameter_max_length=0",
		"log_parameter_max_length_on_error=0",
		"log_min_error_statement=panic",
	}
	if durable {
		values = append(values,
			"shared_buffers=256MB",
			"fsync=on", "synchronous_commit=on", "full_page_writes=on",
			"wal_level=replica", // so that pg_basebackup can take a backup
			"max_wal_size=1GB", "min_wal_size=128MB",
			"wal_buffers=16MB",
		)
	} else {
		values = append(values,
			"shared_buffers=64MB",
			"fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"wal_level=minimal", "max_wal_senders=0",
			"max_wal_size=1GB",
		)
	}
	args := make([]string, 0, 2*len(values))
	for _, v := range values {
		args = append(args, "-c", v)
	}
	return args
}

// initialise makes dir/data when there is none. It works in data.new and renames at the end, so that data is whole or
// missing whenever it was interrupted.
func initialise(ctx context.Context, dir string, b binaries, id identity, durable bool) error {
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return id.own(data)
	}
	if entries, err := os.ReadDir(data); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is neither empty nor a PostgreSQL data folder", data)
	}
	fresh := data + ".new"
	for _, d := range []string{data, fresh} {
		if err := os.RemoveAll(d); err != nil {
			return fmt.Errorf("clear %s: %w", d, err)
		}
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	if err := id.own(fresh); err != nil {
		return err
	}
	args := []string{
		"--pgdata=" + fresh, "--username=" + serverUser, "--encoding=UTF8", "--locale=C",
		"--auth-local=trust", "--auth-host=reject", "--no-instructions",
	}
	if durable {
		args = append(args, "--data-checksums")
	} else {
		args = append(args, "--no-sync")
	}
	cmd := b.command("initdb", args...)
	cmd.Dir = dir
	if out, err := output(ctx, cmd, id); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(out))
	}
	if err := os.Rename(fresh, data); err != nil {
		return fmt.Errorf("keep data folder: %w", err)
	}
	return nil
}

// tail passes the server's log on and keeps its last 4 KB for the error of a start that did not succeed.
type tail struct {
	mu   sync.Mutex
	last []byte
	to   io.Writer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if over := len(t.last) - 4096; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	if t.to != nil {
		_, _ = t.to.Write(p) // a log that cannot be written must not stop the database
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.last))
}

// waitFor asks every 20 ms until done says yes or the time is over.
func waitFor(ctx context.Context, limit time.Duration, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return errors.New("waited in vain")
		case <-tick.C:
		}
	}
	return nil
}
