// Package payments is the service that owns sales: their state, history, reconciliation and statistics. It takes webhooks, asks
// the gateways for the truth, decides, and sees to it that every paid sale is delivered and told once.
//
// It calls the other three services and is called by none of them.
package payments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/checkout"
	"github.com/baixapay/baixa/services/payments/internal/click"
	"github.com/baixapay/baixa/services/payments/internal/door"
	"github.com/baixapay/baixa/services/payments/internal/inbox"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/policy"
	"github.com/baixapay/baixa/services/payments/internal/rest"
	"github.com/baixapay/baixa/services/payments/internal/server"
	"github.com/baixapay/baixa/services/payments/internal/store"
	"github.com/baixapay/baixa/services/payments/internal/work"
)

// Deps are what the process gives the service. All but HTTP, TLS and Insecure are required.
type Deps struct {
	// Listeners take gRPC: the front door for API keys, and in memory for the REST face.
	Listeners []net.Listener
	// HTTP takes REST, webhooks and probes; nil when the caller mounts Handler itself.
	HTTP net.Listener
	// Gateways, Delivery and Notifier are connections whose calls are signed by Signer's interceptors.
	Gateways, Delivery, Notifier *grpc.ClientConn
	Signer                       *auth.Signer
	Sealer                       *seal.Sealer
	TLS                          *rpc.TLSConfig // nil is plain, which is served on loopback and in memory only
	Insecure                     bool           // serve plain TCP beyond loopback all the same
}

// Service is the payments service, made by New.
type Service struct {
	deps      Deps
	pool      *pgxpool.Pool
	store     *store.Store
	providers *providers
	policies  *policy.Book
	inbox     *inbox.Inbox
	worker    *work.Worker
	checkout  *checkout.Handler
	clicks    *click.Handler
	rpc       *rpc.Server
	memory    *rpc.Memory      // the REST face's way to the front door
	self      *grpc.ClientConn // over memory
	pages     http.Handler
}

// Migrate brings the service's schema to this binary's version; calling it again changes nothing. See pg.Migrate.
func Migrate(ctx context.Context, dsn string) error { return pg.Migrate(ctx, dsn, store.Schema) }

// New checks the settings, compares the schema with this binary and opens the pool. Nothing runs yet; Run closes what New
// opened, and so does Close for a service that is never run.
func New(ctx context.Context, c Config, d Deps) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("payments: %w", err)
	}
	if len(d.Listeners) == 0 || d.Gateways == nil || d.Delivery == nil || d.Notifier == nil || d.Signer == nil || d.Sealer == nil {
		return nil, errors.New("payments: listeners, connections to the leaves, a signer and a sealer are needed")
	}
	if err := pg.Check(ctx, c.DSN, store.Schema); err != nil {
		return nil, fmt.Errorf("payments: %w", err)
	}
	pool, err := pg.Open(ctx, pg.Config{DSN: c.DSN, Schema: store.Schema.Name, Role: store.Schema.Role, MaxConns: c.MaxConns, AppName: "baixa payments"})
	if err != nil {
		return nil, fmt.Errorf("payments: %w", err)
	}
	s := &Service{deps: d, pool: pool, store: store.New(pool)}
	if err := s.build(c); err != nil {
		s.Close()
		return nil, fmt.Errorf("payments: %w", err)
	}
	return s, nil
}

func (s *Service) build(c Config) error {
	d := s.deps
	gateways := gatewaysv1.NewGatewaysServiceClient(d.Gateways)
	delivery := deliveryv1.NewDeliveryServiceClient(d.Delivery)
	notifier := notifierv1.NewNotifierServiceClient(d.Notifier)
	s.providers = &providers{client: gateways}
	wakers := work.NewWakers()
	habits := work.NewHabits()
	s.policies = policy.New(s.store)
	books, err := ledger.New(ledger.Config{Pool: s.pool, Habit: habits.Of, Wake: wakers.Wake, Hand: wakers, Policy: s.policies.Policy})
	if err != nil {
		return err
	}
	before := &work.Before{Gateways: gateways, Provider: s.providers.resolve}
	if s.inbox, err = inbox.New(inbox.Config{Store: s.store, Seal: d.Sealer, Read: before.Read, Wake: wakers.Hooks.Note, Hand: wakers.Hooks, Headers: c.WebhookHeaders}); err != nil {
		return err
	}
	s.providers.learn = s.inbox.Learn
	s.worker, err = work.New(work.Config{Store: s.store, Ledger: books, Wakers: wakers, Gateways: gateways, Delivery: delivery,
		Notifier: notifier, Access: notifierv1.NewAccessServiceClient(d.Notifier), OpenBody: s.inbox.Open, Provider: s.providers.resolve, Title: s.providers.title, Habits: habits, Pressed: s.inbox.Pressed, Refresh: s.policies.Refresh, KeepWebhooks: c.KeepWebhooks, ParkFor: c.ParkFor, KeepClicks: c.KeepClicks})
	if err != nil {
		return err
	}
	face, err := server.New(server.Config{Store: s.store, Ledger: books, Gateways: gateways, Accounts: gatewaysv1.NewAccountsServiceClient(d.Gateways),
		Delivery: delivery, Notifier: notifier, Policies: s.policies, Provider: s.providers.resolve, Title: s.providers.title, WebhookURL: c.PublicURL, PublicURL: c.PublicURL})
	if err != nil {
		return err
	}
	proxies, err := visitor.ParseProxies(c.TrustedProxies)
	if err != nil {
		return err
	}
	s.checkout, err = checkout.New(checkout.Config{Store: s.store, Ledger: books, Link: s.worker.Link, Title: s.providers.title,
		Client: proxies.Client, Secure: strings.HasPrefix(c.PublicURL, "https://")})
	if err != nil {
		return err
	}
	s.clicks, err = click.New(click.Config{Store: s.store, Client: proxies.Client, PublicURL: c.PublicURL})
	if err != nil {
		return err
	}
	webhooks, err := door.NewWebhooks(door.WebhookConfig{Inbox: s.inbox, Provider: s.providers.resolve, Providers: s.providers.list})
	if err != nil {
		return err
	}
	if err := s.serveRPC(face, webhooks); err != nil {
		return err
	}
	return s.serveREST(c, proxies, webhooks)
}

// serveRPC builds the front door: this service's own methods and, for API keys, the leaves' public ones.
func (s *Service) serveRPC(face *server.Server, webhooks *door.Webhooks) error {
	d := s.deps
	front, err := door.New(door.Config{Keys: s.store, Signer: d.Signer})
	if err != nil {
		return err
	}
	forward, err := front.Forward(door.Leaves{Gateways: d.Gateways, Delivery: d.Delivery, Notifier: d.Notifier})
	if err != nil {
		return err
	}
	s.rpc, err = rpc.NewServer(rpc.ServerConfig{Name: "payments", Status: server.Errors, Unknown: forward, TLS: d.TLS, Insecure: d.Insecure,
		Register: func(g grpc.ServiceRegistrar) {
			face.Register(g)
			paymentsv1.RegisterWebhookServiceServer(g, webhooks)
		},
		Unary: []grpc.UnaryServerInterceptor{front.UnaryServer}, Stream: []grpc.StreamServerInterceptor{front.StreamServer}})
	return err
}

func (s *Service) serveREST(c Config, proxies visitor.Proxies, webhooks *door.Webhooks) error {
	s.memory = rpc.NewMemory()
	var err error
	if s.self, err = rpc.Dial(rpc.ClientConfig{Memory: s.memory}); err != nil {
		return err
	}
	s.pages, err = rest.New(rest.Config{Conn: s.self, Webhooks: webhooks, Headers: s.inbox.Headers, Ready: s.pool.Ping,
		Proxies: proxies, Pay: s.checkout, Go: s.clicks, Version: c.Version})
	return err
}

// Handler serves /v1/…, /webhook/payment/…, /pay/…, /go/…, /openapi.json, /docs, /healthz and /readyz, for a caller that mounts it beside other
// pages. It works while Run does.
func (s *Service) Handler() http.Handler { return s.pages }

// OperatorKey makes the first operator's key and returns its secret, once; with an operator's key in the database already
// it returns "".
func (s *Service) OperatorKey(ctx context.Context) (string, error) {
	keys, err := s.store.Keys(ctx, nil)
	if err != nil || len(keys) > 0 {
		return "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make operator key: %w", err)
	}
	secret, hash := auth.NewKey(id)
	if _, err := s.store.CreateKey(ctx, store.APIKey{ID: id, Name: "first operator", Hash: hash}); err != nil {
		return "", err
	}
	return secret, nil
}

// Run serves and works until ctx is done; then calls and claimed work in flight finish and it returns nil. It is called once.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	if err := s.policies.Refresh(ctx); ctx.Err() != nil {
		return nil
	} else if err != nil { // nothing is decided before what was configured is known
		return fmt.Errorf("payments: %w", err)
	}
	var g run.Group
	g.Add("payments policies", s.policies.Run)
	g.Add("payments providers", s.providers.run)
	g.Add("payments inbox", s.inbox.Run)
	g.Add("payments work", s.worker.Run)
	g.Add("payments checkout", s.checkout.Run)
	g.Add("payments clicks", s.clicks.Run)
	g.Add("payments rpc", s.serveAll)
	if s.deps.HTTP != nil {
		g.Add("payments http", s.serveHTTP)
	}
	return g.Run(ctx)
}

// Close gives back what New opened. Calling it again, or after Run, does nothing.
func (s *Service) Close() {
	if s.self != nil {
		if err := s.self.Close(); err != nil && s.pages != nil {
			slog.Debug("connection to ourselves was closed already")
		}
	}
	s.pool.Close()
}

// serveAll serves every listener with the one server, which stops as a whole.
func (s *Service) serveAll(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range append(slices.Clone(s.deps.Listeners), s.memory.Listener()) {
		g.Go(func() error { return s.rpc.Serve(ctx, l) })
	}
	return g.Wait()
}

func (s *Service) serveHTTP(ctx context.Context) error {
	return run.HTTP(ctx, s.deps.HTTP, s.pages, 10*time.Second)
}
