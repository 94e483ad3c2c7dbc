package main

import (
	"context"
	"fmt"

	"github.com/baixapay/baixa/services/delivery"
	"github.com/baixapay/baixa/services/gateways"
	"github.com/baixapay/baixa/services/notifier"
	"github.com/baixapay/baixa/services/payments"
)

type migrateCmd struct {
	DSN string `env:"BAIXA_DSN" required:"" help:"PostgreSQL, postgres://…; its user owns the schemas." placeholder:"DSN"`
}

// Run migrates all four schemas; a second run changes nothing.
func (c migrateCmd) Run(ctx context.Context) error {
	for _, m := range []struct {
		name    string
		migrate func(context.Context, string) error
	}{{"payments", payments.Migrate}, {"gateways", gateways.Migrate}, {"delivery", delivery.Migrate}, {"notifier", notifier.Migrate}} {
		if err := m.migrate(ctx, c.DSN); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Println(m.name, "is up to date")
	}
	return nil
}
