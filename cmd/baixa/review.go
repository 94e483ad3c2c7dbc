package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/reviews"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type reviewCmd struct {
	client.Flags
	Decision string `arg:"" enum:"list,accept,refuse" help:"list: the sales that wait for a person; accept: the money is right, deliver; refuse: close without delivery."`
	Sale     string `arg:"" optional:"" help:"Any id of the sale."`
	Note     string `help:"Why; kept in the sale's history. Required to accept or refuse."`
	Lang     string `env:"BAIXA_LANG" default:"pt-BR" enum:"pt-BR,en" help:"pt-BR or en."`
}

// Run lists what waits for a person, or decides one.
func (c reviewCmd) Run(ctx context.Context) error {
	if c.Decision != "list" && (c.Sale == "" || strings.TrimSpace(c.Note) == "") {
		return errors.New("accept and refuse need a sale and --note with the reason")
	}
	if c.Decision == "list" && c.Sale != "" {
		return errors.New("list takes no sale; `baixa explain` tells about one")
	}
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.Decision == "list" {
		return c.list(ctx, cl)
	}
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

func (c reviewCmd) list(ctx context.Context, cl *client.Client) error {
	var open []*paymentsv1.Payment
	for page := ""; ; {
		r, err := cl.Payments.ListPayments(ctx, &paymentsv1.ListPaymentsRequest{Stuck: true, PageSize: 500, PageToken: page})
		if err != nil {
			return client.Explain(err, c.Address)
		}
		for _, p := range r.GetPayments() {
			if reviews.Open(p) {
				open = append(open, p)
			}
		}
		if page = r.GetNextPageToken(); page == "" {
			return reviews.Write(os.Stdout, open, c.Lang)
		}
	}
}
