package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/baixapay/baixa/services/gateways"
)

type gatewayCmd struct {
	Try   tryCmd   `cmd:"" help:"Ask a provider about one charge, without a database."`
	Parse parseCmd `cmd:"" help:"Read one webhook body from standard input, without a database."`
}

type tryCmd struct {
	Provider   string        `arg:"" help:"Name or alias of the provider."`
	Ref        string        `arg:"" help:"Identifier of the charge."`
	BaseURL    string        `help:"Address instead of the provider's own." placeholder:"URL"`
	SecretFile string        `help:"File with the provider's secret, or with a line name=value for each when it has several." type:"existingfile" placeholder:"FILE"`
	IDKind     string        `help:"What the identifier is: hash, id or reference. Default: the one that the provider takes first." placeholder:"KIND"`
	Timeout    time.Duration `default:"15s" help:"How long to wait."`
	JSON       bool          `help:"Print one JSON object."`
}

// Run asks; the exit code is 0 whenever there was an outcome.
func (c tryCmd) Run(ctx context.Context) error {
	t := gateways.Trial{Provider: c.Provider, BaseURL: c.BaseURL, Kind: c.IDKind, Identifier: c.Ref, Timeout: c.Timeout}
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
	return printFinding(f, c.JSON)
}

type parseCmd struct {
	Provider    string            `arg:"" help:"Name or alias of the provider."`
	ContentType string            `help:"Content-Type as the provider sent it." placeholder:"TYPE"`
	Header      map[string]string `help:"Headers that came with it." placeholder:"NAME=VALUE"`
	JSON        bool              `help:"Print one JSON object."`
}

// Run reads standard input; the exit code is 0 whenever there was an outcome.
func (c parseCmd) Run() error {
	body, err := io.ReadAll(io.LimitReader(os.Stdin, 16<<20))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	f, err := gateways.Parse(c.Provider, c.ContentType, c.Header, body)
	if err != nil {
		return err
	}
	return printFinding(f, c.JSON)
}

func printFinding(f gateways.Finding, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(f)
	}
	for _, call := range f.Calls {
		fmt.Printf("> %s %s\n", call.Method, call.URL)
		if call.Request != "" {
			fmt.Printf("> %s\n", call.Request)
		}
		fmt.Printf("< HTTP %d %s\n\n", call.HTTPStatus, call.Answer)
	}
	for i, one := range append([]gateways.Finding{f}, f.More...) {
		if i > 0 {
			fmt.Println()
		}
		printOne(one)
	}
	return nil
}

func printOne(f gateways.Finding) {
	fmt.Printf("outcome      %s\nstatus       %s   (%q there)\n", f.Outcome, f.Status, f.ProviderStatus)
	if f.AmountCentavos != nil {
		fmt.Printf("amount       %d centavos\n", *f.AmountCentavos)
	}
	for _, kind := range []string{"hash", "id", "reference"} {
		if f.Identifiers[kind] != "" {
			fmt.Printf("%-12s %s\n", kind, f.Identifiers[kind])
		}
	}
	if f.PaidAt != nil {
		fmt.Printf("paid at      %s\n", f.PaidAt.Format(time.RFC3339))
	}
	if f.RetryAfterSeconds != nil {
		fmt.Printf("retry after  %gs\n", *f.RetryAfterSeconds)
	}
	if f.Reason != "" {
		fmt.Printf("why          %s\n", f.Reason)
	}
}
