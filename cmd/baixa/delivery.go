package main

import (
	"context"

	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/services/delivery"
)

type deliveryCmd struct {
	serviceFlags
	delivery.Config `envprefix:"BAIXA_DELIVERY_"`
	HTTP            string `env:"BAIXA_HTTP" required:"" help:"Address of the delivery pages, such as 127.0.0.1:8081." placeholder:"ADDRESS"`
}

func (c deliveryCmd) Run(ctx context.Context) error {
	return c.run(ctx, "delivery", func(ctx context.Context, o opened) (run.Part, error) {
		web, err := listen("http", c.HTTP)
		if err != nil {
			return nil, err
		}
		if !c.NoMigrate {
			if err := delivery.Migrate(ctx, c.DSN); err != nil {
				return nil, err
			}
		}
		s, err := delivery.New(ctx, c.Config, delivery.Deps{Listener: o.listener, HTTP: web, Signer: o.signer, Sealer: o.sealer, TLS: o.tls, Insecure: o.insecure})
		if err != nil {
			return nil, err
		}
		return s.Run, nil
	})
}
