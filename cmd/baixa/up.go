package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/secrets"
	"github.com/baixapay/baixa/cmd/baixa/internal/stack"
	"github.com/baixapay/baixa/internal/config"
	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/services/payments"
)

type upCmd struct {
	logFlags
	Data           secrets.Folder `env:"BAIXA_DATA" help:"Folder for secrets and, without a DSN, the database." placeholder:"FOLDER"`
	DSN            string         `env:"BAIXA_DSN" help:"PostgreSQL to use instead of one of our own: postgres://…" placeholder:"DSN"`
	HTTP           string         `env:"BAIXA_HTTP" default:"127.0.0.1:8080" help:"Address of the API, webhooks, pages and sockets."`
	GRPC           string         `env:"BAIXA_GRPC" default:"127.0.0.1:7001" help:"Address of gRPC for API keys; loopback only."`
	PublicURL      string         `env:"BAIXA_PUBLIC_URL" help:"Where buyers and providers reach the HTTP address, https://…" placeholder:"URL"`
	TrustedProxies []string       `env:"BAIXA_TRUSTED_PROXIES" help:"Proxies whose forwarding headers are believed." placeholder:"CIDR"`
	Providers      string         `env:"BAIXA_PROVIDERS" help:"Folder of further payment providers, one YAML file each." placeholder:"FOLDER"`
	PixelScript    string         `env:"BAIXA_PIXEL_SCRIPT" help:"Program of Meta's pixel in delivery pages, for simulators." placeholder:"URL"`
	WebhookHeaders []string       `env:"BAIXA_WEBHOOK_HEADERS" help:"Headers of webhooks to keep besides the usual ones and those that accounts name for their secrets." placeholder:"NAME"`
	KeepWebhooks   time.Duration  `env:"BAIXA_KEEP_WEBHOOKS" default:"720h" help:"How long webhooks' sealed bytes are kept to be read again, at least 24h; 0s is for ever."`
	ParkFor        time.Duration  `env:"BAIXA_PARK_FOR" default:"720h" help:"How long a webhook waits for a sale with its identifiers, at least 1h; 0s is for ever."`
	KeepClicks     time.Duration  `env:"BAIXA_KEEP_CLICKS" default:"2160h" help:"How long clicks are kept that no sale was made with, at least 24h; 0s is for ever."`
}

// Check implements config.Checker.
func (c *upCmd) Check(r *config.Report) {
	payments.CheckTimes(r, &c.KeepWebhooks, &c.ParkFor, &c.KeepClicks)
}

func (c upCmd) Run(ctx context.Context) error {
	tel, err := c.setUp(ctx, "baixa")
	if err != nil {
		return err
	}
	defer tel.end()
	if c.Data == "" {
		if c.Data, err = secrets.Default(); err != nil {
			return err
		}
	}
	defer run.Thrift(ctx, run.ThriftLimit)()
	return run.Main(ctx, "baixa", func(ctx context.Context) (run.Part, error) {
		s, err := stack.Start(ctx, stack.Config{Data: c.Data, DSN: c.DSN, HTTP: c.HTTP, GRPC: c.GRPC, PublicURL: c.PublicURL,
			TrustedProxies: c.TrustedProxies, WebhookHeaders: c.WebhookHeaders, KeepWebhooks: c.KeepWebhooks, ParkFor: c.ParkFor, KeepClicks: c.KeepClicks, PixelScript: c.PixelScript, Providers: c.Providers, Version: version, Metrics: tel.Metrics})
		if err != nil {
			return nil, err
		}
		c.welcome(s)
		return s.Run, nil
	})
}

func (c upCmd) welcome(s *stack.Stack) {
	database := c.DSN
	if database == "" {
		database = "private PostgreSQL in " + c.Data.Postgres()
	} else {
		database = "the PostgreSQL that was given"
	}
	fmt.Fprintf(os.Stderr, `Baixa está de pé. / Baixa is up.

  API e webhooks   %s   (/docs)
  gRPC             %s
  dados / data     %s   (%s)
`, s.URL, s.GRPC, c.Data, database)
	if s.NewKey {
		fmt.Fprintf(os.Stderr, `
  Chave do operador, mostrada só agora / operator's key, shown only now:
  %s
  (comandos nesta máquina a leem de %s)
`, s.OperatorKey, c.Data.OperatorKeyFile())
	}
	fmt.Fprintln(os.Stderr)
}
