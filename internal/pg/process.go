//go:build unix

package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is a child whose life is bound to ours.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended
	err  error         // how it ended; read after done
}

// spawn starts cmd as id. The kernel ties the parent-death signal to the thread that forked, so that thread is kept for
// as long as the child lives: were it handed back, the Go runtime could end it and take the server down.
func spawn(cmd *exec.Cmd, id identity) (*process, error) {
	cmd.SysProcAttr = id.attributes()
	cmd.WaitDelay = 5 * time.Second // children of the child may hold the log pipe open a moment longer
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, id.explain(err)
	}
	return p, nil
}

// stop asks for a fast shutdown; when ctx ends, for an immediate one; and kills what ignores that for 5 s.
func (p *process) stop(ctx context.Context) error {
	if p == nil {
		return nil
	}
	for _, step := range []struct {
		signal os.Signal
		wait   <-chan struct{}
	}{
		{syscall.SIGINT, ctx.Done()},
		{syscall.SIGQUIT, after(5 * time.Second)},
		{syscall.SIGKILL, after(5 * time.Second)},
	} {
		if err := p.cmd.Process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop PostgreSQL: %w", err)
		}
		select {
		case <-p.done:
			return nil
		case <-step.wait:
		}
	}
	return fmt.Errorf("stop PostgreSQL: process %d does not end", p.cmd.Process.Pid)
}

// output runs a short command to its end and returns what it wrote.
func output(ctx context.Context, cmd *exec.Cmd, id identity) (string, error) {
	var text tail
	cmd.Stdout, cmd.Stderr = &text, &text
	p, err := spawn(cmd, id)
	if err != nil {
		return "", err
	}
	select {
	case <-p.done:
		return text.String(), p.err
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-p.done
		return text.String(), ctx.Err()
	}
}

func after(d time.Duration) <-chan struct{} {
	ch := make(chan struct{})
	time.AfterFunc(d, func() { close(ch) })
	return ch
}

// environment keeps what a server needs and drops PG* variables, which would redirect initdb and the server.
func environment(extra ...string) []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH":
			env = append(env, v)
		}
	}
	return append(env, extra...)
}
