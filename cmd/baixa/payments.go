package main

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"

	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/services/payments"
)

type paymentsCmd struct {
	serviceFlags
	payments.Config `envprefix:"BAIXA_PAYMENTS_"`
	HTTP            string `env:"BAIXA_HTTP" required:"" help:"Address of the API and webhooks, such as 127.0.0.1:8080." placeholder:"ADDRESS"`
	Gateways        string `env:"BAIXA_GATEWAYS" required:"" help:"gRPC address of the gateways service." placeholder:"ADDRESS"`
	Delivery        string `env:"BAIXA_DELIVERY" required:"" help:"gRPC address of the delivery service." placeholder:"ADDRESS"`
	Notifier        string `env:"BAIXA_NOTIFIER" required:"" help:"gRPC address of the notifier service." placeholder:"ADDRESS"`
	OperatorKeyFile string `env:"BAIXA_OPERATOR_KEY_FILE" help:"Where the first operator's key is written, once." placeholder:"FILE"`
}

func (c paymentsCmd) Run(ctx context.Context) error {
	leaves := map[string]*grpc.ClientConn{}
	defer func() {
		for _, l := range leaves {
			l.Close()
		}
	}()
	return c.run(ctx, "payments", func(ctx context.Context, o opened) (run.Part, error) {
		web, err := listen("http", c.HTTP)
		if err != nil {
			return nil, err
		}
		for flag, target := range map[string]string{"gateways": c.Gateways, "delivery": c.Delivery, "notifier": c.Notifier} {
			if leaves[flag], err = o.dial(target); err != nil {
				return nil, fmt.Errorf("--%s: %w", flag, err)
			}
		}
		if !c.NoMigrate {
			if err := payments.Migrate(ctx, c.DSN); err != nil {
				return nil, err
			}
		}
		c.Version = version
		s, err := payments.New(ctx, c.Config, payments.Deps{Listeners: []net.Listener{o.listener}, HTTP: web, Gateways: leaves["gateways"],
			Delivery: leaves["delivery"], Notifier: leaves["notifier"], Signer: o.signer, Sealer: o.sealer, TLS: o.tls, Insecure: o.insecure})
		if err != nil {
			return nil, err
		}
		if err := c.firstKey(ctx, s); err != nil {
			return nil, err
		}
		return s.Run, nil
	})
}
