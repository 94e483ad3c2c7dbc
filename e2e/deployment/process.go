package deployment

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one child that may live several times.
type process struct {
	name string
	args []string
	env  []string // beside ours

	mu      sync.Mutex
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
	wanted  bool          // its end is our wish
	printed output
}

// output is what a child printed in all its lives.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write never fails.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// environment is ours without what would configure a Baixa, and without telemetry that leaves the machine.
func environment(add ...string) []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "BAIXA_") && !strings.HasPrefix(pair, "OTEL_") {
			env = append(env, pair)
		}
	}
	return append(env, add...)
}

// start starts the child again; a running one is left alone.
func (p *process) start(t testing.TB, binary string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return
	}
	cmd := exec.Command(binary, p.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(p.env...), &p.printed, &p.printed
	cmd.SysProcAttr = attributes()
	started, done := make(chan error, 1), make(chan struct{})
	go func() { // the kernel kills the child with the thread that started it: this one lives as long as the child
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the state is in cmd
			close(done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	p.cmd, p.done, p.wanted = cmd, done, false
}

func (p *process) running() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ended is a channel that is closed when this life is over, nil before the first.
func (p *process) ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// kill ends it at once.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return
	}
	p.wanted = true
	_ = p.cmd.Process.Kill() // it may have ended meanwhile
	<-p.done
}

// stop asks it to end; the error says how it ended otherwise than well.
func (p *process) stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return p.strange()
	}
	p.wanted = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended meanwhile
	select {
	case <-p.done:
	case <-time.After(stopLimit):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not stop within %v", p.name, stopLimit)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with code %d when it was asked to stop", p.name, code)
	}
	return nil
}

// strange is an error when it ended by itself.
func (p *process) strange() error {
	if p.done == nil || p.wanted || p.running() {
		return nil
	}
	return fmt.Errorf("%s ended by itself: %v", p.name, p.cmd.ProcessState)
}
