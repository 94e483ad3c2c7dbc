// Baixa settles every PIX sale, even when the webhook never comes. One binary holds all services and tools; `baixa help` lists them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/baixapay/baixa/internal/config"
	"github.com/baixapay/baixa/internal/run"
)

type cli struct {
	Config config.File `env:"BAIXA_CONFIG" help:"YAML file with settings; flags and environment go before it." placeholder:"FILE"`

	Up       upCmd       `cmd:"" help:"Everything in one process, with a PostgreSQL of its own when none is given."`
	Demo     demoCmd     `cmd:"" help:"The whole system with simulators: 43 paid sales that no webhook announced settle by themselves."`
	Payments paymentsCmd `cmd:"" help:"The payments service alone."`
	Gateways gatewaysCmd `cmd:"" help:"The gateways service alone."`
	Delivery deliveryCmd `cmd:"" help:"The delivery service alone."`
	Notifier notifierCmd `cmd:"" help:"The notifier service alone."`
	Gateway  gatewayCmd  `cmd:"" help:"Try a provider's adapter by hand."`
	Migrate  migrateCmd  `cmd:"" help:"Bring a database to this version and exit."`
	Keyset   keysetCmd   `cmd:"" help:"Write a new keyset and service key for separate services."`
	Explain  explainCmd  `cmd:"" help:"Tell the story of a sale, found by any id."`
	Doctor   doctorCmd   `cmd:"" help:"Say what is wrong and what to do; exit 1 when something is."`
	Backfill backfillCmd `cmd:"" help:"Ask again about exactly the sales that a time of trouble touched."`
	Trust    trustCmd    `cmd:"" help:"What the webhooks of each account are worth, by its own history."`
	Recheck  recheckCmd  `cmd:"" help:"Look at a sale now."`
	Review   reviewCmd   `cmd:"" help:"List, accept or refuse sales that wait for a person."`
	Endpoint endpointCmd `cmd:"" help:"Webhooks to your own systems: make endpoints, test them, send again."`
	Access   accessCmd   `cmd:"" help:"Memberships of Telegram groups that were sold: list, extend, revoke, restore."`
	Resend   resendCmd   `cmd:"" help:"Send a buyer's link again, or a new one, and print it."`
	Notify   notifyCmd   `cmd:"" help:"Try what tells owners."`
	Import   importCmd   `cmd:"" help:"Take over sales from another system."`
	Bench    benchCmd    `cmd:"" help:"Measure: throughput, latency, memory; each against its baseline and goal."`
	Sim      simCmd      `cmd:"" help:"The simulators of providers, Telegram and Meta alone."`
	Version  versionCmd  `cmd:"" help:"Print the version."`

	// What a provider says of the same sales.
	Reconcile reconcileCmd `cmd:"" help:"Compare a provider's statement with what is known here; exit 1 when something differs."`

	// What is true, and how it is decided.
	Merchant   merchantCmd   `cmd:"" help:"List merchants; set a merchant's part of the looks (operators)."`
	Policy     policyCmd     `cmd:"" help:"Show and change how sales are decided and how often providers are asked."`
	Prove      proveCmd      `cmd:"" help:"Read the whole history and prove that everything follows from it; exit 1 when not."`
	Statistics statisticsCmd `cmd:"" help:"Show, prove and rebuild the statistics; set commissions."`
	Webhook    webhookCmd    `cmd:"" help:"List what providers posted, and read it again."`
}

func main() {
	os.Exit(start(os.Args[1:]))
}

func start(args []string) int {
	var c cli
	k, err := config.Parse(&c, args, config.Options{Name: "baixa", EnvPrefix: "BAIXA_",
		Description: "Settles every PIX sale, even when the webhook never comes."})
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		fmt.Fprintf(os.Stderr, "baixa: %v\n`baixa %s --help` lists what there is\n", err, parse.Context.Command())
		return 2
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "baixa: %v\n", err)
		return 2
	}
	k.BindTo(context.Background(), (*context.Context)(nil))
	err = k.Run()
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, run.ErrForced):
		return 130
	}
	fmt.Fprintf(os.Stderr, "baixa: %v\n", err)
	return 1
}

// exitCode ends the program with a code and nothing more to say.
type exitCode int

func (exitCode) Error() string { return "" }
