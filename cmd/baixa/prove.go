package main

import (
	"context"
	"encoding/json"
	"io"
	"os"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/proof"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type proveCmd struct {
	client.Flags
	Merchant   string `help:"Only this merchant's sales." placeholder:"ID"`
	SkipLeaves bool   `help:"Do not ask delivery and notifier."`
	Limit      int32  `default:"20" help:"Most counter-examples of each kind; all are counted."`
	JSON       bool   `help:"Print one JSON object."`
}

// Run proves the history; exit code 1 when something contradicts it.
func (c proveCmd) Run(ctx context.Context) error {
	return c.prove(ctx, func(string) bool { return true })
}

func (c proveCmd) prove(ctx context.Context, only func(kind string) bool) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	stream, err := cl.Proof.Prove(ctx, &paymentsv1.ProveRequest{MerchantId: c.Merchant, SkipLeaves: c.SkipLeaves, Limit: c.Limit})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	var progress io.Writer
	if !c.JSON && terminal(os.Stderr) {
		progress = os.Stderr
	}
	r, err := proof.Read(stream, only, progress)
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(r)
	} else {
		err = proof.Write(os.Stdout, r)
	}
	if err == nil && !r.Proved {
		return exitCode(1)
	}
	return err
}
