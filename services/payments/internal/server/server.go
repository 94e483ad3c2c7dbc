// Package server is the payments service's gRPC face: it checks requests, keeps each caller within its merchant, and turns rows
// into messages.
package server

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/policy"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Config is what the server needs; every field but Policies, Provider, WebhookURL and Now is required.
type Config struct {
	Store    *store.Store
	Ledger   *ledger.Ledger
	Gateways gatewaysv1.GatewaysServiceClient
	Accounts gatewaysv1.AccountsServiceClient
	Delivery deliveryv1.DeliveryServiceClient
	Notifier notifierv1.NotifierServiceClient
	// Policies is what was configured. Nil means a book of the store's own, which is read when it is asked.
	Policies *policy.Book
	// Provider is the canonical name of a provider's name or alias. Nil takes every name.
	Provider func(string) (string, bool)
	// Title is how the provider of a name writes itself, for people. Nil: by its name.
	Title func(string) string
	// WebhookURL is the public https://host that providers are told to post to. Empty: they are told nothing.
	WebhookURL string
	// PublicURL is the public https://host of buyers' pages. Empty: no links to them are given out.
	PublicURL string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Server implements every service of payments but the one that takes webhooks.
type Server struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	paymentsv1.UnimplementedMerchantsServiceServer
	paymentsv1.UnimplementedPoliciesServiceServer
	paymentsv1.UnimplementedProofServiceServer
	paymentsv1.UnimplementedInboxServiceServer
	paymentsv1.UnimplementedClicksServiceServer
	paymentsv1.UnimplementedAlertsServiceServer
	Config
	accounts accounts
}

// New checks the configuration.
func New(c Config) (*Server, error) {
	if c.Store == nil || c.Ledger == nil || c.Gateways == nil || c.Accounts == nil || c.Delivery == nil || c.Notifier == nil {
		return nil, errors.New("server: Store, Ledger, Gateways, Accounts, Delivery and Notifier are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Title == nil {
		c.Title = func(name string) string { return name }
	}
	if c.Policies == nil {
		c.Policies = policy.New(c.Store)
	}
	s := &Server{Config: c}
	s.accounts.client, s.accounts.now = c.Accounts, c.Now
	return s, nil
}

// Register adds the services to g.
func (s *Server) Register(g grpc.ServiceRegistrar) {
	paymentsv1.RegisterPaymentsServiceServer(g, s)
	paymentsv1.RegisterMerchantsServiceServer(g, s)
	paymentsv1.RegisterClicksServiceServer(g, s)
	paymentsv1.RegisterPoliciesServiceServer(g, s)
	paymentsv1.RegisterProofServiceServer(g, s)
	paymentsv1.RegisterInboxServiceServer(g, s)
	paymentsv1.RegisterAlertsServiceServer(g, s)
}

// one is the merchant that a request is about, which must be named or be the caller's own.
func one(ctx context.Context, requested string) (payment.MerchantID, error) {
	text, err := auth.From(ctx).Merchant(requested)
	if err != nil {
		return payment.MerchantID{}, err
	}
	return merchantID(text)
}

// scope is the merchant whose rows exist for the caller; nil is all of them.
func scope(ctx context.Context, requested string) (*payment.MerchantID, error) {
	text, err := auth.From(ctx).Scope(requested)
	if err != nil || text == "" {
		return nil, err
	}
	m, err := merchantID(text)
	return &m, err
}

// sale finds a sale that the caller may see.
func (s *Server) sale(ctx context.Context, id string) (store.Sale, error) {
	m, err := scope(ctx, "")
	if err != nil {
		return store.Sale{}, err
	}
	pid, err := paymentID(id)
	if err != nil {
		return store.Sale{}, err
	}
	return s.Store.Get(ctx, pid, m)
}
