//go:build unix

package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/secrets"
)

// outside runs this very binary as `baixa up`, with a clean environment.
func (e *Env) outside(ctx context.Context, dsn string) (up running, err error) {
	binary, err := os.Executable()
	if err != nil {
		return up, fmt.Errorf("find this program: %w", err)
	}
	data := secrets.Folder(filepath.Join(e.Dir, "baixa"))
	cmd := exec.Command(binary, "up", "--data", string(data), "--dsn", dsn, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--log-level", "warn")
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "BAIXA_") && !strings.HasPrefix(pair, "OTEL_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's interrupt is ours to pass on, in order
	out, err := cmd.StderrPipe()
	if err != nil {
		return up, fmt.Errorf("start baixa up: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return up, fmt.Errorf("start baixa up: %w", err)
	}
	ended := make(chan error, 1)
	e.pid, up.ended = cmd.Process.Pid, ended
	e.Defer(func() error { return end(cmd, ended) })
	found := make(chan [2]string, 1)
	go func() {
		addresses(out, e.Progress, found)
		err := cmd.Wait()
		ended <- err
		close(ended)
	}()
	select {
	case a := <-found:
		up.url, up.grpc = a[0], a[1]
	case err := <-ended:
		return up, fmt.Errorf("baixa up ended: %w", errors.Join(err, errors.New("before it was up")))
	case <-ctx.Done():
		return up, ctx.Err()
	}
	up.key, err = data.OperatorKey()
	return up, err
}

// addresses reads where the system answers from what it prints, and passes the rest on until there is no more.
func addresses(out io.Reader, rest io.Writer, found chan<- [2]string) {
	var a [2]string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case a[1] != "":
			if strings.Contains(lines.Text(), "level=") || strings.Contains(lines.Text(), "WARN") || strings.Contains(lines.Text(), "ERROR") {
				fmt.Fprintln(rest, lines.Text())
			}
		case len(f) >= 4 && f[0] == "API":
			a[0] = f[3]
		case len(f) == 2 && f[0] == "gRPC":
			a[1] = f[1]
			found <- a
		}
	}
	_, _ = io.Copy(io.Discard, out) // a line too long to be read must not stop it
}

func end(cmd *exec.Cmd, ended <-chan error) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop baixa up: %w", err)
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(40 * time.Second):
		return errors.Join(errors.New("baixa up did not stop within 40 s"), cmd.Process.Kill())
	}
}
