// Package notifier is the service that tells buyers by Telegram and owners by WebSocket, each thing once.
//
// It keeps what is to be told in its own schema and sends in the background, so that whoever asks never waits for Telegram. It
// calls no other service and refuses to know sales: what a message says is given to it, what became of it is an outcome that
// others follow.
package notifier

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/access"
	"github.com/baixapay/baixa/services/notifier/internal/channel/telegram"
	"github.com/baixapay/baixa/services/notifier/internal/channel/webhook"
	"github.com/baixapay/baixa/services/notifier/internal/channel/websocket"
	"github.com/baixapay/baixa/services/notifier/internal/server"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Deps is what the process gives the service. Listener, Signer and Sealer are needed.
type Deps struct {
	Listener net.Listener   // gRPC: TCP, or that of an rpc.Memory
	HTTP     net.Listener   // /ws and /events; nil: the caller mounts Handler
	Signer   *auth.Signer   // checks who calls
	Sealer   *seal.Sealer   // of bot tokens and unsent messages
	TLS      *rpc.TLSConfig // nil: plain, which only loopback and Memory admit
	Insecure bool           // plain beyond loopback, when the network itself is private
}

// Service is the notifier, made by New and run once.
type Service struct {
	cfg    Config
	deps   Deps
	pool   *pgxpool.Pool
	store  *store.Store
	hub    *websocket.Hub
	sender *telegram.Sender
	hooks  *webhook.Sender
	keeper *access.Keeper
	grpc   *rpc.Server
}

// Migrate brings the service's schema to this binary's version. It may be called any number of times.
func Migrate(ctx context.Context, dsn string) error { return pg.Migrate(ctx, dsn, store.Schema) }

// New checks everything and opens the pool; nothing runs before Run. It fails when the schema is not at this binary's version
// (pg.ErrBehind, pg.ErrAhead), and when the bots' tokens were sealed with another keyset (seal.ErrWrongKey). A Service that is not run must be closed.
func New(ctx context.Context, c Config, d Deps) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("notifier: %w", err)
	}
	if d.Listener == nil || d.Signer == nil || d.Sealer == nil {
		return nil, errors.New("notifier: listener, signer and sealer are needed")
	}
	s := &Service{cfg: c.withDefaults(), deps: d}
	if err := pg.Check(ctx, c.DSN, store.Schema); err != nil {
		return nil, fmt.Errorf("notifier: %w", err)
	}
	pool, err := pg.Open(ctx, pg.Config{DSN: c.DSN, Schema: store.Schema.Name, Role: store.Schema.Role, MaxConns: c.MaxConns, AppName: "baixa notifier"})
	if err != nil {
		return nil, fmt.Errorf("notifier: %w", err)
	}
	s.pool = pool
	if err = s.assemble(); err == nil {
		err = s.tryKeyset(ctx)
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("notifier: %w", err)
	}
	return s, nil
}

func (s *Service) assemble() (err error) {
	if s.store, err = store.New(s.pool); err != nil {
		return err
	}
	if s.hub, err = websocket.NewHub(websocket.Config{Store: s.store, MaxSockets: s.cfg.MaxSockets, Ping: s.cfg.SocketPing}); err != nil {
		return err
	}
	sending := s.cfg.sender()
	sending.Store, sending.Sealer = s.store, s.deps.Sealer
	if s.sender, err = telegram.NewSender(sending); err != nil {
		return err
	}
	api, err := server.New(server.Deps{Store: s.store, Sealer: s.deps.Sealer, Record: s.sender.Record, Wake: s.sender.Wake, OpenSockets: s.hub.Open})
	if err != nil {
		return err
	}
	if s.hooks, err = webhook.NewSender(webhook.Config{Store: s.store, Sealer: s.deps.Sealer, InFlight: s.cfg.WebhookInFlight,
		Timeout: s.cfg.WebhookTimeout, DisableAfter: s.cfg.WebhookDisableAfter}); err != nil {
		return err
	}
	endpoints, err := server.NewEndpoints(s.store, s.deps.Sealer, s.hooks)
	if err != nil {
		return err
	}
	if s.keeper, err = access.NewKeeper(access.Config{Store: s.store, Sealer: s.deps.Sealer, BaseURL: s.cfg.TelegramURL, PerBot: s.cfg.TelegramPerBot}); err != nil {
		return err
	}
	accesses, err := server.NewAccesses(s.store, s.deps.Sealer, s.keeper.Wake)
	if err != nil {
		return err
	}
	s.grpc, err = rpc.NewServer(rpc.ServerConfig{
		Name: "notifier",
		Register: func(r grpc.ServiceRegistrar) {
			notifierv1.RegisterNotifierServiceServer(r, api)
			notifierv1.RegisterTemplatesServiceServer(r, api)
			notifierv1.RegisterEndpointsServiceServer(r, endpoints)
			notifierv1.RegisterAccessServiceServer(r, accesses)
		},
		Unary:  []grpc.UnaryServerInterceptor{s.deps.Signer.UnaryServer},
		Stream: []grpc.StreamServerInterceptor{s.deps.Signer.StreamServer},
		Status: server.Status, TLS: s.deps.TLS, Insecure: s.deps.Insecure,
	})
	return err
}

// tryKeyset opens one token: better no start than every message put off.
func (s *Service) tryKeyset(ctx context.Context) error {
	b, err := s.store.LastBot(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = telegram.OpenToken(s.deps.Sealer, b)
	}
	if err != nil {
		return fmt.Errorf("try keyset: %w", err)
	}
	return nil
}

// Handler serves GET /ws, GET /events and the client at GET /ws/client.js, to be mounted where the public comes in.
func (s *Service) Handler() http.Handler { return s.hub.Handler() }

// Run serves and sends until ctx is done, then stops gracefully: no call and no claim is begun any more, open streams are told
// to resume elsewhere, messages in flight get their answer, results are written. It closes the listeners and the pool.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	g := &run.Group{Limit: max(s.cfg.TelegramTimeout, s.cfg.WebhookTimeout) + stopMargin}
	g.Add("owner event log", s.store.Events().Run)
	g.Add("outcome log", s.store.Outcomes().Run)
	g.Add("telegram", s.sender.Run)
	g.Add("webhooks", s.hooks.Run)
	g.Add("accesses", s.keeper.Run)
	g.Add("interrupted messages", s.settleInterrupted)
	g.Add("waiting messages", s.lookAfterWaiting)
	g.Add("sweep", s.sweep)
	g.Add("streams", func(ctx context.Context) error { <-ctx.Done(); s.hub.Close(); return nil })
	if s.deps.HTTP != nil {
		g.Add("http", s.serveHTTP)
	}
	g.Add("grpc", func(ctx context.Context) error { return s.grpc.Serve(ctx, s.deps.Listener) })
	return g.Run(ctx)
}

// Close gives the pool back. Run does it; so must a caller who does not run the service.
func (s *Service) Close() { s.pool.Close() }
