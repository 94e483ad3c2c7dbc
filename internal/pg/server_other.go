//go:build unix && !linux

package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// identities are the ways to run the server: root becomes an ordinary user, everybody else stays.
func identities() []identity {
	if os.Geteuid() == 0 {
		return users()
	}
	return []identity{{name: "this user", uid: os.Geteuid(), gid: os.Getegid()}}
}

// attributes keeps the terminal's Ctrl-C from the server: the services must finish first.
func (id identity) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if id.foreign {
		attr.Credential = &syscall.Credential{Uid: uint32(id.uid), Gid: uint32(id.gid)}
	}
	return attr
}

// clearLeftovers ends a server that outlived the process which started it: there is no parent-death signal here. That it
// answers on this folder's own socket proves whose it is. The caller holds the folder's lock.
func clearLeftovers(ctx context.Context, data, sock string) error {
	pid := postmaster(data)
	if pid <= 0 {
		return nil
	}
	s := &Server{sock: sock}
	dial, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := pgx.Connect(dial, s.dsn("postgres"))
	if err != nil {
		return nil // ended, or ending: PostgreSQL's own check decides
	}
	_ = conn.Close(dial)
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the server that was left behind (process %d): %w", pid, err)
	}
	if waitFor(ctx, 20*time.Second, func() bool { return postmaster(data) == 0 }) != nil {
		return fmt.Errorf("process %d still works in it: %w", pid, ErrInUse)
	}
	return nil
}
