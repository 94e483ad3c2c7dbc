package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/finding"
	"github.com/baixapay/baixa/services/gateways"
)

type gatewayCmd struct {
	Try   tryCmd   `cmd:"" help:"Ask a provider about one charge, without a database."`
	Parse parseCmd `cmd:"" help:"Read one webhook body from standard input, without a database."`
}

type tryCmd struct {
	Provider   string        `arg:"" help:"Name or alias of the provider; name@version for a version that does not decide."`
	Ref        string        `arg:"" help:"Identifier of the charge."`
	BaseURL    string        `help:"Address instead of the provider's own." placeholder:"URL"`
	SecretFile string        `help:"File with the provider's secret, or with a line name=value for each when it has several." type:"existingfile" placeholder:"FILE"`
	IDKind     string        `help:"What the identifier is: hash, id or reference. Default: the one that the provider takes first." placeholder:"KIND"`
	Timeout    time.Duration `default:"15s" help:"How long to wait."`
	JSON       bool          `help:"Print one JSON object."`
	Providers  string        `env:"BAIXA_PROVIDERS" help:"Folder of further providers, one YAML file each." type:"existingdir" placeholder:"FOLDER"`
}

// Run asks; the exit code is 0 whenever there was an outcome.
func (c tryCmd) Run(ctx context.Context) error {
	t := gateways.Trial{Provider: c.Provider, BaseURL: c.BaseURL, Kind: c.IDKind, Identifier: c.Ref, Timeout: c.Timeout, Providers: c.Providers}
	if c.SecretFile != "" {
		raw, err := os.ReadFile(c.SecretFile)
		if err != nil {
			return fmt.Errorf("--secret-file: %w", err)
		}
		t.Secrets = string(raw)
	}
	f, err := gateways.Try(ctx, t)
	if err != nil {
		return err
	}
	return finding.Write(os.Stdout, f, c.JSON)
}

type parseCmd struct {
	Provider    string            `arg:"" help:"Name or alias of the provider."`
	ContentType string            `help:"Content-Type as the provider sent it." placeholder:"TYPE"`
	Header      map[string]string `help:"Headers that came with it." placeholder:"NAME=VALUE"`
	JSON        bool              `help:"Print one JSON object."`
	Providers   string            `env:"BAIXA_PROVIDERS" help:"Folder of further providers, one YAML file each." type:"existingdir" placeholder:"FOLDER"`
}

// Run reads standard input; the exit code is 0 whenever there was an outcome.
func (c parseCmd) Run() error {
	body, err := io.ReadAll(io.LimitReader(os.Stdin, 16<<20))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	f, err := gateways.ParseWith(c.Providers, c.Provider, c.ContentType, c.Header, body)
	if err != nil {
		return err
	}
	return finding.Write(os.Stdout, f, c.JSON)
}
