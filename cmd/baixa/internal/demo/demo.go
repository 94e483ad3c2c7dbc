// Package demo runs the whole system against simulators and lets the origin system's unsettled sales settle: nothing is sped up,
// the policies are the real ones, and whatever is counted is counted from outside.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/grimbots"
	"github.com/baixapay/baixa/cmd/baixa/internal/importer"
	"github.com/baixapay/baixa/cmd/baixa/internal/secrets"
	"github.com/baixapay/baixa/cmd/baixa/internal/stack"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments"
	"github.com/baixapay/baixa/sim"
)

// Options say where it runs and what it tells.
type Options struct {
	Data       secrets.Folder
	DSN        string
	HTTP, GRPC string
	Version    string
	// Out gets the progress bar and the words.
	Out io.Writer
	// Once ends it when everything has settled; otherwise it stays up until the context is done.
	Once bool
}

// Demo is a running demonstration.
type Demo struct {
	*stack.Stack
	o      Options
	world  *sim.World
	sims   *sim.Server
	client *client.Client
	owner  *owner
	// merchant is whose sales they are, accounts its accounts by provider.
	merchant string
	accounts map[string]string
	rows     []grimbots.Row
	bots     []grimbots.Bot
	shift    time.Duration // moves the file's times to today
	born     time.Time
	late     []lateCharge
	took     map[string]time.Duration // until a provider's last sale had settled
	ended    chan error
	stop     context.CancelFunc
}

// Run is the whole demonstration: start, import, settle, tell, and stay up unless it is wanted once. done is given the result.
func Run(ctx context.Context, o Options, done func(Result) error) (err error) {
	d, err := Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	started := time.Now()
	report, err := d.Import(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "%d vendas importadas, nenhum webhook. / %d sales imported, no webhook.\n", report.Rows, report.Rows)
	bar := NewBar(o.Out)
	result, err := d.Settle(ctx, started, report.Rows, bar.Set)
	bar.Done()
	if err != nil {
		return err
	}
	if err := errors.Join(result.Write(o.Out), done(result)); err != nil || o.Once {
		return err
	}
	open, err := d.Offer(ctx)
	if err != nil {
		return err
	}
	d.Tour(o.Out, open)
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.Ended():
		d.ended <- err
		return err
	}
}

// Start starts the simulators and the system and imports the file. The caller closes the Demo.
func Start(ctx context.Context, o Options) (d *Demo, err error) {
	d = &Demo{o: o, ended: make(chan error, 1), stop: func() {}, born: time.Now(), took: map[string]time.Duration{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.world, err = sim.New(sim.Config{Seed: 43, Strict: true}); err != nil {
		return nil, err
	}
	if err := d.startSims(); err != nil {
		return nil, err
	}
	d.Stack, err = stack.Start(ctx, stack.Config{KeepWebhooks: payments.DefaultKeepWebhooks, ParkFor: payments.DefaultParkFor, KeepClicks: payments.DefaultKeepClicks, Data: o.Data, DSN: o.DSN, HTTP: o.HTTP, GRPC: o.GRPC, Version: o.Version,
		TelegramURL: d.sims.TelegramURL(), MetaURL: d.sims.MetaURL(), PixelScript: d.sims.MetaURL() + "/fbevents.js"})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	go func() { d.ended <- d.Stack.Run(running) }()
	if d.client, err = client.Dial(d.GRPC, d.OperatorKey, nil); err != nil {
		return nil, err
	}
	return d, nil
}

// Ended gives the system's error when it stops by itself.
func (d *Demo) Ended() <-chan error { return d.ended }

// Close stops everything.
func (d *Demo) Close() error {
	d.stop()
	var err error
	if d.Stack != nil {
		select {
		case err = <-d.ended:
		case <-time.After(30 * time.Second):
			err = errors.New("the system did not stop within 30 s")
		}
	}
	if d.owner != nil {
		d.owner.close()
	}
	if d.client != nil {
		d.client.Close()
	}
	if d.sims != nil {
		err = errors.Join(err, d.sims.Close())
	}
	if d.world != nil {
		d.world.Close()
	}
	return err
}

// Import makes a merchant with accounts at the simulators and imports the origin system's file through the public API.
func (d *Demo) Import(ctx context.Context) (importer.Report, error) {
	merchant, err := d.client.Merchants.CreateMerchant(ctx, &paymentsv1.CreateMerchantRequest{Name: "Loja de demonstração", ExternalId: "demo"})
	if err != nil {
		return importer.Report{}, client.Explain(err, d.GRPC)
	}
	d.merchant = merchant.GetMerchant().GetId()
	keys, err := d.putAccounts(ctx, d.merchant)
	if err != nil {
		return importer.Report{}, err
	}
	if err := d.addLate(keys); err != nil {
		return importer.Report{}, err
	}
	if d.owner, err = listen(ctx, d.client, d.merchant, d.URL); err != nil {
		return importer.Report{}, err
	}
	report, err := importer.Run(ctx, d.client, importer.Options{Merchant: "demo", Rows: d.rows, Bots: d.bots, Shift: d.shift,
		TelegramURL: d.sims.TelegramURL(), MetaURL: d.sims.MetaURL()})
	if err != nil {
		return report, client.Explain(err, d.GRPC)
	}
	if len(report.Problems) > 0 {
		return report, fmt.Errorf("%d rows were refused, the first: %w", len(report.Problems), report.Problems[0])
	}
	return report, nil
}

// putAccounts puts one account a provider; keys are their webhook keys.
func (d *Demo) putAccounts(ctx context.Context, merchant string) (keys map[string]string, err error) {
	keys, d.accounts = map[string]string{}, map[string]string{}
	for provider, credentials := range accounts {
		p, err := simulated(provider)
		if err != nil {
			return nil, err
		}
		resp, err := d.client.Accounts.PutAccount(ctx, &gatewaysv1.PutAccountRequest{MerchantId: merchant, Provider: provider,
			Credentials: credentials, BaseUrl: d.sims.ProviderURL(p)})
		if err != nil {
			return nil, fmt.Errorf("put account at %s: %w", provider, client.Explain(err, d.GRPC))
		}
		keys[provider], d.accounts[provider] = resp.GetAccount().GetAccountKey(), resp.GetAccount().GetId()
	}
	return keys, nil
}
