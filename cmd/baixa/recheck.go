package main

import (
	"context"
	"fmt"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type recheckCmd struct {
	client.Flags
	Sale string `arg:"" help:"Any id of the sale."`
}

// Run finds the sale, makes it due and says when it is looked at.
func (c recheckCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	found, err := cl.Payments.ExplainPayment(ctx, &paymentsv1.ExplainPaymentRequest{Query: c.Sale})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	r, err := cl.Payments.RecheckPayment(ctx, &paymentsv1.RecheckPaymentRequest{PaymentId: found.GetPayment().GetId()})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if r.GetNextPollAt() == nil {
		fmt.Println(r.GetPayment().GetId(), "is not looked at any more")
		return nil
	}
	fmt.Println(r.GetPayment().GetId(), "is looked at", r.GetNextPollAt().AsTime().Local().Format(time.DateTime))
	return nil
}
