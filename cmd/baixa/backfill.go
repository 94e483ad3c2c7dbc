package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type backfillCmd struct {
	client.Flags
	From     string `required:"" help:"Beginning of the time: 2026-11-20, 2026-11-20 14:00 (Brasília), or with a zone as RFC 3339." placeholder:"TIME"`
	To       string `required:"" help:"Its end, exclusive." placeholder:"TIME"`
	Merchant string `help:"Whose sales, by our id. Default: the API key's merchant." placeholder:"ID"`
	Provider string `help:"Only this provider." placeholder:"NAME"`
	Account  string `help:"Only this account." placeholder:"ID"`
	DryRun   bool   `help:"Only say how many sales would be asked about."`
	Cancel   bool   `help:"End the backfill of the same time and filters instead."`
}

// Run starts the backfill, or joins the one of the same time that is running, and shows how far it is. Leaving does not end it.
func (c backfillCmd) Run(ctx context.Context) error {
	from, err := moment("--from", c.From)
	if err != nil {
		return err
	}
	to, err := moment("--to", c.To)
	if err != nil {
		return err
	}
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Payments.StartBackfill(ctx, &paymentsv1.StartBackfillRequest{MerchantId: c.Merchant, From: timestamppb.New(from), To: timestamppb.New(to),
		Provider: c.Provider, AccountId: c.Account, DryRun: c.DryRun})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	b := r.GetBackfill()
	switch {
	case c.DryRun:
		fmt.Printf("%d sales would be asked about\n", b.GetTotal())
		return nil
	case c.Cancel:
		if _, err := cl.Payments.CancelBackfill(ctx, &paymentsv1.CancelBackfillRequest{BackfillId: b.GetId()}); err != nil {
			return client.Explain(err, c.Address)
		}
		fmt.Println("backfill", b.GetId(), "is cancelled")
		return nil
	case r.GetCreated():
		fmt.Println("backfill", b.GetId(), "has begun; it goes on by itself when this command is left")
	default:
		fmt.Println("backfill", b.GetId(), "of the same time is running; this shows how far it is")
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if b, err = c.watch(ctx, cl, b); err != nil || ctx.Err() != nil {
		return err
	}
	fmt.Printf("%s: %d sales asked about, %d without an answer, %d changed\n", b.GetState(), b.GetDone(), b.GetUnanswered(), b.GetChanged())
	return nil
}

// watch shows progress until the backfill ends or ctx does: a bar on a terminal, a line a few seconds elsewhere.
func (c backfillCmd) watch(ctx context.Context, cl *client.Client, b *paymentsv1.Backfill) (*paymentsv1.Backfill, error) {
	show := func(done int64) { fmt.Printf("%d/%d\n", done, b.GetTotal()) }
	every := 3 * time.Second
	if terminal(os.Stdout) {
		screen := mpb.New(mpb.WithWidth(60))
		bar := screen.AddBar(int64(b.GetTotal()), mpb.AppendDecorators(decor.CountersNoUnit("%d/%d"), decor.Name(" "), decor.Elapsed(decor.ET_STYLE_GO)))
		show, every = bar.SetCurrent, 500*time.Millisecond
		defer func() { bar.SetTotal(-1, true); screen.Wait() }()
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for b.GetState() == "running" {
		select {
		case <-ctx.Done():
			return b, nil
		case <-tick.C:
		}
		r, err := cl.Payments.GetBackfill(ctx, &paymentsv1.GetBackfillRequest{BackfillId: b.GetId()})
		if err != nil {
			if ctx.Err() != nil {
				return b, nil
			}
			return b, client.Explain(err, c.Address)
		}
		b = r.GetBackfill()
		show(int64(b.GetDone()))
	}
	return b, nil
}

// brasilia is the zone of times without one.
var brasilia = time.FixedZone("-03", -3*3600)

func moment(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", time.DateTime} {
		if t, err := time.ParseInLocation(layout, text, brasilia); err == nil {
			return t, nil
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s: expected a time such as 2026-11-20, \"2026-11-20 14:00\" or 2026-11-20T14:00:00-03:00", flag)
	}
	return t, nil
}
