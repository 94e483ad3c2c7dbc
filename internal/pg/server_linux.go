package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// namespaceID is whom the server believes to be inside its user namespace; outside it is our own user.
const namespaceID = 1000

// identities are the ways to run the server, best first. Root maps itself to an ordinary user in a new user namespace: no
// file changes hands, and it works below root's home. Where that is not allowed (containers without CAP_SYS_ADMIN), an
// ordinary user of the machine runs it.
func identities() []identity {
	self := identity{name: "this user", uid: os.Geteuid(), gid: os.Getegid()}
	if os.Geteuid() != 0 {
		return []identity{self}
	}
	self.name, self.isolated = "user namespace", true
	return append([]identity{self}, users()...)
}

// attributes asks the kernel for a fast shutdown of the child when we die, and keeps the terminal's Ctrl-C from it: the
// services must finish first.
func (id identity) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT, Setpgid: true}
	switch {
	case id.isolated:
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: namespaceID, HostID: id.uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: namespaceID, HostID: id.gid, Size: 1}}
		attr.GidMappingsEnableSetgroups = false
	case id.foreign:
		attr.Credential = &syscall.Credential{Uid: uint32(id.uid), Gid: uint32(id.gid)}
	}
	return attr
}

// clearLeftovers makes data free of whatever a killed process left: its server is about to end (the kernel told it to),
// or lost its parent in another way, or is long gone and only its lock file remains, perhaps naming a process id that
// somebody else has today. A server works inside its data folder, which tells its processes from all others. The caller
// holds the folder's lock.
func clearLeftovers(ctx context.Context, data, _ string) error {
	gone := func() bool { return len(inside(data)) == 0 }
	if waitFor(ctx, 5*time.Second, gone) != nil {
		if pid := postmaster(data); pid > 0 && slices.Contains(inside(data), pid) {
			if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end the server that was left behind (process %d): %w", pid, err)
			}
		}
		if waitFor(ctx, time.Minute, gone) != nil {
			return fmt.Errorf("processes %v still work in it: %w", inside(data), ErrInUse)
		}
	}
	// Nobody is inside, so the lock file is stale whatever process id it names.
	if err := os.Remove(filepath.Join(data, "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove stale lock file: %w", err)
	}
	return nil
}

// inside lists the processes whose working directory is dir.
func inside(dir string) []int {
	here, err := os.Stat(dir)
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		there, err := os.Stat(filepath.Join("/proc", e.Name(), "cwd"))
		if err == nil && os.SameFile(here, there) {
			pids = append(pids, pid)
		}
	}
	return pids
}
