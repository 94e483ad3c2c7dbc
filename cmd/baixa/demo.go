package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

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

func (c demoCmd) Run(ctx context.Context) (err error) {
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
	d, err := demo.Start(ctx, demo.Options{Data: c.Data, DSN: c.DSN, HTTP: c.HTTP, GRPC: c.GRPC, Version: version})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	started := time.Now()
	report, err := d.Import(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(words, "%d vendas importadas, nenhum webhook. / %d sales imported, no webhook.\n", report.Rows, report.Rows)
	bar := demo.NewBar(words)
	result, err := d.Settle(ctx, started, report.Rows, bar.Set)
	bar.Done()
	if err != nil {
		return err
	}
	if err := result.Write(words); err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
			return err
		}
	}
	if c.Once {
		return nil
	}
	d.Tour(words)
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.Ended():
		return err
	}
}
