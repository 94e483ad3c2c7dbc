package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/door"
	"github.com/baixapay/baixa/services/payments/internal/inbox"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const limit = 90 * time.Second

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	otel.SetTracerProvider(sdktrace.NewTracerProvider())
	otel.SetTextMapPropagator(propagation.TraceContext{})
	os.Exit(pgtest.Run(m))
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// fake is a PaymentsService with one sale a merchant, whose id is the merchant's.
type fake struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	mu      sync.Mutex
	created *paymentsv1.CreatePaymentRequest
	listed  *paymentsv1.ListPaymentsRequest
	md      metadata.MD
	trace   string
}

func (f *fake) note(ctx context.Context, set func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.md, _ = metadata.FromIncomingContext(ctx)
	f.trace = trace.SpanContextFromContext(ctx).TraceID().String()
	set()
}

func (f *fake) CreatePayment(ctx context.Context, req *paymentsv1.CreatePaymentRequest) (*paymentsv1.CreatePaymentResponse, error) {
	f.note(ctx, func() { f.created = req })
	if _, err := auth.From(ctx).Merchant(req.GetMerchantId()); err != nil {
		return nil, err
	}
	var wrong rpcerr.Fields
	wrong.Require(req.GetAmount().GetCentavos() > 0, "amount.centavos", "above zero")
	wrong.Require(req.GetBotId() != "", "bot_id", "the selling bot")
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return &paymentsv1.CreatePaymentResponse{Payment: &paymentsv1.Payment{Id: "new", Amount: req.GetAmount(), Status: paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING}}, nil
}

func (f *fake) GetPayment(ctx context.Context, req *paymentsv1.GetPaymentRequest) (*paymentsv1.GetPaymentResponse, error) {
	f.note(ctx, func() {})
	if p := auth.From(ctx); !p.Operator && p.MerchantID != req.GetPaymentId() {
		return nil, rpcerr.NotFound("payment")
	}
	return &paymentsv1.GetPaymentResponse{Payment: &paymentsv1.Payment{Id: req.GetPaymentId()}}, nil
}

func (f *fake) ListPayments(ctx context.Context, req *paymentsv1.ListPaymentsRequest) (*paymentsv1.ListPaymentsResponse, error) {
	f.note(ctx, func() { f.listed = req })
	_, err := auth.From(ctx).Scope(req.GetMerchantId())
	return &paymentsv1.ListPaymentsResponse{}, err
}

// house is the whole front: HTTP, door, inbox, database; behind it the fake, and a leaf that answers everything.
type house struct {
	url   string
	store *store.Store
	inbox *inbox.Inbox
	fake  *fake
	ready func(context.Context) error
}

func build(t *testing.T, s *store.Store) *house {
	t.Helper()
	h := &house{store: s, fake: &fake{}, ready: func(context.Context) error { return nil }}
	signer, err := auth.NewSigner(bytes.Repeat([]byte("k"), 32))
	must(t, err)
	d, err := door.New(door.Config{Keys: s, Signer: signer})
	must(t, err)
	h.inbox = openInbox(t, s)
	hooks, err := door.NewWebhooks(door.WebhookConfig{Inbox: h.inbox, Provider: provider, Providers: func() []string { return []string{"atomopay", "pushinpay"} }})
	must(t, err)
	leaf := serve(t, rpc.ServerConfig{Name: "leaf", Register: func(grpc.ServiceRegistrar) {}, Stream: []grpc.StreamServerInterceptor{signer.StreamServer},
		Unknown: func(_ any, stream grpc.ServerStream) error {
			if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
				return err
			}
			return stream.SendMsg(&emptypb.Empty{})
		}}, rpc.ClientConfig{Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient}, Stream: []grpc.StreamClientInterceptor{signer.StreamClient}})
	forward, err := d.Forward(door.Leaves{Gateways: leaf, Delivery: leaf, Notifier: leaf})
	must(t, err)
	conn := serve(t, rpc.ServerConfig{Name: "payments", Unknown: forward, Unary: []grpc.UnaryServerInterceptor{d.UnaryServer},
		Stream: []grpc.StreamServerInterceptor{d.StreamServer},
		Register: func(r grpc.ServiceRegistrar) {
			paymentsv1.RegisterPaymentsServiceServer(r, h.fake)
			paymentsv1.RegisterMerchantsServiceServer(r, paymentsv1.UnimplementedMerchantsServiceServer{})
			paymentsv1.RegisterAlertsServiceServer(r, paymentsv1.UnimplementedAlertsServiceServer{})
			paymentsv1.RegisterWebhookServiceServer(r, hooks)
		},
		Status: func(err error) error { return rpcerr.Final(err, nil) }}, rpc.ClientConfig{})
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("a page under " + r.URL.Path)) })
	proxies, err := visitor.ParseProxies([]string{"127.0.0.0/8"})
	must(t, err)
	handler, err := New(Config{Conn: conn, Pay: pages, Go: pages, Webhooks: hooks, Headers: h.inbox.Headers, Version: "1.2.3",
		Ready: func(ctx context.Context) error { return h.ready(ctx) }, Proxies: proxies})
	must(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func serve(t *testing.T, c rpc.ServerConfig, client rpc.ClientConfig) *grpc.ClientConn {
	t.Helper()
	m := rpc.NewMemory()
	c.StopLimit = time.Second
	server, err := rpc.NewServer(c)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, m.Listener()) }()
	client.Memory = m
	conn, err := rpc.Dial(client)
	must(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return conn
}

func openInbox(t *testing.T, s *store.Store) *inbox.Inbox {
	t.Helper()
	raw, err := seal.Generate()
	must(t, err)
	sealer, err := seal.New(raw)
	must(t, err)
	in, err := inbox.New(inbox.Config{Store: s, Seal: sealer})
	must(t, err)
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
	canonical, ok := map[string]string{"atomopay": "atomopay", "pushinpay": "pushinpay", "pushynpay": "pushinpay"}[strings.ToLower(name)]
	return canonical, ok
}

// newKey stores a key of a merchant, made on the way, or of an operator.
func (h *house) newKey(t *testing.T, operator bool) (text, merchant string) {
	t.Helper()
	row := store.APIKey{ID: uuid.New(), Name: "test"}
	if !operator {
		m := payment.MerchantID(uuid.New())
		_, _, err := h.store.CreateMerchant(within(t), store.Merchant{ID: m, Name: "Loja"})
		must(t, err)
		row.MerchantID, merchant = &m, m.String()
	}
	text, row.Hash = auth.NewKey(row.ID)
	_, err := h.store.CreateKey(within(t), row)
	must(t, err)
	return text, merchant
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem is the answer's body, strictly.
func (a answer) problem(t *testing.T) (p problem) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("answer %d is no problem: %v: %s", a.status, err, a.body)
	}
	return p
}

// do sends a request; header are pairs of name and value.
func (h *house) do(t testing.TB, method, path string, body io.Reader, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), method, h.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}
