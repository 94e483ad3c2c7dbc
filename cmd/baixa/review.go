package main

import (
	"context"
	"fmt"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type reviewCmd struct {
	client.Flags
	Decision string `arg:"" enum:"accept,refuse" help:"accept: the money is right, deliver; refuse: close without delivery."`
	Sale     string `arg:"" help:"Any id of the sale."`
	Note     string `required:"" help:"Why; kept in the sale's history."`
}

// Run decides a sale that waits for a person.
func (c reviewCmd) Run(ctx context.Context) error {
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
	decision := paymentsv1.ReviewDecision_REVIEW_DECISION_ACCEPT
	if c.Decision == "refuse" {
		decision = paymentsv1.ReviewDecision_REVIEW_DECISION_REFUSE
	}
	r, err := cl.Payments.ReviewPayment(ctx, &paymentsv1.ReviewPaymentRequest{PaymentId: found.GetPayment().GetId(), Decision: decision, Note: c.Note})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	fmt.Println(r.GetPayment().GetId(), r.GetPayment().GetStatus())
	return nil
}
