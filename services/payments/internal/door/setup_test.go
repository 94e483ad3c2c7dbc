package door

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/payments/internal/inbox"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

const limit = 90 * time.Second

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(pgtest.Run(m))
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func newSigner(t testing.TB, letter string) *auth.Signer {
	t.Helper()
	s, err := auth.NewSigner(bytes.Repeat([]byte(letter), 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// whoami is a PaymentsService that answers with its caller.
type whoami struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (whoami) GetPayment(ctx context.Context, _ *paymentsv1.GetPaymentRequest) (*paymentsv1.GetPaymentResponse, error) {
	p := auth.From(ctx)
	kind := "merchant"
	if p.Operator {
		kind = "operator"
	}
	return &paymentsv1.GetPaymentResponse{Payment: &paymentsv1.Payment{Id: kind, MerchantId: p.MerchantID, ExternalId: p.KeyID}}, nil
}

// house is a door on a real database with a server behind it, and a connection through a network of the test's choice.
type house struct {
	store  *store.Store
	door   *Door
	clock  *clock
	signer *auth.Signer
	memory *grpc.ClientConn
	tcp    *grpc.ClientConn
}

func build(t *testing.T, s *store.Store) *house {
	t.Helper()
	h := &house{store: s, clock: newClock(), signer: newSigner(t, "k")}
	var err error
	if h.door, err = New(Config{Keys: s, Signer: h.signer, Now: h.clock.now}); err != nil {
		t.Fatal(err)
	}
	hooks, err := NewWebhooks(WebhookConfig{Inbox: openInbox(t, s), Provider: provider, Providers: providers})
	if err != nil {
		t.Fatal(err)
	}
	m := rpc.NewMemory()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := rpc.ServerConfig{Name: "payments", Unary: []grpc.UnaryServerInterceptor{h.door.UnaryServer},
		Stream: []grpc.StreamServerInterceptor{h.door.StreamServer},
		Register: func(r grpc.ServiceRegistrar) {
			paymentsv1.RegisterPaymentsServiceServer(r, whoami{})
			paymentsv1.RegisterWebhookServiceServer(r, hooks)
		},
		Status: func(err error) error { return rpcerr.Final(err, nil) }}
	serve(t, c, m.Listener())
	serve(t, c, l)
	h.memory = dial(t, rpc.ClientConfig{Memory: m})
	h.tcp = dial(t, rpc.ClientConfig{Target: l.Addr().String()})
	return h
}

func serve(t *testing.T, c rpc.ServerConfig, l net.Listener) {
	t.Helper()
	c.StopLimit = time.Second
	server, err := rpc.NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func dial(t *testing.T, c rpc.ClientConfig) *grpc.ClientConn {
	t.Helper()
	conn, err := rpc.Dial(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func openInbox(t *testing.T, s *store.Store) *inbox.Inbox {
	t.Helper()
	raw, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	in, err := inbox.New(inbox.Config{Store: s, Seal: sealer})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = in.Run(ctx) // never an error
	}()
	t.Cleanup(func() { cancel(); <-done })
	return in
}

func provider(name string) (string, bool) {
	canonical, ok := map[string]string{"atomopay": "atomopay", "pushinpay": "pushinpay", "pushynpay": "pushinpay"}[name]
	return canonical, ok
}

func providers() []string { return []string{"atomopay", "pushinpay"} }

// newKey stores a key of a merchant, made on the way, or of an operator.
func (h *house) newKey(t *testing.T, operator bool) (text string, id [16]byte, merchant string) {
	t.Helper()
	row := store.APIKey{ID: uuid.New(), Name: "test"}
	if !operator {
		m := payment.MerchantID(uuid.New())
		if _, _, err := h.store.CreateMerchant(within(t), store.Merchant{ID: m, Name: "Loja"}); err != nil {
			t.Fatal(err)
		}
		row.MerchantID, merchant = &m, m.String()
	}
	text, row.Hash = auth.NewKey(row.ID)
	if _, err := h.store.CreateKey(within(t), row); err != nil {
		t.Fatal(err)
	}
	return text, row.ID, merchant
}
