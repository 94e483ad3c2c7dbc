package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/declarative"
	"github.com/baixapay/baixa/services/gateways/internal/provider/registry"
	"github.com/baixapay/baixa/services/gateways/internal/server"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// never is when a test gives up.
const never = 90 * time.Second

const (
	ana    = "01920000-0000-7000-8000-00000000000a"
	beto   = "01920000-0000-7000-8000-00000000000b"
	canary = "cnr-7Yq2-WONT-LEAK-93kd"
	pix    = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D"
)

// world is the service as production wires it, on a real database, with a provider of our own on loopback.
type world struct {
	*shop
	t      *testing.T
	db     *pgtest.DB
	sealer *seal.Sealer
	signer *auth.Signer
	replica
}

// replica is one running server and clients of it.
type replica struct {
	gateways gatewaysv1.GatewaysServiceClient
	accounts gatewaysv1.AccountsServiceClient
	store    *store.Store
	book     *account.Book
	gate     *gate.Gate
	conn     *grpc.ClientConn
	memory   *rpc.Memory
}

// tuning are the settings that a test may need otherwise.
type tuning struct {
	gate.Config
	callTimeout, visible time.Duration
	hedge                time.Duration
	client               provider.ClientConfig
	open                 bool     // no interceptor checks who calls
	more                 []string // files of further providers
	adapters             []provider.Adapter
	meter                metric.MeterProvider
}

func newWorld(t *testing.T, change ...func(*tuning)) *world {
	t.Helper()
	w := &world{t: t, shop: newShop(t), db: pgtest.New(t, store.Schema)}
	keyset, err := seal.Generate()
	if err == nil {
		w.sealer, err = seal.New(keyset)
	}
	if err == nil {
		w.signer, err = auth.NewSigner([]byte(strings.Repeat("k", 32)))
	}
	if err != nil {
		t.Fatal(err)
	}
	w.replica = w.serve(change...)
	return w
}

// serve starts one more replica on the same database.
func (w *world) serve(change ...func(*tuning)) replica {
	w.t.Helper()
	t := w.t
	set := tuning{callTimeout: 5 * time.Second}
	for _, c := range change {
		c(&set)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var r replica
	var err error
	r.store, err = store.New(w.db.Pool(t, store.Schema))
	must(err)
	client, err := provider.NewClient(set.client)
	must(err)
	deps := provider.Deps{Client: client}
	var more []provider.Adapter
	for _, text := range set.more {
		a, err := declarative.Load(deps, "test.yaml", []byte(text))
		must(err)
		more = append(more, a)
	}
	known, err := registry.New(deps, append(more, set.adapters...)...)
	must(err)
	r.book, err = account.NewBook(account.BookConfig{Loader: r.store, Sealer: w.sealer})
	must(err)
	set.Store, set.Book, set.Meter = r.store, r.book, set.meter
	r.gate, err = gate.New(set.Config)
	must(err)
	srv, err := server.New(server.Config{Registry: known, Store: r.store, Book: r.book, Gate: r.gate, Sealer: w.sealer, CallTimeout: set.callTimeout,
		Visible: set.visible, HedgeAfter: set.hedge, Log: set.Log, Meter: set.meter})
	must(err)
	config := rpc.ServerConfig{Name: "gateways", Register: srv.Register, Status: server.Status, Log: set.Log, MaxTimeout: 30 * time.Second}
	if !set.open {
		config.Unary = []grpc.UnaryServerInterceptor{w.signer.UnaryServer}
	}
	s, err := rpc.NewServer(config)
	must(err)
	memory := rpc.NewMemory()
	r.memory = memory
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, memory.Listener()) }()
	r.conn, err = rpc.Dial(rpc.ClientConfig{Memory: memory, Unary: []grpc.UnaryClientInterceptor{w.signer.UnaryClient}})
	must(err)
	t.Cleanup(func() {
		must(r.conn.Close())
		stop()
		must(<-served)
	})
	r.gateways, r.accounts = gatewaysv1.NewGatewaysServiceClient(r.conn), gatewaysv1.NewAccountsServiceClient(r.conn)
	return r
}

// account puts one of ana's accounts at a provider that answers here.
func (w *world) account(name string, change ...func(*gatewaysv1.PutAccountRequest)) *gatewaysv1.Account {
	w.t.Helper()
	resp, err := w.accounts.PutAccount(w.t.Context(), w.putRequest(name, change...))
	if err != nil {
		w.t.Fatalf("put %s account: %v", name, err)
	}
	return resp.GetAccount()
}

func (w *world) putRequest(name string, change ...func(*gatewaysv1.PutAccountRequest)) *gatewaysv1.PutAccountRequest {
	secret := map[string]string{"atomopay": "api_token", "paradise": "api_key", "pushinpay": "token", "umbrellapag": "api_key", "bolt": "secret_key"}[name]
	req := &gatewaysv1.PutAccountRequest{MerchantId: ana, Provider: name, BaseUrl: w.url, Credentials: map[string]string{secret: canary}, CallsPerMinute: 1_000_000}
	if name == "atomopay" {
		req.Credentials["offer_hash"], req.Credentials["product_hash"] = "of1", "pr1"
	}
	if name == "bolt" {
		req.Credentials["company_id"] = canary
	}
	for _, c := range change {
		c(req)
	}
	return req
}

func question(a *gatewaysv1.Account, ref *gatewaysv1.ChargeRef) *gatewaysv1.GetPaymentStatusRequest {
	return &gatewaysv1.GetPaymentStatusRequest{MerchantId: a.GetMerchantId(), AccountId: a.GetId(), Ref: ref}
}

func hash(h string) *gatewaysv1.ChargeRef { return &gatewaysv1.ChargeRef{Hash: h} }

// look asks about one charge.
func (r replica) look(t *testing.T, a *gatewaysv1.Account, ref *gatewaysv1.ChargeRef) *gatewaysv1.PollResult {
	t.Helper()
	resp, err := r.gateways.GetPaymentStatus(t.Context(), question(a, ref))
	if err != nil {
		t.Fatalf("look: %v", err)
	}
	return resp.GetResult()
}

func (r replica) find(t *testing.T, id string) *gatewaysv1.Account {
	t.Helper()
	resp, err := r.accounts.ListAccounts(t.Context(), &gatewaysv1.ListAccountsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range resp.GetAccounts() {
		if a.GetId() == id {
			return a
		}
	}
	t.Fatalf("account %s is not listed", id)
	return nil
}

// equal compares messages, or reports how they differ.
func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantCode(t *testing.T, what string, err error, want codes.Code, mentions ...string) {
	t.Helper()
	if status.Code(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
		return
	}
	for _, m := range mentions {
		if !strings.Contains(status.Convert(err).Message(), m) {
			t.Errorf("%s: %q does not mention %q", what, status.Convert(err).Message(), m)
		}
	}
}

func brl(centavos int64) *typev1.Money { return &typev1.Money{Centavos: centavos, Currency: "BRL"} }

func merchantCtx(t *testing.T, id string) context.Context {
	return auth.With(t.Context(), auth.Principal{MerchantID: id})
}

// shop is a provider that does what a test says.
type shop struct {
	url      string
	mu       sync.Mutex
	answer   http.HandlerFunc
	requests []string // method and path with query
	bodies   []string
	changed  chan struct{}
}

func newShop(t *testing.T) *shop {
	s := &shop{changed: make(chan struct{})}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, 64<<10)
	n, _ := r.Body.Read(body)
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	s.bodies = append(s.bodies, string(body[:n]))
	answer := s.answer
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if answer == nil {
		answer = says(http.StatusNotFound, `{"message":"no such thing"}`)
	}
	answer(w, r)
}

// on sets what the provider answers from now on.
func (s *shop) on(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *shop) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *shop) lastBody() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bodies) == 0 {
		return ""
	}
	return s.bodies[len(s.bodies)-1]
}

// wait waits until the provider was asked n times.
func (s *shop) wait(t *testing.T, n int) {
	t.Helper()
	limit := time.After(never)
	for {
		s.mu.Lock()
		enough, changed := len(s.requests) >= n, s.changed
		s.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("asked %d times within %s, want %d", s.count(), never, n)
		}
	}
}

// says answers always the same.
func says(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// log collects everything that is logged.
type log struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
