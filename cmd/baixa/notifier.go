package main

import (
	"context"

	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/services/notifier"
)

type notifierCmd struct {
	serviceFlags
	notifier.Config `envprefix:"BAIXA_NOTIFIER_"`
	HTTP            string `env:"BAIXA_HTTP" required:"" help:"Address of the sockets, such as 127.0.0.1:8082." placeholder:"ADDRESS"`
}

func (c notifierCmd) Run(ctx context.Context) error {
	return c.run(ctx, "notifier", func(ctx context.Context, o opened) (run.Part, error) {
		web, err := listen("http", c.HTTP)
		if err != nil {
			return nil, err
		}
		if !c.NoMigrate {
			if err := notifier.Migrate(ctx, c.DSN); err != nil {
				return nil, err
			}
		}
		s, err := notifier.New(ctx, c.Config, notifier.Deps{Listener: o.listener, HTTP: web, Signer: o.signer, Sealer: o.sealer, TLS: o.tls, Insecure: o.insecure})
		if err != nil {
			return nil, err
		}
		return s.Run, nil
	})
}
