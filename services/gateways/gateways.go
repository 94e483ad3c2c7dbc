// Package gateways is the service that speaks with the payment providers: one door to all of them, with the merchants' credentials
// behind it, sealed, and with every provider's limits kept by all replicas together.
//
// It refuses to know sales, to decide what a status means for one, to call any other service of Baixa, and to let a secret
// out.
package gateways

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/server"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

const (
	// maxBytes is the largest request: a batch of webhooks.
	maxBytes = 64 << 20

	freshEvery = time.Second
	sweepEvery = 15 * time.Second
	lastFlush  = 3 * time.Second
)

// Deps are what the process gives the service. Listener, Signer and Sealer must be set.
type Deps struct {
	Listener net.Listener   // of gRPC: TCP, or rpc.Memory's
	Signer   *auth.Signer   // checks who calls
	Sealer   *seal.Sealer   // opens credentials
	TLS      *rpc.TLSConfig // nil is plain, which is served on loopback and in memory only
	Insecure bool           // serve plain TCP beyond loopback all the same
	Log      *slog.Logger   // nil means slog.Default()
}

// Service is the gateways service, made by New.
type Service struct {
	deps  Deps
	pool  *pgxpool.Pool
	store *store.Store
	srv   *server.Server
	book  *account.Book
	gate  *gate.Gate
	rpc   *rpc.Server
}

// Migrate brings the service's schema to this binary's version; calling it again changes nothing. See pg.Migrate.
func Migrate(ctx context.Context, dsn string) error { return pg.Migrate(ctx, dsn, store.Schema) }

// New checks the settings, compares the schema with this binary and opens the pool. A keyset that does not open the stored
// credentials is an error here, not at the first poll. Nothing runs yet; Run closes what New opened, and so does Close for
// a service that is never run.
func New(ctx context.Context, c Config, d Deps) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("gateways: %w", err)
	}
	if d.Listener == nil || d.Signer == nil || d.Sealer == nil {
		return nil, errors.New("gateways: a listener, a signer and a sealer are needed")
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if err := pg.Check(ctx, c.DSN, store.Schema); err != nil {
		return nil, fmt.Errorf("gateways: %w", err)
	}
	pool, err := pg.Open(ctx, pg.Config{
		DSN: c.DSN, Schema: store.Schema.Name, Role: store.Schema.Role, MaxConns: c.MaxConns, AppName: "baixa gateways",
	})
	if err != nil {
		return nil, fmt.Errorf("gateways: %w", err)
	}
	s := &Service{deps: d, pool: pool}
	if err := s.build(ctx, c.withDefaults()); err != nil {
		s.Close()
		return nil, fmt.Errorf("gateways: %w", err)
	}
	return s, nil
}

func (s *Service) build(ctx context.Context, c Config) (err error) {
	if s.store, err = store.New(s.pool); err != nil {
		return err
	}
	if err := s.checkKeyset(ctx); err != nil {
		return err
	}
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		return err
	}
	known, err := registryOf(client, c.Providers)
	if err != nil {
		return err
	}
	if s.book, err = account.NewBook(account.BookConfig{Loader: s.store, Sealer: s.deps.Sealer}); err != nil {
		return err
	}
	s.gate, err = gate.New(gate.Config{
		Store: s.store, Book: s.book, Parallel: c.Parallel, Failures: c.BreakerFailures, BreakerFirst: c.BreakerFirst,
		BreakerLimit: c.BreakerLimit, ProbeLease: c.CallTimeout + 5*time.Second, Quiet: c.Quiet, Log: s.deps.Log,
	})
	if err != nil {
		return err
	}
	s.srv, err = server.New(server.Config{
		Registry: known, Store: s.store, Book: s.book, Gate: s.gate, Sealer: s.deps.Sealer, CallTimeout: c.CallTimeout,
		Visible: c.Visible, HedgeAfter: c.HedgeAfter, Parallel: c.Parallel, Log: s.deps.Log,
	})
	if err != nil {
		return err
	}
	s.rpc, err = rpc.NewServer(rpc.ServerConfig{
		Name: "gateways", Register: s.srv.Register, Status: server.Status, TLS: s.deps.TLS, Insecure: s.deps.Insecure, Log: s.deps.Log,
		MaxRecvBytes: maxBytes,
		Unary:        []grpc.UnaryServerInterceptor{s.deps.Signer.UnaryServer},
		Stream:       []grpc.StreamServerInterceptor{s.deps.Signer.StreamServer},
	})
	return err
}

// checkKeyset notices an exchanged keyset at the start.
func (s *Service) checkKeyset(ctx context.Context) error {
	newest, err := s.store.NewestSecret(ctx)
	if errors.Is(err, account.ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = account.Open(s.deps.Sealer, newest)
	}
	return err
}

// Run serves gRPC and keeps accounts and counters fresh until ctx is done; then calls in flight finish and it returns nil. It
// is called once.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	g := run.Group{Log: s.deps.Log}
	g.Add("gateways housekeeping", s.keep)
	g.Add("gateways rpc", func(ctx context.Context) error { return s.rpc.Serve(ctx, s.deps.Listener) })
	return g.Run(ctx)
}

// Close gives back what New opened. Calling it again, or after Run, does nothing.
func (s *Service) Close() { s.pool.Close() }

// keep does what no call should wait for. Failures are logged: the next round does the same again.
func (s *Service) keep(ctx context.Context) error {
	fresh, sweep := time.NewTicker(freshEvery), time.NewTicker(sweepEvery)
	defer fresh.Stop()
	defer sweep.Stop()
	work := telemetry.Untraced(ctx)
	for {
		select {
		case <-fresh.C:
			s.try(work, "refresh accounts", s.book.Refresh)
			s.try(work, "write counters", s.gate.Flush)
			s.try(work, "write shadows", s.srv.FlushShadows)
		case <-sweep.C:
			s.try(work, "sweep", s.store.Sweep)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(work), lastFlush)
			defer cancel()
			s.try(last, "write counters", s.gate.Flush)
			s.try(last, "write shadows", s.srv.FlushShadows)
			return nil
		}
	}
}

func (s *Service) try(ctx context.Context, doing string, do func(context.Context) error) {
	if err := do(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.deps.Log.WarnContext(ctx, "housekeeping", slog.String("doing", doing), slog.Any("error", err))
	}
}
