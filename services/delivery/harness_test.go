package delivery_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/delivery"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	merchantA = "01930000-0000-7000-8000-00000000000a"
	merchantB = "01930000-0000-7000-8000-00000000000b"
	botA      = "01930000-0000-7000-8000-000000000b01"
	public    = "https://pay.example.com"
	phone     = "Mozilla/5.0 (Linux; Android 14; SM-A155M) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36"
)

// world is what replicas of one service share.
type world struct {
	t      *testing.T
	ctx    context.Context
	dsn    string
	sealer *seal.Sealer
	signer *auth.Signer
	meta   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	return worldOn(t, pgtest.New(t).DSN())
}

func worldOn(t *testing.T, dsn string) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	if err := delivery.Migrate(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	signer, err := auth.NewSigner([]byte("an invented key that services share"))
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, ctx: ctx, dsn: dsn, sealer: newSealer(t), signer: signer}
}

func newSealer(t *testing.T) *seal.Sealer {
	t.Helper()
	keyset, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(keyset)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// replica is one running service with connections to it.
type replica struct {
	deliveryv1.DeliveryServiceClient
	pixels deliveryv1.PixelsServiceClient
	links  deliveryv1.LinksServiceClient
	conn   *grpc.ClientConn
	bare   *grpc.ClientConn // signs nothing
	pages  http.Handler
	stop   func()
}

func (w *world) config(edit ...func(*delivery.Config)) delivery.Config {
	c := delivery.Config{DSN: w.dsn, PublicURL: public}
	if w.meta != "" {
		c.MetaURL = w.meta
	}
	for _, e := range edit {
		e(&c)
	}
	return c
}

func (w *world) start(edit ...func(*delivery.Config)) *replica {
	w.t.Helper()
	memory := rpc.NewMemory()
	s, err := delivery.New(w.ctx, w.config(edit...), delivery.Deps{
		Listener: memory.Listener(), Signer: w.signer, Sealer: w.sealer, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := rpc.Dial(rpc.ClientConfig{
		Memory: memory, Unary: []grpc.UnaryClientInterceptor{w.signer.UnaryClient}, Stream: []grpc.StreamClientInterceptor{w.signer.StreamClient},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	bare, err := rpc.Dial(rpc.ClientConfig{Memory: memory})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	stop := func() {
		cancel()
		<-done
	}
	w.t.Cleanup(func() {
		_ = conn.Close()
		_ = bare.Close()
		stop()
	})
	return &replica{
		DeliveryServiceClient: deliveryv1.NewDeliveryServiceClient(conn), pixels: deliveryv1.NewPixelsServiceClient(conn),
		links: deliveryv1.NewLinksServiceClient(conn),
		conn:  conn, bare: bare, pages: s.Handler(), stop: stop,
	}
}

// as is the context of a merchant's call.
func (w *world) as(merchant string) context.Context {
	return auth.With(w.ctx, auth.Principal{MerchantID: merchant, KeyID: "test"})
}

// request asks for the link of a new sale of merchant A.
func request() *deliveryv1.IssueTokenRequest {
	return &deliveryv1.IssueTokenRequest{
		MerchantId: merchantA, PaymentId: uuid.Must(uuid.NewV7()).String(), BotId: botA, ProductName: "Curso de violão",
		Amount: &typev1.Money{Centavos: 1990}, AccessUrl: "https://t.me/+invented",
	}
}

func (w *world) issue(r *replica, req *deliveryv1.IssueTokenRequest) *deliveryv1.IssueTokenResponse {
	w.t.Helper()
	out, err := r.IssueToken(w.ctx, req)
	if err != nil {
		w.t.Fatalf("IssueToken: %v", err)
	}
	return out
}

// visit opens a link as a phone does.
func (r *replica) visit(token string) *httptest.ResponseRecorder {
	return r.visitFrom(token, "203.0.113.9:4711")
}

// visitFrom opens a link from an address, with the cookies that an earlier answer set.
func (r *replica) visitFrom(token, from string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodGet, "/delivery/"+token, nil)
	req.Header.Set("User-Agent", phone)
	req.RemoteAddr = from
	for _, c := range cookies {
		req.AddCookie(c)
	}
	w := httptest.NewRecorder()
	r.pages.ServeHTTP(w, req)
	return w
}

func (w *world) get(r *replica, req *deliveryv1.IssueTokenRequest) *deliveryv1.Delivery {
	w.t.Helper()
	out, err := r.GetDelivery(w.ctx, &deliveryv1.GetDeliveryRequest{PaymentId: req.GetPaymentId()})
	if err != nil {
		w.t.Fatalf("GetDelivery: %v", err)
	}
	return out.GetDelivery()
}

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: %v, want %v (%v)", what, got, want, err)
	}
}
