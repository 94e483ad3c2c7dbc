// Package delivery is the service that gives buyers what they paid for: a secret link for every paid sale, the page under it,
// and Meta's Purchase when a person opens it. What happens later is told in a log of outcomes that others follow.
//
// It refuses to call any other service of Baixa, to keep a token, an e-mail or a phone number in clear, and to count a machine
// as a buyer.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/delivery/internal/file"
	"github.com/baixapay/baixa/services/delivery/internal/page"
	"github.com/baixapay/baixa/services/delivery/internal/purchase"
	"github.com/baixapay/baixa/services/delivery/internal/server"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// Deps are what the process gives the service. Listener, Signer and Sealer must be set.
type Deps struct {
	Listener net.Listener   // of gRPC: TCP, or rpc.Memory's
	HTTP     net.Listener   // of the pages; nil when the caller mounts Handler itself
	Signer   *auth.Signer   // checks who calls
	Sealer   *seal.Sealer   // opens token keys and pixels' tokens
	TLS      *rpc.TLSConfig // nil is plain, which is served on loopback and in memory only
	Insecure bool           // serve plain TCP beyond loopback all the same
	Log      *slog.Logger   // nil means slog.Default()
}

// Service is the delivery service, made by New.
type Service struct {
	deps   Deps
	pool   *pgxpool.Pool
	log    *eventlog.Log
	store  *store.Store
	rpc    *rpc.Server
	pages  http.Handler
	client *purchase.Client
	worker *purchase.Worker

	unopened purchase.Unopened
}

// Migrate brings the service's schema to this binary's version; calling it again changes nothing. See pg.Migrate.
func Migrate(ctx context.Context, dsn string) error { return pg.Migrate(ctx, dsn, store.Schema) }

// New checks the settings, compares the schema with this binary, opens the pool and reads the token keys, making the first one
// when there is none. A keyset that does not open what is stored is an error. Nothing runs yet; Run closes what New opened,
// and so does Close for a service that is never run.
func New(ctx context.Context, c Config, d Deps) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	if d.Listener == nil || d.Signer == nil || d.Sealer == nil {
		return nil, errors.New("delivery: a listener, a signer and a sealer are needed")
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	c = c.withDefaults()
	if err := pg.Check(ctx, c.DSN, store.Schema); err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	pool, err := pg.Open(ctx, pg.Config{
		DSN: c.DSN, Schema: store.Schema.Name, Role: store.Schema.Role, MaxConns: c.MaxConns, AppName: "baixa delivery",
	})
	if err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	s := &Service{deps: d, pool: pool}
	if err := s.build(ctx, c); err != nil {
		s.Close()
		return nil, fmt.Errorf("delivery: %w", err)
	}
	return s, nil
}

func (s *Service) build(ctx context.Context, c Config) (err error) {
	if s.log, err = eventlog.New(eventlog.Config{Pool: s.pool, Channel: store.Channel}); err != nil {
		return err
	}
	st, err := store.New(store.Config{Pool: s.pool, Log: s.log})
	if err != nil {
		return err
	}
	s.store = st
	if err := ensureKeys(ctx, st, s.deps.Sealer, c.TokenKey); err != nil {
		return err
	}
	wake := queue.NewWaker()
	srv, err := server.New(ctx, server.Config{
		Store: st, Sealer: s.deps.Sealer, PublicURL: c.PublicURL, Lifetime: c.LinkLifetime, MaxOpens: c.LinkOpens,
		Version: c.MetaVersion, Queued: wake.Wake,
		Keys: func(ctx context.Context) (*token.Ring, error) { return readKeys(ctx, st, s.deps.Sealer) },
	})
	if err != nil {
		return err
	}
	s.rpc, err = rpc.NewServer(rpc.ServerConfig{
		Name: "delivery", Register: srv.Register, Status: server.Status, TLS: s.deps.TLS, Insecure: s.deps.Insecure, Log: s.deps.Log,
		Unary:  []grpc.UnaryServerInterceptor{s.deps.Signer.UnaryServer},
		Stream: []grpc.StreamServerInterceptor{s.deps.Signer.StreamServer},
	})
	if err != nil {
		return err
	}
	proxies, err := visitor.ParseProxies(c.TrustedProxies)
	if err != nil {
		return err
	}
	pages, err := page.New(page.Config{
		Opener: st, PublicURL: c.PublicURL, PixelScript: c.PixelScript, Proxies: proxies, Guesses: c.Guesses,
		Interval: c.GuessInterval, Queued: wake.Wake, Log: s.deps.Log,
		OpenSecret: func(k store.FileKey) ([]byte, error) {
			return s.deps.Sealer.Open(k.SealedSecret, file.SealName(k.Merchant))
		},
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/delivery/{token}", pages)
	mux.Handle("/delivery/{$}", pages)
	mux.HandleFunc("/delivery/file/{ticket}", pages.ServeFile)
	s.pages = mux
	s.client, err = purchase.NewClient(purchase.ClientConfig{
		BaseURL: c.MetaURL, Version: c.MetaVersion, Timeout: c.MetaTimeout, Connections: 2 * c.MetaBatch,
	})
	if err != nil {
		return err
	}
	s.worker, err = purchase.NewWorker(purchase.WorkerConfig{
		Queue: st, Client: s.client, Sealer: s.deps.Sealer, SourceURL: strings.TrimRight(c.PublicURL, "/") + "/delivery/", Wake: wake.C(),
		Batch: c.MetaBatch, Log: s.deps.Log,
	})
	s.unopened = purchase.Unopened{Queue: st, Queued: wake.Wake, Log: s.deps.Log}
	return err
}

// Handler serves /delivery/{token}, for a caller that mounts it beside other pages. It works from New until Run ends.
func (s *Service) Handler() http.Handler { return s.pages }

// Run serves gRPC, serves the pages when there is a listener for them, and sends Purchases, until ctx is done; then calls and
// requests in flight finish and it returns nil. It is called once.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	g := run.Group{Log: s.deps.Log}
	g.Add("delivery outcomes", s.log.Run)
	g.Add("delivery news", s.store.Run)
	g.Add("delivery purchases", s.worker.Run)
	g.Add("delivery unopened", s.unopened.Run)
	g.Add("delivery rpc", func(ctx context.Context) error { return s.rpc.Serve(ctx, s.deps.Listener) })
	if s.deps.HTTP != nil {
		g.Add("delivery pages", func(ctx context.Context) error { return run.HTTP(ctx, s.deps.HTTP, s.pages, 10*time.Second) })
	}
	return g.Run(ctx)
}

// Close gives back what New opened. Calling it again, or after Run, does nothing.
func (s *Service) Close() {
	if s.client != nil {
		s.client.Close()
	}
	s.pool.Close()
}
