// Package server is the gRPC side of the gateways service: it checks requests and callers, asks providers through their adapters
// as far as the gate lets it, and translates between the contract and what they say.
//
// It refuses to decide what becomes of a sale, to keep anything of a buyer, and to let an error out but those of errors.go.
package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider/registry"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

// Defaults of Config.
const (
	DefaultCallTimeout = 10 * time.Second
	DefaultVisible     = 2 * time.Minute
)

const maxBatch = 500

// Config says what a Server works with. Everything without a default must be set.
type Config struct {
	Registry *registry.Registry
	Store    *store.Store
	Book     *account.Book
	Gate     *gate.Gate
	Sealer   *seal.Sealer
	// CallTimeout bounds what one question may take at a provider; the caller's deadline may be nearer. 0 is the default.
	CallTimeout time.Duration
	// Visible is how long a provider may need to show a new charge: only a reference that is still unknown after it may be
	// asked for again. 0 is the default.
	Visible time.Duration
	// HedgeAfter is when a slow look is repeated beside itself where a read is free. 0 is the default.
	HedgeAfter time.Duration
	// Parallel is how many calls of one account one batch makes at once; 0 is gate.DefaultParallel.
	Parallel int
	// Log and Meter default to the process's own.
	Log   *slog.Logger
	Meter metric.MeterProvider
}

// Server implements both services of the contract. It is safe for concurrent use.
type Server struct {
	c       Config
	told    metrics
	shadows shadows
}

// New checks c.
func New(c Config) (*Server, error) {
	if c.Registry == nil || c.Store == nil || c.Book == nil || c.Gate == nil || c.Sealer == nil {
		return nil, errors.New("gateways server: a registry, a store, a book, a gate and a sealer are needed")
	}
	if c.CallTimeout < 0 || c.Visible < 0 || c.Parallel < 0 {
		return nil, errors.New("gateways server: a limit is negative")
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = DefaultCallTimeout
	}
	if c.Visible == 0 {
		c.Visible = DefaultVisible
	}
	if c.HedgeAfter <= 0 {
		c.HedgeAfter = DefaultHedgeAfter
	}
	if c.Parallel == 0 {
		c.Parallel = gate.DefaultParallel
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &Server{c: c}
	return s, s.told.init(c.Meter)
}

// Register registers both services.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	gatewaysv1.RegisterGatewaysServiceServer(r, gateways{Server: s})
	gatewaysv1.RegisterAccountsServiceServer(r, accounts{Server: s})
}

type gateways struct {
	*Server
	gatewaysv1.UnimplementedGatewaysServiceServer
}

type accounts struct {
	*Server
	gatewaysv1.UnimplementedAccountsServiceServer
}

// merchant is the one merchant that a request is about.
func merchant(ctx context.Context, requested string) (account.MerchantID, error) {
	if !auth.From(ctx).Known() {
		return account.MerchantID{}, rpcerr.Unauthenticated("a signed principal is needed")
	}
	text, err := auth.From(ctx).Merchant(requested)
	if err != nil {
		return account.MerchantID{}, err
	}
	m, err := account.ParseMerchantID(text)
	if err != nil {
		return account.MerchantID{}, rpcerr.Invalid("merchant_id", "a UUID")
	}
	return m, nil
}

// scope is merchant for requests that an operator may make about all; then it is zero.
func scope(ctx context.Context, requested string) (account.MerchantID, error) {
	text, err := auth.From(ctx).Scope(requested)
	if err != nil || text == "" {
		return account.MerchantID{}, err
	}
	m, err := account.ParseMerchantID(text)
	if err != nil {
		return account.MerchantID{}, rpcerr.Invalid("merchant_id", "a UUID")
	}
	return m, nil
}

// owned is one account of one merchant.
func (s *Server) owned(ctx context.Context, merchantID, accountID string) (*account.Account, error) {
	m, err := merchant(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	id, err := account.ParseID(accountID)
	if err != nil {
		return nil, rpcerr.Invalid("account_id", "a UUID, as PutAccount returned it")
	}
	k := account.Key{Merchant: m, Account: id}
	found, err := s.c.Book.Get(ctx, []account.Key{k})
	if err != nil {
		return nil, err
	}
	if a := found[k]; a != nil {
		return a, nil
	}
	return nil, rpcerr.NotFound("account_id: account")
}
