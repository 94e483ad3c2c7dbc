package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/accesses"
	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
)

type accessCmd struct {
	List    accessListCmd    `cmd:"" help:"List who is in, who was, and what is wrong."`
	Extend  accessExtendCmd  `cmd:"" help:"Move the end of an active access to a later time."`
	Revoke  accessRevokeCmd  `cmd:"" help:"End an access now: the buyer leaves the group."`
	Restore accessRestoreCmd `cmd:"" help:"Give a revoked access back with the time that was left."`
}

type accessFlags struct {
	client.Flags
	Merchant string `help:"The merchant; only an operator's key needs it." placeholder:"ID"`
}

// do opens the client for one command.
func (f accessFlags) do(call func(d accesses.Desk) error) error {
	cl, err := f.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	return client.Explain(call(accesses.Desk{Accesses: cl.Accesses, Merchant: f.Merchant, Out: os.Stdout}), f.Address)
}

type accessListCmd struct {
	accessFlags
	State string `enum:"pending,active,expired,removed,cancelled,error," default:"" help:"Only these: pending, active, expired, removed, cancelled or error."`
	Group int64  `help:"Only this group's, such as --group=-1001234567890." placeholder:"ID"`
	Buyer int64  `help:"Only this Telegram account's." placeholder:"ID"`
	Limit int    `default:"50" help:"How many, 1 to 100000."`
}

// Run lists accesses.
func (c accessListCmd) Run(ctx context.Context) error {
	if c.Limit < 1 || c.Limit > 100_000 {
		return fmt.Errorf("--limit: expected a number from 1 to 100000, got %d", c.Limit)
	}
	return c.do(func(d accesses.Desk) error {
		return d.List(ctx, &notifierv1.ListAccessesRequest{State: accesses.States[c.State], ChatId: c.Group, UserId: c.Buyer}, c.Limit)
	})
}

type accessExtendCmd struct {
	accessFlags
	ID    string `arg:"" help:"The access."`
	Until string `arg:"" help:"The new end, such as 2027-01-31T23:59:00-03:00."`
}

// Run extends an access.
func (c accessExtendCmd) Run(ctx context.Context) error {
	until, err := time.Parse(time.RFC3339, c.Until)
	if err != nil {
		return fmt.Errorf("<until>: expected a time such as 2027-01-31T23:59:00-03:00, got %q", c.Until)
	}
	return c.do(func(d accesses.Desk) error { return d.Extend(ctx, c.ID, until) })
}

type accessRevokeCmd struct {
	accessFlags
	ID string `arg:"" help:"The access."`
}

// Run ends an access.
func (c accessRevokeCmd) Run(ctx context.Context) error {
	return c.do(func(d accesses.Desk) error { return d.Revoke(ctx, c.ID) })
}

type accessRestoreCmd struct {
	accessFlags
	ID string `arg:"" help:"The access."`
}

// Run gives an access back.
func (c accessRestoreCmd) Run(ctx context.Context) error {
	return c.do(func(d accesses.Desk) error { return d.Restore(ctx, c.ID) })
}
