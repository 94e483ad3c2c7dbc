//go:build unix

package pg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxSocketPath is the room for a socket's path on every system we know (108 on Linux, 104 on macOS, with the end mark).
const maxSocketPath = 103

// identity is under whom the server runs.
type identity struct {
	name     string
	uid, gid int  // of the files that the server must own
	foreign  bool // another user than ours: folders are handed over
	isolated bool // in a user namespace of its own (Linux)
}

// users are whom root may become, in order. PostgreSQL refuses to run as root.
func users() []identity {
	var ids []identity
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 != nil || err2 != nil || uid == 0 {
			continue
		}
		ids = append(ids, identity{name: "user " + name, uid: uid, gid: gid, foreign: true})
	}
	return ids
}

func (id identity) explain(err error) error {
	if id.foreign && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s may not enter the folder: choose one outside of root's home, such as under /var/lib: %w", id.name, err)
	}
	return err
}

// enter opens the way into dir: a foreign user must be able to pass it, not to list it.
func (id identity) enter(dir string) error {
	if !id.foreign {
		return nil
	}
	return os.Chmod(dir, 0o711)
}

// own gives a tree to the server's user when it is not its own yet (the folder may have served under another identity).
func (id identity) own(tree string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Lstat(tree)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) == id.uid {
		return nil
	}
	// The root of the tree last: it marks that everything below is done.
	var all []string
	err = filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	for i := len(all) - 1; i >= 0 && err == nil; i-- {
		err = os.Lchown(all[i], id.uid, id.gid)
	}
	if err != nil {
		return fmt.Errorf("hand %s to %s: %w", tree, id.name, err)
	}
	return nil
}

// plainPath holds nothing that DSNs or the server's list of socket folders read as more than a letter.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// socketDir is dir/sock, or a folder in /tmp named after dir when that path is too long for a socket or not plain.
func (s *Server) socketDir() string {
	inside := filepath.Join(s.dir, "sock")
	if len(inside)+len("/.s.PGSQL.")+len(socketPort) <= maxSocketPath && plainPath.MatchString(inside) {
		return inside
	}
	sum := sha256.Sum256([]byte(s.dir))
	return filepath.Join("/tmp", "baixa-"+hex.EncodeToString(sum[:8]))
}

// prepareSocketDir makes the folder that only its owner enters. In a folder that all may write to, somebody else may have
// made it before us: then its owner would read our traffic.
func prepareSocketDir(sock string, id identity) error {
	if err := os.Mkdir(sock, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make socket folder: %w", err)
	}
	info, err := os.Lstat(sock)
	if err != nil {
		return fmt.Errorf("make socket folder: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || (int(stat.Uid) != os.Geteuid() && os.Geteuid() != 0) {
		return fmt.Errorf("socket folder %s belongs to somebody else", sock)
	}
	if err := id.own(sock); err != nil {
		return err
	}
	return os.Chmod(sock, 0o700)
}

// lockDir takes the folder for this process. The kernel gives the lock back however the process ends; the server does not
// inherit it. A folder of another process that lives is refused at once. A lock that we or the dead gave back is waited for: a child
// that is just being started has a copy of it, between its fork and its exec.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if holder := lockHolder(f); tries == 50 || holder != os.Getpid() && alive(holder) {
			f.Close()
			return nil, fmt.Errorf("process %d runs a server on it, stop it or choose another folder: %w", holder, ErrInUse)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, fmt.Errorf("write %s: %w", f.Name(), err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return f, nil
}

// lockHolder is the process that wrote its id into the lock, 0 when none has.
func lockHolder(f *os.File) int {
	text := make([]byte, 32)
	n, _ := f.ReadAt(text, 0) // to its end
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	return pid
}

func alive(pid int) bool {
	return pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// postmaster reads the process id from the data folder's lock file, 0 when there is none.
func postmaster(data string) int {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(first))
	return pid
}
