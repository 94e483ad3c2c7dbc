package main

import (
	"context"
	"fmt"
	"os"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type resendCmd struct {
	client.Flags
	Sale       string `arg:"" help:"Any id of the sale."`
	Regenerate bool   `help:"Make a new link; the one before stops working."`
	LinkOnly   bool   `help:"Only print the link, send the buyer nothing."`
	Key        string `help:"Idempotency key: the same key sends nothing again." placeholder:"TEXT"`
}

// Run finds the sale, orders its link and prints it.
func (c resendCmd) Run(ctx context.Context) error {
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	found, err := cl.Payments.ExplainPayment(ctx, &paymentsv1.ExplainPaymentRequest{Query: c.Sale})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if n := len(found.GetOtherPaymentIds()); n > 0 {
		return fmt.Errorf("%s names %d sales; say which by its own id", c.Sale, n+1)
	}
	r, err := cl.Payments.ResendDelivery(ctx, &paymentsv1.ResendDeliveryRequest{PaymentId: found.GetPayment().GetId(), Regenerate: c.Regenerate,
		LinkOnly: c.LinkOnly, IdempotencyKey: c.Key})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	if r.GetUrl() == "" {
		fmt.Fprintln(os.Stderr, "the delivery service does not answer; the order is carried out when it is back. `baixa resend --link-only` shows the link then")
		return nil
	}
	fmt.Println(r.GetUrl())
	return nil
}
