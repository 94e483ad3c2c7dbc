// Package stack is all four services in one process, over in-memory listeners with the same interceptors, deadlines and error
// mapping as over TCP, with a PostgreSQL of its own when none is given. `baixa up`, `baixa demo` and the benchmarks run it.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"

	"github.com/baixapay/baixa/cmd/baixa/internal/secrets"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/delivery"
	"github.com/baixapay/baixa/services/gateways"
	"github.com/baixapay/baixa/services/notifier"
	"github.com/baixapay/baixa/services/payments"
)

// Config says where things are. Data, HTTP and GRPC are required.
type Config struct {
	// Data is the folder of secrets and, without a DSN, of the database.
	Data secrets.Folder
	// DSN names a database to use. Empty: one is managed in Data.
	DSN string
	// HTTP and GRPC are addresses to listen on, such as 127.0.0.1:8080; port 0 takes a free one.
	HTTP, GRPC string
	// PublicURL is where buyers and providers reach HTTP. Empty: its own address.
	PublicURL string
	// TrustedProxies are believed when they say for whom they ask.
	TrustedProxies []string
	// WebhookHeaders are kept of webhooks besides the usual ones.
	WebhookHeaders []string
	// KeepWebhooks is how long webhooks' bytes are kept to be read again, ParkFor how long one waits for its sale. 0 is for ever.
	KeepWebhooks, ParkFor time.Duration
	// KeepClicks is how long clicks are kept that no sale was made with. 0 is for ever.
	KeepClicks time.Duration
	// Providers is a folder of further payment providers' files. Empty: only those that come with this system.
	Providers string
	// MetaURL and PixelScript replace Meta's addresses, for simulators. Empty: Meta's own.
	MetaURL, PixelScript string
	// TelegramURL replaces Telegram's address for bots that name none. Empty: Telegram's own.
	TelegramURL string
	// Version of the binary.
	Version string
	// PostgresLog receives the managed database's log. Nil drops it.
	PostgresLog io.Writer
	// Metrics is served at /metrics on loopback requests; nil: nothing there.
	Metrics http.Handler
}

// Stack is a running system.
type Stack struct {
	// URL is HTTP's own address, PublicURL the one in links, GRPC the front door's host:port.
	URL, PublicURL, GRPC string
	// OperatorKey is the operator's API key; NewKey tells that it was made by this start.
	OperatorKey string
	NewKey      bool

	c        Config
	postgres *pg.Server
	group    run.Group
	payments *payments.Service
	close    []func()
}

// Start opens everything; nothing is served before Run. When it fails, all that it had started is stopped.
func Start(ctx context.Context, c Config) (s *Stack, err error) {
	s = &Stack{c: c}
	opened := s // s is nil in the deferred function after `return nil, err`
	defer func() {
		if err != nil {
			opened.Close()
		}
	}()
	dsn := c.DSN
	if dsn == "" {
		if s.postgres, err = pg.Start(ctx, pg.ServerConfig{Dir: c.Data.Postgres(), Durable: true, Log: c.PostgresLog}); err != nil {
			return nil, err
		}
		dsn = s.postgres.DSN()
	}
	for name, migrate := range map[string]func(context.Context, string) error{"payments": payments.Migrate, "gateways": gateways.Migrate,
		"delivery": delivery.Migrate, "notifier": notifier.Migrate} {
		if err := migrate(ctx, dsn); err != nil {
			return nil, fmt.Errorf("migrate %s: %w", name, err)
		}
	}
	signer, err := c.Data.Signer()
	if err != nil {
		return nil, err
	}
	sealer, err := c.Data.Sealer()
	if err != nil {
		return nil, err
	}
	web, err := s.listen("http", c.HTTP)
	if err != nil {
		return nil, err
	}
	door, err := s.listen("grpc", c.GRPC)
	if err != nil {
		return nil, err
	}
	s.URL, s.GRPC = "http://"+web.Addr().String(), door.Addr().String()
	s.PublicURL = c.PublicURL
	if s.PublicURL == "" {
		s.PublicURL = s.URL
	}
	pages, err := s.wire(ctx, dsn, signer, sealer, door)
	if err != nil {
		return nil, err
	}
	s.group.Add("http", func(ctx context.Context) error { return run.HTTP(ctx, web, pages, 10*time.Second) })
	return s, s.operatorKey(ctx)
}

func (s *Stack) listen(name, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: expected an address such as 127.0.0.1:8080 that nobody else uses: %w", name, address, err)
	}
	s.close = append(s.close, func() { _ = l.Close() }) // served listeners are closed already
	return l, nil
}

// wire makes the four services and the connections between them.
func (s *Stack) wire(ctx context.Context, dsn string, signer *auth.Signer, sealer *seal.Sealer, front net.Listener) (http.Handler, error) {
	c := s.c
	memory := map[string]*rpc.Memory{}
	conns := map[string]*grpc.ClientConn{}
	for _, name := range []string{"gateways", "delivery", "notifier"} {
		memory[name] = rpc.NewMemory()
		conn, err := rpc.Dial(rpc.ClientConfig{Memory: memory[name], Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient},
			Stream: []grpc.StreamClientInterceptor{signer.StreamClient}})
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, func() { _ = conn.Close() }) // nothing is in flight any more
		conns[name] = conn
	}
	g, err := gateways.New(ctx, gateways.Config{DSN: dsn, Providers: c.Providers}, gateways.Deps{Listener: memory["gateways"].Listener(), Signer: signer, Sealer: sealer})
	if err != nil {
		return nil, err
	}
	s.add("gateways", g.Run, g.Close)
	d, err := delivery.New(ctx, delivery.Config{DSN: dsn, PublicURL: s.PublicURL, TrustedProxies: c.TrustedProxies, MetaURL: c.MetaURL, PixelScript: c.PixelScript},
		delivery.Deps{Listener: memory["delivery"].Listener(), Signer: signer, Sealer: sealer})
	if err != nil {
		return nil, err
	}
	s.add("delivery", d.Run, d.Close)
	n, err := notifier.New(ctx, notifier.Config{DSN: dsn, TelegramURL: c.TelegramURL}, notifier.Deps{Listener: memory["notifier"].Listener(), Signer: signer, Sealer: sealer})
	if err != nil {
		return nil, err
	}
	s.add("notifier", n.Run, n.Close)
	s.payments, err = payments.New(ctx, payments.Config{DSN: dsn, PublicURL: s.PublicURL, TrustedProxies: c.TrustedProxies, Version: c.Version, WebhookHeaders: c.WebhookHeaders,
		KeepWebhooks: c.KeepWebhooks, ParkFor: c.ParkFor, KeepClicks: c.KeepClicks},
		payments.Deps{Listeners: []net.Listener{front}, Gateways: conns["gateways"], Delivery: conns["delivery"], Notifier: conns["notifier"], Signer: signer, Sealer: sealer})
	if err != nil {
		return nil, err
	}
	s.add("payments", s.payments.Run, s.payments.Close)
	mux := http.NewServeMux()
	mux.Handle("/delivery/", d.Handler())
	mux.Handle("/ws", n.Handler())
	mux.Handle("/ws/", n.Handler())
	mux.Handle("/events", n.Handler())
	mux.Handle("/", s.payments.Handler())
	if c.Metrics != nil {
		mux.Handle("/metrics", c.Metrics)
	}
	return mux, nil
}

func (s *Stack) add(name string, runs func(context.Context) error, closes func()) {
	s.group.Add(name, runs)
	s.close = append(s.close, closes)
}

// operatorKey makes the first key of a new database, or reads the one that this folder keeps.
func (s *Stack) operatorKey(ctx context.Context) error {
	made, err := s.payments.OperatorKey(ctx)
	if err != nil {
		return fmt.Errorf("make operator key: %w", err)
	}
	if made != "" {
		s.OperatorKey, s.NewKey = made, true
		return s.c.Data.KeepOperatorKey(made)
	}
	s.OperatorKey, err = s.c.Data.OperatorKey()
	return err
}

// Run serves until ctx is done, or until the managed database or a service ends; then everything is stopped in order. It is
// called once.
func (s *Stack) Run(ctx context.Context) error {
	defer s.Close()
	if s.postgres != nil {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() {
			select {
			case <-s.postgres.Done():
				cancel(errors.New("the managed PostgreSQL ended; its log is in " + s.postgres.Dir()))
			case <-ctx.Done():
			}
		}()
	}
	err := s.group.Run(ctx)
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// Close gives back what Start opened. Calling it again, or after Run, does nothing.
func (s *Stack) Close() {
	for i := len(s.close) - 1; i >= 0; i-- {
		s.close[i]()
	}
	s.close = nil
	if s.postgres != nil {
		stop, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = s.postgres.Stop(stop) // its next start repairs what a hard stop leaves
		s.postgres = nil
	}
}
