// Package server is the gRPC side of the delivery service: it checks requests and callers, makes tokens, and translates between
// contract and store.
//
// It refuses to return a token that the caller could not have asked for, and lets no error out but those of errors.go.
package server

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// Config says what a Server works with. Store, Sealer, Keys and PublicURL must be set.
type Config struct {
	Store     *store.Store
	Sealer    *seal.Sealer
	Keys      func(context.Context) (*token.Ring, error) // reads the keys again; called at start and when a version is missing
	PublicURL string                                     // the links are PublicURL/delivery/{token}
	Lifetime  time.Duration                              // of new links where a merchant has no policy; 0 means for ever
	MaxOpens  int32                                      // of new links where a merchant has no policy; 0 means without limit
	Version   string                                     // of the Graph API, shown for pixels that name none
	Queued    func()                                     // called when Purchases may have become due; may be nil
}

// Server implements DeliveryService, PixelsService and LinksService. It is safe for concurrent use.
type Server struct {
	deliveryv1.UnimplementedDeliveryServiceServer
	deliveryv1.UnimplementedPixelsServiceServer
	deliveryv1.UnimplementedLinksServiceServer
	cfg  Config
	base string

	mu   sync.RWMutex
	ring *token.Ring
}

// New checks c and reads the token keys.
func New(ctx context.Context, c Config) (*Server, error) {
	if c.Store == nil || c.Sealer == nil || c.Keys == nil {
		return nil, errors.New("delivery server: a store, a sealer and token keys are needed")
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Hostname() == "" {
		return nil, errors.New("delivery server: a public URL is needed, such as https://pay.example.com")
	}
	s := &Server{cfg: c, base: strings.TrimRight(c.PublicURL, "/") + "/delivery/"}
	if _, err := s.reload(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Register adds the services to g.
func (s *Server) Register(g grpc.ServiceRegistrar) {
	deliveryv1.RegisterDeliveryServiceServer(g, s)
	deliveryv1.RegisterPixelsServiceServer(g, s)
	deliveryv1.RegisterLinksServiceServer(g, s)
}

func (s *Server) keys() *token.Ring {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ring
}

func (s *Server) reload(ctx context.Context) (*token.Ring, error) {
	ring, err := s.cfg.Keys(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ring = ring
	return ring, nil
}

// derive makes a token; a version that a replica with newer keys introduced is looked for once.
func (s *Server) derive(ctx context.Context, n token.Name) (token.Token, error) {
	t, err := s.keys().Derive(n)
	if !errors.Is(err, token.ErrNoKey) {
		return t, err
	}
	ring, err := s.reload(ctx)
	if err != nil {
		return token.Token{}, err
	}
	return ring.Derive(n)
}

// merchant is the merchant that the caller may ask about.
func merchant(ctx context.Context, requested string) (sale.MerchantID, error) {
	text, err := auth.From(ctx).Merchant(requested)
	if err != nil {
		return sale.MerchantID{}, err
	}
	id, err := sale.ParseMerchantID(text)
	if err != nil {
		return id, rpcerr.Invalid("merchant_id", "a UUID")
	}
	return id, nil
}

// scope is merchant, but nil for an operator who names none.
func scope(ctx context.Context, requested string) (*sale.MerchantID, error) {
	text, err := auth.From(ctx).Scope(requested)
	if err != nil || text == "" {
		return nil, err
	}
	id, err := sale.ParseMerchantID(text)
	if err != nil {
		return nil, rpcerr.Invalid("merchant_id", "a UUID")
	}
	return &id, nil
}
