package run

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// ErrForced is returned by Main when a second signal arrived. Parts may still be running: the process should exit at once,
// by custom with the code 130.
var ErrForced = errors.New("stopped by a second signal before everything had ended")

// Main is a process: start prepares what it serves and returns it, and that runs as the only part of a group. The first SIGINT
// or SIGTERM ends the context of whichever of the two is at work, and what was only being started then ends with nil; a second
// one makes Main return ErrForced without waiting any longer. Only the outermost part of a process is run by Main.
func Main(ctx context.Context, name string, start func(ctx context.Context) (Part, error)) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return watchSignals(ctx, &Group{}, name, start, signals)
}

func watchSignals(ctx context.Context, g *Group, name string, start func(ctx context.Context) (Part, error), signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if g.Log == nil {
		g.Log = slog.Default()
	}
	ended := make(chan error, 1)
	go func() {
		p, err := start(ctx)
		if err != nil {
			if ctx.Err() != nil { // whatever it was in the middle of
				g.Log.InfoContext(ctx, "stopped while it started", slog.String("reason", err.Error()))
				err = nil
			}
			ended <- err
			return
		}
		g.Add(name, p)
		ended <- g.Run(ctx)
	}()
	for asked := false; ; asked = true {
		select {
		case err := <-ended:
			return err
		case s := <-signals:
			if asked {
				g.Log.WarnContext(ctx, "stopping at once", slog.String("signal", s.String()))
				return ErrForced
			}
			g.Log.InfoContext(ctx, "stopping", slog.String("signal", s.String()))
			cancel()
		}
	}
}
