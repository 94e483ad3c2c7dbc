package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/reconcile"
	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	"github.com/baixapay/baixa/cmd/baixa/internal/statement"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/money"
)

type reconcileCmd struct {
	client.Flags
	langFlag
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
	tolerance, err := money.ParseReais(strings.Replace(c.Tolerance, ",", ".", 1))
	switch {
	case err != nil:
		return c.refuse(c.say("--tolerance: esperava reais como 0,05", "--tolerance: expected reais such as 0.05"))
	case c.Online == (c.Statement != ""):
		return c.refuse(c.say("esperava --statement ARQUIVO ou --online, um dos dois", "expected --statement FILE or --online, one of them"))
	case c.Online && (c.Account == "" || c.From == ""):
		return c.refuse(c.say("--online precisa de --account e --from", "--online needs --account and --from"))
	case c.Online && c.check() != nil:
		return c.refuse(c.check().Error())
	case !c.Online && (c.From != "" || c.To != ""):
		return c.refuse(c.say("--from e --to são para --online; um extrato diz ele mesmo de quando é", "--from and --to are for --online; a statement says itself what time it is of"))
	}
	var lines []statement.Line
	var problems []statement.Problem
	if !c.Online {
		if lines, problems, err = c.read(); err != nil {
			return err
		}
	}
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.Provider, err = knownProvider(ctx, cl, c.langFlag, c.Provider, c.Account, c.Merchant); err != nil {
		return client.Explain(err, c.Address)
	}
	if c.Online {
		if lines, err = c.list(ctx, cl); err != nil {
			return client.Explain(err, c.Address)
		}
	}
	from, to, timed := reconcile.Span(lines, time.Now())
	o := reconcile.Options{Tolerance: tolerance, ByCreation: c.Online}
	if c.Online { // the list has the charges made in this time; clocks there and here may differ by a little
		if from, to, err = c.time(); err != nil {
			return c.refuse(err.Error())
		}
		from, to, timed = from.Add(skew), to.Add(-skew), true
	}
	if timed {
		o.From, o.To = from, to
	}
	sales, err := c.sales(ctx, cl, from, timed)
	if err != nil {
		return client.Explain(err, c.Address)
	}
	r := reconcile.Compare(lines, sales, o)
	if err := reconcile.Write(os.Stdout, r, c.Format, c.Lang); err != nil {
		return err
	}
	if len(problems) > 0 {
		fmt.Fprintf(os.Stderr, c.say("%d problemas de leitura: as linhas deles não foram comparadas\n", "%d problems in reading: their lines were not compared\n"), len(problems))
	}
	if c.Fix {
		if err := c.fix(ctx, cl, r); err != nil {
			return err
		}
	} else if slices.ContainsFunc(r.Findings, reconcile.Finding.Due) {
		fmt.Fprintln(os.Stderr, c.say("Nada foi mudado. Com --fix, o provedor é consultado sobre as vendas que diferem, e a resposta dele decide.",
			"Nothing was changed. With --fix the provider is asked about the sales that differ, and its answer decides."))
	}
	switch {
	case len(problems) > 0:
		return exitCode(2)
	case len(r.Findings) > 0:
		return exitCode(1)
	}
	return nil
}

// read reads the file, and names what it cannot read.
func (c reconcileCmd) read() ([]statement.Line, []statement.Problem, error) {
	file, err := os.Open(c.Statement)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	lines, problems, err := statement.Read(file, statement.Options{Columns: c.Column, Centavos: c.Centavos})
	var none *statement.FileError
	switch {
	case errors.As(err, &none):
		return nil, nil, c.refuse(c.Statement + ": " + none.In(c.Lang))
	case err != nil:
		return nil, nil, c.refuse(fmt.Sprintf("%s: %v", c.Statement, err))
	}
	const most = 50 // a file of another kind has a problem in each line
	for i, p := range problems {
		if i == most {
			fmt.Fprintf(os.Stderr, c.say("… e mais %d\n", "… and %d more\n"), len(problems)-most)
			break
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", c.Statement, screen.Clean(p.In(c.Lang)))
	}
	return lines, problems, nil
}

func (c reconcileCmd) refuse(why string) error {
	fmt.Fprintf(os.Stderr, "baixa: %s\n", why)
	return exitCode(2)
}

func (c reconcileCmd) check() error {
	_, _, err := c.time()
	return err
}

// skew is how much a provider's clock may differ from ours.
const skew = time.Minute

// time is what --online asks for.
func (c reconcileCmd) time() (from, to time.Time, err error) {
	if from, err = moment("--from", c.From); err != nil {
		return from, to, err
	}
	if to = time.Now(); c.To != "" {
		to, err = moment("--to", c.To)
	}
	if err == nil && !to.After(from) {
		err = errors.New(c.say("--to: esperava um momento depois de --from", "--to: expected a moment after --from"))
	}
	return from, to, err
}

// list is the provider's own list, page by page within the account's budget.
func (c reconcileCmd) list(ctx context.Context, cl *client.Client) ([]statement.Line, error) {
	from, to, err := c.time()
	if err != nil {
		return nil, err
	}
	req := &gatewaysv1.ListTransactionsRequest{MerchantId: c.Merchant, AccountId: c.Account, CreatedFrom: timestamppb.New(from)}
	if c.To != "" {
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
			return nil, fmt.Errorf(c.say("a lista do provedor não pôde ser lida: %s", "the provider's list could not be read: %s"), screen.Clean(r.GetReason()))
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

// fix makes what differs due, each sale once; the ledger decides when the provider has answered. A sale that cannot be asked about is named and
// the others go on.
func (c reconcileCmd) fix(ctx context.Context, cl *client.Client, r reconcile.Result) error {
	asked, refused := map[string]bool{}, 0
	for _, f := range r.Findings {
		if !f.Due() || asked[f.PaymentID] {
			continue
		}
		_, err := cl.Payments.RecheckPayment(ctx, &paymentsv1.RecheckPaymentRequest{PaymentId: f.PaymentID})
		switch status.Code(err) {
		case codes.OK:
			asked[f.PaymentID] = true
		case codes.FailedPrecondition, codes.NotFound:
			refused++
			fmt.Fprintf(os.Stderr, "%s: %v\n", f.PaymentID, client.Explain(err, c.Address))
		default:
			return client.Explain(err, c.Address)
		}
	}
	fmt.Fprintf(os.Stderr, c.say("O provedor é consultado sobre %d vendas assim que a regra dele permite; compare de novo depois.\n",
		"The provider is asked about %d sales as soon as its rule allows; compare again afterwards.\n"), len(asked))
	if refused > 0 {
		return exitCode(1)
	}
	return nil
}
