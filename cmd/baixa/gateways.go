package main

import (
	"context"

	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/services/gateways"
)

type gatewaysCmd struct {
	serviceFlags
	gateways.Config `envprefix:"BAIXA_GATEWAYS_"`
}

func (c gatewaysCmd) Run(ctx context.Context) error {
	return c.run(ctx, "gateways", func(ctx context.Context, o opened) (run.Part, error) {
		if !c.NoMigrate {
			if err := gateways.Migrate(ctx, c.DSN); err != nil {
				return nil, err
			}
		}
		s, err := gateways.New(ctx, c.Config, gateways.Deps{Listener: o.listener, Signer: o.signer, Sealer: o.sealer, TLS: o.tls, Insecure: o.insecure})
		if err != nil {
			return nil, err
		}
		return s.Run, nil
	})
}
