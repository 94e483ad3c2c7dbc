package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

type backfillCmd struct {
	client.Flags
	langFlag
	From     string `required:"" help:"Beginning of the time: 2026-11-20, 2026-11-20 14:00 (Brasília), or with a zone as RFC 3339." placeholder:"TIME"`
	To       string `required:"" help:"Its end, exclusive." placeholder:"TIME"`
	Merchant string `help:"Whose sales, by our id. Default: the API key's merchant." placeholder:"ID"`
	Provider string `help:"Only this provider." placeholder:"NAME"`
	Account  string `help:"Only this account." placeholder:"ID"`
	DryRun   bool   `help:"Only say how many sales would be asked about." xor:"what"`
	Cancel   bool   `help:"End the running backfill of the same time and filters." xor:"what"`
}

// Run starts the backfill, or joins the one of the same time that is running, and shows how far it is. Leaving does not end it. Exit codes: 0
// everything was asked and answered, 1 something was not, 2 what was asked for makes no sense.
func (c backfillCmd) Run(ctx context.Context) error {
	from, err := moment("--from", c.From)
	if err != nil {
		return c.refuse(err)
	}
	to, err := moment("--to", c.To)
	if err != nil {
		return c.refuse(err)
	}
	cl, err := c.Open()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.Provider, err = knownProvider(ctx, cl, c.langFlag, c.Provider, c.Account, c.Merchant); err != nil {
		return client.Explain(err, c.Address)
	}
	if c.Cancel {
		return c.cancel(ctx, cl, from, to)
	}
	r, err := cl.Payments.StartBackfill(ctx, &paymentsv1.StartBackfillRequest{MerchantId: c.Merchant, From: timestamppb.New(from), To: timestamppb.New(to),
		Provider: c.Provider, AccountId: c.Account, DryRun: c.DryRun})
	if err != nil {
		return c.explain(ctx, cl, err, from, to)
	}
	b := r.GetBackfill()
	switch {
	case c.DryRun:
		fmt.Printf(c.say("%s seriam consultadas de novo; nada foi mudado\n", "%s would be asked about again; nothing was changed\n"), c.sales(b.GetTotal()))
		return nil
	case r.GetCreated():
		fmt.Printf(c.say("Reconsulta %s: começou, com %s. Ela continua sozinha mesmo que você saia daqui.\n",
			"Backfill %s has begun, with %s. It goes on by itself when you leave.\n"), b.GetId(), c.sales(b.GetTotal()))
	default:
		fmt.Printf(c.say("Reconsulta %s, do mesmo período, já está em andamento (%s); veja quanto falta.\n",
			"Backfill %s of the same time is running already (%s); this is how far it is.\n"), b.GetId(), c.sales(b.GetTotal()))
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if b, err = c.watch(ctx, cl, b); err != nil {
		return err
	}
	return c.end(b)
}

// end says how it ended.
func (c backfillCmd) end(b *paymentsv1.Backfill) error {
	sums := fmt.Sprintf(c.say("%d de %d consultadas, %d mudaram de situação, %d sem resposta do provedor", "%d of %d asked about, %d changed, %d without the provider's answer"),
		b.GetDone(), b.GetTotal(), b.GetChanged(), b.GetUnanswered())
	switch b.GetState() {
	case "running":
		fmt.Printf(c.say("Ainda em andamento: %s. Ela continua sozinha; o mesmo comando mostra quanto falta.\n", "Still going on: %s. It goes on by itself; the same command shows how far it is.\n"), sums)
		return nil
	case "cancelled":
		fmt.Printf(c.say("Cancelada: %s.\n", "Cancelled: %s.\n"), sums)
		return exitCode(1)
	}
	fmt.Printf(c.say("Pronto: %s.\n", "Done: %s.\n"), sums)
	if b.GetUnanswered() > 0 {
		fmt.Println(c.say("As que ficaram sem resposta continuam na agenda de sempre; `baixa doctor` diz se o provedor está fora do ar.",
			"Those without an answer stay on the usual schedule; `baixa doctor` says whether the provider is down."))
		return exitCode(1)
	}
	return nil
}

// cancel ends the running backfill of exactly this time and these filters, and begins none.
func (c backfillCmd) cancel(ctx context.Context, cl *client.Client, from, to time.Time) error {
	r, err := cl.Payments.ListBackfills(ctx, &paymentsv1.ListBackfillsRequest{MerchantId: c.Merchant, Running: true})
	if err != nil {
		return client.Explain(err, c.Address)
	}
	for _, b := range r.GetBackfills() {
		if !b.GetFrom().AsTime().Equal(from) || !b.GetTo().AsTime().Equal(to) || b.GetProvider() != c.Provider || b.GetAccountId() != c.Account {
			continue
		}
		done, err := cl.Payments.CancelBackfill(ctx, &paymentsv1.CancelBackfillRequest{BackfillId: b.GetId()})
		if err != nil {
			return client.Explain(err, c.Address)
		}
		b = done.GetBackfill()
		fmt.Printf(c.say("Reconsulta %s cancelada: %d de %d já tinham sido consultadas.\n", "Backfill %s is cancelled: %d of %d had been asked about.\n"),
			b.GetId(), b.GetDone(), b.GetTotal())
		return nil
	}
	fmt.Fprintln(os.Stderr, c.say("baixa: nenhuma reconsulta deste período, com estes filtros, está em andamento", "baixa: no backfill of this time, with these filters, is running"))
	for _, b := range r.GetBackfills() {
		fmt.Fprintln(os.Stderr, "  ", c.name(b))
	}
	return exitCode(1)
}

// explain words why nothing began: another one runs over a part of the same sales.
func (c backfillCmd) explain(ctx context.Context, cl *client.Client, err error, from, to time.Time) error {
	if status.Code(err) != codes.FailedPrecondition {
		return client.Explain(err, c.Address)
	}
	r, listErr := cl.Payments.ListBackfills(ctx, &paymentsv1.ListBackfillsRequest{MerchantId: c.Merchant, Running: true})
	if listErr != nil {
		return client.Explain(err, c.Address)
	}
	for _, b := range r.GetBackfills() {
		if b.GetFrom().AsTime().Before(to) && b.GetTo().AsTime().After(from) {
			fmt.Fprintf(os.Stderr, c.say("baixa: outra reconsulta passa pelas mesmas vendas: %s. Espere por ela, ou cancele-a com --cancel e o período dela.\n",
				"baixa: another backfill goes over the same sales: %s. Wait for it, or cancel it with --cancel and its own time.\n"), c.name(b))
			return exitCode(1)
		}
	}
	return client.Explain(err, c.Address)
}

// name is a backfill in a line, with what its command needs.
func (c backfillCmd) name(b *paymentsv1.Backfill) string {
	text := fmt.Sprintf("%s --from %q --to %q", b.GetId(), stampOf(b.GetFrom()), stampOf(b.GetTo()))
	if b.GetProvider() != "" {
		text += " --provider " + b.GetProvider()
	}
	if b.GetAccountId() != "" {
		text += " --account " + b.GetAccountId()
	}
	return text + fmt.Sprintf(" (%d/%d)", b.GetDone(), b.GetTotal())
}

func (c backfillCmd) sales(n int32) string {
	if n == 1 {
		return c.say("1 venda", "1 sale")
	}
	return fmt.Sprintf(c.say("%d vendas", "%d sales"), n)
}

func (c backfillCmd) refuse(err error) error {
	fmt.Fprintf(os.Stderr, "baixa: %v\n", err)
	return exitCode(2)
}

// patience is how long the front door may be away while somebody watches: long enough to be started again.
const patience = 2 * time.Minute

// watch shows progress until the backfill ends or ctx does: a bar on a terminal, elsewhere a line when there is something new. The service may
// be restarted meanwhile.
func (c backfillCmd) watch(ctx context.Context, cl *client.Client, b *paymentsv1.Backfill) (*paymentsv1.Backfill, error) {
	shown := int32(-1)
	show := func(done int32) {
		if done != shown {
			shown = done
			fmt.Printf(c.say("%d de %d\n", "%d of %d\n"), done, b.GetTotal())
		}
	}
	every := 2 * time.Second
	if terminal(os.Stdout) {
		screen := mpb.New(mpb.WithWidth(60))
		bar := screen.AddBar(int64(b.GetTotal()), mpb.AppendDecorators(decor.CountersNoUnit("%d/%d"), decor.Name(" "), decor.Elapsed(decor.ET_STYLE_GO)))
		show, every = func(done int32) { bar.SetCurrent(int64(done)) }, 500*time.Millisecond
		defer func() { bar.Abort(false); screen.Wait() }() // a bar that is full stays so
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var away time.Time
	for b.GetState() == "running" {
		select {
		case <-ctx.Done():
			return b, nil
		case <-tick.C:
		}
		r, err := cl.Payments.GetBackfill(ctx, &paymentsv1.GetBackfillRequest{BackfillId: b.GetId()})
		switch code := status.Code(err); {
		case err == nil:
			if !away.IsZero() {
				away = time.Time{}
				fmt.Fprintln(os.Stderr, c.say("A Baixa voltou a responder.", "Baixa answers again."))
			}
			b = r.GetBackfill()
			show(b.GetDone())
		case ctx.Err() != nil:
			return b, nil
		case code != codes.Unavailable && code != codes.DeadlineExceeded || !away.IsZero() && time.Since(away) > patience:
			return b, client.Explain(err, c.Address)
		case away.IsZero():
			away = time.Now()
			fmt.Fprintln(os.Stderr, c.say("A Baixa não responde; espero por ela. A reconsulta continua de onde parou.", "Baixa does not answer; waiting for it. The backfill goes on where it stands."))
		}
	}
	return b, nil
}

// brasilia is the zone of times without one.
var brasilia = time.FixedZone("-03", -3*3600)

func stampOf(t *timestamppb.Timestamp) string {
	return t.AsTime().In(brasilia).Format("2006-01-02T15:04:05.999999Z07:00")
}

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
	return t.Truncate(time.Microsecond), nil
}
