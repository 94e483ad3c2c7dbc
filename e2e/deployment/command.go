package deployment

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"
)

// Command is how a command ended.
type Command struct {
	Code           int
	Stdout, Stderr string
}

const commandLimit = 10 * time.Minute // the demonstration settles 200 sales at the providers' real pace

// Run runs the program under test with arguments and, beside our own environment, add (NAME=value). It fails the test when the
// command does not end within ten minutes.
func Run(t testing.TB, add []string, args ...string) Command {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(add...), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("baixa %q: %v, %v\n%s%s", args, err, ctx.Err(), &stdout, &stderr)
	}
	return Command{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// Running is a command that goes on until its test ends.
type Running struct{ p *process }

// Output is what it printed so far.
func (r Running) Output() string { return r.p.printed.String() }

// BackgroundAs is Background with more environment, for a command that may end by itself with any code.
func BackgroundAs(t testing.TB, add []string, args ...string) Running {
	t.Helper()
	p := &process{name: "baixa " + args[0], args: args, env: add}
	p.start(t, Binary(t))
	t.Cleanup(func() { _ = p.stop() }) // ended before, mostly
	return Running{p}
}

// Background starts a command; it is stopped with the test, which fails when that does not end well.
func Background(t testing.TB, args ...string) Running {
	t.Helper()
	p := &process{name: "baixa " + args[0], args: args}
	p.start(t, Binary(t))
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	return Running{p}
}
