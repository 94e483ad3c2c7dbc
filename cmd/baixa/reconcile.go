package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/reconcile"
	"github.com/baixapay/baixa/cmd/baixa/internal/statement"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/money"
)

type reconcileCmd struct {
	client.Flags
	Statement string            `type:"existingfile" help:"The provider's export of an account, CSV." placeholder:"FILE" xor:"source"`
	Online    bool              `help:"Ask the provider for its list instead, where it has one; needs --account and --from." xor:"source"`
	From      string            `help:"With --online: charges made since, such as 2026-11-20." placeholder:"TIME"`
	To        string            `help:"With --online: charges made before. Default: now." placeholder:"TIME"`
	Provider  string            `required:"" help:"Whose statement it is." placeholder:"NAME"`
	Account   string            `help:"Only sales of this account. Default: all of the provider's." placeholder:"ID"`
	Merchant  string            `help:"Whose sales, by our id. Default: the API key's merchant." placeholder:"ID"`
	Column    map[string]string `help:"Which column is the id, amount, status or at, where the names do not say." placeholder:"KIND=NAME"`
	Centavos  bool              `help:"Amounts are whole centavos."`
	Tolerance string            `default:"0" help:"Amounts that differ by no more agree, in reais such as 0.05." placeholder:"REAIS"`
	Lookback  time.Duration     `default:"720h" help:"How long before the statement's first line a sale may have been made."`
	Format    string            `default:"table" enum:"table,csv,json" help:"table, csv or json."`
	Fix       bool              `help:"Make the sales that differ due now: the provider is asked, and its answer decides. A statement alone changes nothing."`
}

// Run compares. Exit codes: 0 all agree, 1 something differs, 2 the statement cannot be read as a whole.
func (c reconcileCmd) Run(ctx context.Context) error {
	tolerance, err := money.ParseReais(c.Tolerance)
	if err != nil {
		fmt.Fprintln(os.Stderr, "baixa: --tolerance: expected reais such as 0.05")
		return exitCode(2)
	}
	if c.Online == (c.Statement != "") {
		fmt.Fprintln(os.Stderr, "baixa: expected --statement FILE or --online, one of them")
		return exitCode(2)
	}
	var lines []statement.Line
	var problems []statement.Problem
	if !c.Online {
		file, err := os.Open(c.Statement)
		if err != nil {
			return err
		}
		defer file.Close()
		lines, problems, err = statement.Read(file, statement.Options{Columns: c.Column, Centavos: c.Centavos})
		if err != nil {
			fmt.Fprintf(os.Stderr, "baixa: %s: %v\n", c.Statement, err)
			return exitCode(2)
		}
		for _, p := range problems {
			fmt.Fprintf(os.Stderr, "%s: %v\n", c.Statement, p)
		}
	}
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.Online {
		if lines, err = c.list(ctx, cl); err != nil {
			return client.Explain(err, c.Address)
		}
	}
	from, to, timed := reconcile.Span(lines)
	o := reconcile.Options{Tolerance: tolerance}
	if timed {
		o.From, o.To = from, to
	}
	sales, err := c.sales(ctx, cl, from, timed)
	if err != nil {
		return client.Explain(err, c.Address)
	}
	r := reconcile.Compare(lines, sales, o)
	if err := reconcile.Write(os.Stdout, r, c.Format); err != nil {
		return err
	}
	if c.Fix {
		if err := c.fix(ctx, cl, r); err != nil {
			return client.Explain(err, c.Address)
		}
	}
	switch {
	case len(problems) > 0:
		return exitCode(2)
	case len(r.Findings) > 0:
		return exitCode(1)
	}
	return nil
}

// list is the provider's own list, page by page within the account's budget.
func (c reconcileCmd) list(ctx context.Context, cl *client.Client) ([]statement.Line, error) {
	if c.Account == "" || c.From == "" {
		return nil, fmt.Errorf("--online needs --account and --from")
	}
	from, err := moment("--from", c.From)
	if err != nil {
		return nil, err
	}
	req := &gatewaysv1.ListTransactionsRequest{MerchantId: c.Merchant, AccountId: c.Account, CreatedFrom: timestamppb.New(from)}
	if c.To != "" {
		to, err := moment("--to", c.To)
		if err != nil {
			return nil, err
		}
		req.CreatedTo = timestamppb.New(to)
	}
	var lines []statement.Line
	listed := map[string]bool{} // one charge may come on two pages
	for {
		r, err := cl.Gateways.ListTransactions(ctx, req)
		if err != nil {
			return nil, err
		}
		if wait := r.GetRetryAfter().AsDuration(); r.GetOutcome() == gatewaysv1.Outcome_OUTCOME_RATE_LIMITED {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(max(wait, time.Second)):
			}
			continue
		}
		if r.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
			return nil, fmt.Errorf("the provider's list could not be read: %s", r.GetReason())
		}
		for _, t := range r.GetTransactions() {
			if l := reconcile.Listed(len(lines)+1, t); len(l.IDs) > 0 && !listed[l.IDs[0]] {
				listed[l.IDs[0]] = true
				lines = append(lines, l)
			}
		}
		if req.PageToken = r.GetNextPageToken(); req.PageToken == "" {
			return lines, nil
		}
	}
}

// sales are all that the statement may name.
func (c reconcileCmd) sales(ctx context.Context, cl *client.Client, from time.Time, timed bool) (out []*paymentsv1.Payment, err error) {
	req := &paymentsv1.ListPaymentsRequest{MerchantId: c.Merchant, Provider: c.Provider, PageSize: 500}
	if timed {
		req.CreatedFrom = timestamppb.New(from.Add(-c.Lookback))
	}
	for {
		r, err := cl.Payments.ListPayments(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, p := range r.GetPayments() {
			if c.Account == "" || p.GetAccountId() == c.Account {
				out = append(out, p)
			}
		}
		if req.PageToken = r.GetNextPageToken(); req.PageToken == "" {
			return out, nil
		}
	}
}

// fix makes what differs due, each sale once; the ledger decides when the provider has answered.
func (c reconcileCmd) fix(ctx context.Context, cl *client.Client, r reconcile.Result) error {
	asked := map[string]bool{}
	for _, f := range r.Findings {
		if !f.Due() || asked[f.PaymentID] {
			continue
		}
		asked[f.PaymentID] = true
		if _, err := cl.Payments.RecheckPayment(ctx, &paymentsv1.RecheckPaymentRequest{PaymentId: f.PaymentID}); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "%d sales are looked at as soon as the provider's rule allows; compare again afterwards\n", len(asked))
	return nil
}
