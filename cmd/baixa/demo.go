package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/baixapay/baixa/cmd/baixa/internal/demo"
	"github.com/baixapay/baixa/cmd/baixa/internal/secrets"
)

type demoCmd struct {
	logFlags
	Data secrets.Folder `help:"Folder to keep; without it a temporary one is used and removed." placeholder:"FOLDER"`
	DSN  string         `env:"BAIXA_DSN" help:"PostgreSQL to use instead of one of our own; empty databases only." placeholder:"DSN"`
	HTTP string         `env:"BAIXA_HTTP" default:"127.0.0.1:8080" help:"Address of the API, webhooks and pages."`
	GRPC string         `env:"BAIXA_GRPC" default:"127.0.0.1:7001" help:"Address of gRPC."`
	Once bool           `help:"Exit when everything has settled; 0 when it did."`
	JSON bool           `help:"Print one JSON object on standard output and nothing else."`
}

func (c demoCmd) Run(ctx context.Context) error {
	if c.LogLevel == "info" { // what happens is told below
		c.LogLevel = "warn"
	}
	tel, err := c.setUp(ctx, "baixa-demo")
	if err != nil {
		return err
	}
	defer tel.end()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if c.Data == "" {
		dir, err := os.MkdirTemp("", "baixa-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		c.Data = secrets.Folder(dir)
	}
	var words io.Writer = os.Stdout
	if c.JSON {
		words = os.Stderr
	}
	return demo.Run(ctx, demo.Options{Data: c.Data, DSN: c.DSN, HTTP: c.HTTP, GRPC: c.GRPC, Version: version, Out: words, Once: c.Once},
		func(r demo.Result) error {
			if !c.JSON {
				return nil
			}
			return json.NewEncoder(os.Stdout).Encode(r)
		})
}
