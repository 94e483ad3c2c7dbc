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

// Main runs the group like Run and stops it gracefully on the first SIGINT or SIGTERM; a second one makes it return
// ErrForced without waiting any longer. Only the outermost group of a process is run by Main.
func Main(ctx context.Context, g *Group) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return watchSignals(ctx, g, signals)
}

func watchSignals(ctx context.Context, g *Group, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if g.Log == nil {
		g.Log = slog.Default()
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
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
