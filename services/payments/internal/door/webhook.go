package door

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/inbox"
)

// storeWithin is how long a provider is kept waiting before it is told to send again.
const storeWithin = 5 * time.Second

// WebhookConfig describes the webhook server. All fields are required.
type WebhookConfig struct {
	Inbox *inbox.Inbox
	// Provider resolves a name or alias from a URL, in any case, to the canonical name.
	Provider func(name string) (canonical string, ok bool)
	// Providers are the names to tell who asked for another one.
	Providers func() []string
}

// Webhooks is the WebhookService, over gRPC and, called directly, behind the HTTP routes.
type Webhooks struct {
	paymentsv1.UnimplementedWebhookServiceServer
	cfg WebhookConfig
}

// NewWebhooks checks the configuration.
func NewWebhooks(c WebhookConfig) (*Webhooks, error) {
	if c.Inbox == nil || c.Provider == nil || c.Providers == nil {
		return nil, errors.New("door: webhooks need Inbox, Provider and Providers")
	}
	return &Webhooks{cfg: c}, nil
}

// ReceiveWebhook stores a webhook and returns when it is durable; see the contract. A remote address that the caller claims
// is believed only from this process.
func (s *Webhooks) ReceiveWebhook(ctx context.Context, req *paymentsv1.ReceiveWebhookRequest) (*paymentsv1.ReceiveWebhookResponse, error) {
	name, err := s.Resolve(req.GetProvider())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	receipt, err := s.cfg.Inbox.Put(ctx, inbox.Webhook{Provider: name, AccountKey: req.GetAccountKey(), SaleKey: req.GetSaleKey(),
		Body: req.GetBody(), ContentType: req.GetContentType(), Headers: req.GetHeaders(), RemoteAddr: remoteAddr(ctx, req)})
	var field *inbox.FieldError
	switch {
	case errors.As(err, &field):
		return nil, rpcerr.Invalid(field.Field, field.Expected)
	case err != nil:
		return nil, rpcerr.Unavailable("the webhook could not be stored; send it again")
	}
	return &paymentsv1.ReceiveWebhookResponse{ReceiptId: receipt.ID.String(), Duplicate: receipt.Duplicate}, nil
}

// Resolve is the canonical name of a provider: INVALID_ARGUMENT for what cannot be a name, NOT_FOUND with the known ones for
// an unknown one.
func (s *Webhooks) Resolve(name string) (string, error) {
	if name == "" || len(name) > 64 || strings.IndexFunc(name, odd) >= 0 {
		return "", rpcerr.Invalid("provider", "the name of a provider: letters, digits, dashes and underscores")
	}
	canonical, ok := s.cfg.Provider(name)
	if !ok {
		return "", status.Errorf(codes.NotFound, "unknown provider %q; known are %s", name, strings.Join(s.cfg.Providers(), ", "))
	}
	return canonical, nil
}

func odd(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

func remoteAddr(ctx context.Context, req *paymentsv1.ReceiveWebhookRequest) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil && !inProcess(p) {
		a := clientAddr(ctx)
		if !a.IsValid() {
			return ""
		}
		return a.String()
	}
	return req.GetRemoteAddr()
}
