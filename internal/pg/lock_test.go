//go:build unix

package pg

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// held is a folder whose lock somebody has, in which pid is written.
func held(t *testing.T, pid int) (dir string, lock *os.File) {
	t.Helper()
	dir = t.TempDir()
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err == nil {
		_, err = lock.WriteString(strconv.Itoa(pid) + "\n")
	}
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	return dir, lock
}

func TestLockDir_anothersIsRefusedAtOnce(t *testing.T) {
	gone := exec.Command(os.Args[0], "-test.run", "^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pid    int
		waited time.Duration
	}{
		"one that lives": {os.Getppid(), 0},
		"ours":           {os.Getpid(), time.Second},
		"the dead's":     {gone.Process.Pid, time.Second},
	} {
		dir, _ := held(t, c.pid)
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, err := lockDir(dir)
			if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "process "+strconv.Itoa(c.pid)+" ") {
				t.Errorf("%s: %v, want ErrInUse that names the process", name, err)
			}
			if waited := time.Since(start); waited != c.waited {
				t.Errorf("%s: refused after %s, want %s", name, waited, c.waited)
			}
		})
	}
}

func TestLockDir_waitsForAChildThatIsBeingStarted(t *testing.T) {
	dir, lock := held(t, os.Getpid())
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(100*time.Millisecond, func() { lock.Close() })
		f, err := lockDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if lockHolder(f) != os.Getpid() {
			t.Error("the lock does not name us")
		}
	})
}
