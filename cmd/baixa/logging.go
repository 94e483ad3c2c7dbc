package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/baixapay/baixa/internal/telemetry"
)

// logFlags are for commands that run until they are stopped.
type logFlags struct {
	LogFormat string `env:"BAIXA_LOG_FORMAT" default:"auto" enum:"auto,text,json" help:"auto, text or json; auto is text on a terminal."`
	LogLevel  string `env:"BAIXA_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
}

// observed is a process's telemetry with its end.
type observed struct{ *telemetry.Telemetry }

func (f logFlags) setUp(ctx context.Context, service string) (observed, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return observed{}, err
	}
	t, err := telemetry.Setup(ctx, telemetry.Config{Service: service, Version: version, LogFormat: f.LogFormat, LogLevel: level})
	return observed{t}, err
}

func (o observed) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := o.Shutdown(ctx); err != nil {
		slog.Debug("telemetry not flushed", slog.Any("error", err))
	}
}
