package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/secrets"
	"github.com/baixapay/baixa/cmd/baixa/internal/stack"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments"
	"github.com/baixapay/baixa/sim"
)

// System is a whole Baixa with the outside world simulated, and merchants that sell.
type System struct {
	URL     string // of the API and of webhooks
	Pool    *pgxpool.Pool
	World   *sim.World
	Sims    *sim.Server
	Client  *client.Client
	Sellers []Seller

	provider sim.Provider
	ended    <-chan error
	made     int64 // sales so far, for identifiers that nobody had before
}

// Seller is one bot of one merchant with its account.
type Seller struct{ Merchant, Bot, Account, WebhookKey string }

// market is how much there is of everything.
type market struct {
	provider        sim.Provider
	merchants, bots int // bots of each merchant: Telegram takes 30 messages a second of one
	// outside runs `baixa up` as a process of its own instead of the system in this one.
	outside bool
}

// system starts PostgreSQL, the simulators and Baixa, and opens the shops.
func (e *Env) system(ctx context.Context, m market) (*System, error) {
	pool, dsn, err := e.Postgres(ctx)
	if err != nil {
		return nil, err
	}
	s := &System{Pool: pool, provider: m.provider}
	if s.World, err = sim.New(sim.Config{Seed: 1, Strict: true, Keep: 20_000}); err != nil {
		return nil, err
	}
	e.Defer(func() error { s.World.Close(); return nil })
	if s.Sims, err = s.World.Start(""); err != nil {
		return nil, err
	}
	e.Defer(s.Sims.Close)
	start := e.inside
	if m.outside {
		start = e.outside
	}
	up, err := start(ctx, dsn)
	if err != nil {
		return nil, err
	}
	s.URL, s.ended = up.url, up.ended
	if s.Client, err = client.Dial(up.grpc, up.key, nil); err != nil {
		return nil, err
	}
	e.Defer(func() error { s.Client.Close(); return nil })
	for i := range m.merchants {
		if err := s.open(ctx, m, i); err != nil {
			return nil, client.Explain(err, up.grpc)
		}
	}
	return s, nil
}

// running is where a system answers.
type running struct {
	url, grpc, key string
	ended          <-chan error
}

func (e *Env) inside(ctx context.Context, dsn string) (running, error) {
	s, err := stack.Start(ctx, stack.Config{KeepWebhooks: payments.DefaultKeepWebhooks, ParkFor: payments.DefaultParkFor, KeepClicks: payments.DefaultKeepClicks, Data: secrets.Folder(filepath.Join(e.Dir, "baixa")), DSN: dsn, HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0", Version: e.Version})
	if err != nil {
		return running{}, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	e.Defer(func() error {
		stop()
		select {
		case err := <-ended:
			return err
		case <-time.After(40 * time.Second):
			return errors.New("the system did not stop within 40 s")
		}
	})
	return running{url: s.URL, grpc: s.GRPC, key: s.OperatorKey, ended: ended}, nil
}

// unlimited is a budget that no benchmark reaches: what is measured is Baixa, not the provider's patience.
const unlimited = 10_000_000

func (s *System) open(ctx context.Context, m market, n int) error {
	name := "loja-" + strconv.Itoa(n)
	made, err := s.Client.Merchants.CreateMerchant(ctx, &paymentsv1.CreateMerchantRequest{Name: name, ExternalId: name})
	if err != nil {
		return fmt.Errorf("make merchant: %w", err)
	}
	merchant := made.GetMerchant().GetId()
	account, err := s.openAccount(ctx, m.provider, merchant, n)
	if err != nil {
		return err
	}
	for b := range m.bots {
		number := 100_000_000 + n*1000 + b
		token := strconv.Itoa(number) + ":" + strings.Repeat("x", 35)
		if err := s.World.AddBot(sim.Bot{Token: token}); err != nil {
			return err
		}
		bot, err := s.Client.Merchants.PutBot(ctx, &paymentsv1.PutBotRequest{MerchantId: merchant, ExternalId: strconv.Itoa(number), Name: "bot"})
		if err != nil {
			return fmt.Errorf("make bot: %w", err)
		}
		id := bot.GetBot().GetId()
		if _, err := s.Client.Notifier.PutBot(ctx, &notifierv1.PutBotRequest{MerchantId: merchant, BotId: id, Token: token, BaseUrl: s.Sims.TelegramURL()}); err != nil {
			return fmt.Errorf("give the bot its token: %w", err)
		}
		s.Sellers = append(s.Sellers, Seller{Merchant: merchant, Bot: id, Account: account.GetId(), WebhookKey: account.GetAccountKey()})
	}
	return nil
}

// accountOf is an invented credential at a simulated provider.
func accountOf(p sim.Provider, n int) (sim.Account, map[string]string, error) {
	key := fmt.Sprintf("exemplo-de-token-%05d", n)
	var name string
	switch p {
	case sim.Pushinpay:
		name, key = "token", fmt.Sprintf("%d|%s", n+1, key)
	case sim.Paradise:
		name, key = "api_key", "sk_"+key
	case sim.Atomopay:
		name = "api_token"
	default:
		return sim.Account{}, nil, fmt.Errorf("no benchmark sells through %s", p)
	}
	return sim.Account{Provider: p, Name: accountName(n), Key: key}, map[string]string{name: key}, nil
}

func accountName(n int) string { return "loja-" + strconv.Itoa(n) }

func (s *System) openAccount(ctx context.Context, p sim.Provider, merchant string, n int) (*gatewaysv1.Account, error) {
	theirs, credentials, err := accountOf(p, n)
	if err != nil {
		return nil, err
	}
	if err := s.World.AddAccount(theirs); err != nil {
		return nil, err
	}
	resp, err := s.Client.Accounts.PutAccount(ctx, &gatewaysv1.PutAccountRequest{MerchantId: merchant, Provider: string(p), Credentials: credentials,
		BaseUrl: s.Sims.ProviderURL(p), CallsPerMinute: unlimited})
	if err != nil {
		return nil, fmt.Errorf("put account: %w", err)
	}
	return resp.GetAccount(), nil
}

// WebhookURL is where a seller's provider posts.
func (s *System) WebhookURL(seller Seller) string {
	return s.URL + "/webhook/payment/" + string(s.provider) + "/" + seller.WebhookKey
}

// Wait asks done every few milliseconds until it says yes, and fails when the system ends, ctx does, or nothing changed for a
// while: progress is whatever number done gives.
func (s *System) Wait(ctx context.Context, what string, done func(context.Context) (progress int64, ok bool, err error)) error {
	const patience = 90 * time.Second // a sale that was being asked about when the machine stood still is asked about again a minute later
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	last, since := int64(-1), time.Now()
	for {
		progress, ok, err := done(ctx)
		if err != nil || ok {
			return err
		}
		if progress != last {
			last, since = progress, time.Now()
		} else if time.Since(since) > patience {
			return fmt.Errorf("%s: stands still at %d", what, progress)
		}
		select {
		case <-tick.C:
		case err := <-s.ended:
			return fmt.Errorf("%s: the system ended: %w", what, errors.Join(err, context.Canceled))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
