package payments

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/delivery/deliverytest"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/notifier/notifiertest"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// house is everything that the service needs, with the owners' fakes for the leaves.
type house struct {
	t        *testing.T
	config   Config
	deps     Deps
	memory   *rpc.Memory
	gateways *gatewaystest.Fake
	delivery *deliverytest.Fake
	notifier *notifiertest.Fake
}

func newHouse(t *testing.T) *house {
	t.Helper()
	signer, err := auth.NewSigner([]byte("the key that the services of this test share"))
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(keyset)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, memory: rpc.NewMemory(), gateways: gatewaystest.New(t, gatewaystest.Config{Signer: signer}), notifier: notifiertest.New(),
		config: Config{DSN: pgtest.New(t, store.Schema).DSN(), Version: "test", PublicURL: "https://pay.example.com"}}
	h.notifier.AutoSend()
	gateways, err := rpc.Dial(rpc.ClientConfig{Memory: h.gateways.Memory(), Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gateways.Close() })
	h.deps = Deps{Listeners: []net.Listener{h.memory.Listener()}, Gateways: gateways, Notifier: h.notifier.Conn(t), Signer: signer, Sealer: sealer}
	h.delivery, h.deps.Delivery = deliverytest.Start(t)
	return h
}

// start runs a service until the test ends or the returned function is called.
func (h *house) start() (*Service, func()) {
	h.t.Helper()
	s, err := New(h.t.Context(), h.config, h.deps)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var stopped bool
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				h.t.Errorf("run: %v", err)
			}
		case <-time.After(90 * time.Second):
			h.t.Error("the service does not stop")
		}
	}
	h.t.Cleanup(stop)
	return s, stop
}

func TestService_settlesASaleThroughItsFrontDoor(t *testing.T) {
	h := newHouse(t)
	s, stop := h.start()
	secret, err := s.OperatorKey(t.Context())
	if err != nil || secret == "" {
		t.Fatal("no operator's key", err)
	}
	if again, err := s.OperatorKey(t.Context()); err != nil || again != "" {
		t.Errorf("a second key was made: %v", err)
	}
	conn, err := rpc.Dial(rpc.ClientConfig{Memory: h.memory})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	merchants, sales := paymentsv1.NewMerchantsServiceClient(conn), paymentsv1.NewPaymentsServiceClient(conn)
	if _, err := merchants.ListMerchants(t.Context(), &paymentsv1.ListMerchantsRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a key: %v", err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+secret)
	m, err := merchants.CreateMerchant(ctx, &paymentsv1.CreateMerchantRequest{Name: "Loja"})
	if err != nil {
		t.Fatal(err)
	}
	merchant := m.GetMerchant().GetId()
	if _, err := merchants.PutBot(ctx, &paymentsv1.PutBotRequest{MerchantId: merchant, ExternalId: "35"}); err != nil {
		t.Fatal(err)
	}
	account := h.gateways.AddAccount(gatewaystest.Account{MerchantID: merchant})
	made, err := sales.CreatePayment(ctx, &paymentsv1.CreatePaymentRequest{MerchantId: merchant, IdempotencyKey: "a", BotId: "35", AccountId: account.ID,
		Amount: &typev1.Money{Centavos: 1990}, Product: &paymentsv1.Product{Name: "Curso"}, Buyer: &paymentsv1.Buyer{TelegramId: 7}})
	if err != nil {
		t.Fatal(err)
	}
	hash := made.GetPayment().GetCharge().GetHash()
	h.gateways.Script(hash, gatewaystest.Paid(1990))
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	post(t, web.URL+"/webhook/payment/atomopay", `{"hash":"`+hash+`","status":"paid"}`, http.StatusOK)
	post(t, web.URL+"/webhook/payment/nobody", `{}`, http.StatusNotFound)
	var p *paymentsv1.Payment
	h.until("the message", func() bool {
		got, err := sales.GetPayment(ctx, &paymentsv1.GetPaymentRequest{PaymentId: made.GetPayment().GetId()})
		if err != nil {
			t.Fatal(err)
		}
		p = got.GetPayment()
		return p.GetFulfilment().GetMessage() == "sent"
	})
	if p.GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID || p.GetKnowledge().GetHints() != 1 || len(h.delivery.Issued()) != 1 {
		t.Errorf("payment: %v, %d links", p, len(h.delivery.Issued()))
	}
	stop()
	s.Close() // again does nothing
}

func post(t *testing.T, url, body string, want int) {
	t.Helper()
	r, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, _ := io.ReadAll(r.Body); r.StatusCode != want {
		t.Errorf("%s answers %d %s, want %d", url, r.StatusCode, text, want)
	}
}

func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	limit := time.NewTimer(90 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			h.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestService_restartGoesOn(t *testing.T) {
	h := newHouse(t)
	first, stop := h.start()
	secret, err := first.OperatorKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop()
	h.memory = rpc.NewMemory()
	h.deps.Listeners = []net.Listener{h.memory.Listener()}
	second, _ := h.start()
	if again, err := second.OperatorKey(t.Context()); err != nil || again != "" {
		t.Errorf("a restart makes another key: %v", err)
	}
	conn, err := rpc.Dial(rpc.ClientConfig{Memory: h.memory})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+secret)
	if _, err := paymentsv1.NewMerchantsServiceClient(conn).ListMerchants(ctx, &paymentsv1.ListMerchantsRequest{}); err != nil {
		t.Errorf("the first key after a restart: %v", err)
	}
}

func TestNew_refusesWhatCannotWork(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		change func(*Config, *Deps)
		says   string
	}{
		"setting":      {func(c *Config, _ *Deps) { c.MaxConns = -1 }, "MaxConns"},
		"no sealer":    {func(_ *Config, d *Deps) { d.Sealer = nil }, "sealer"},
		"no leaf":      {func(_ *Config, d *Deps) { d.Notifier = nil }, "connections"},
		"no listener":  {func(_ *Config, d *Deps) { d.Listeners = nil }, "listeners"},
		"not migrated": {func(c *Config, _ *Deps) { c.DSN = pgtest.New(t).DSN() }, "migrat"},
		"no database":  {func(c *Config, _ *Deps) { c.DSN = "postgres://u:hush@127.0.0.1:1/db" }, "connect"},
	} {
		config, deps := h.config, h.deps
		c.change(&config, &deps)
		s, err := New(t.Context(), config, deps)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
}

func TestProviders_namesBeforeAndAfterTheyAreKnown(t *testing.T) {
	p := &providers{client: gatewaystest.New(t, gatewaystest.Config{}).Gateways()}
	for _, name := range []string{"", "a b", "../x", "atomopay;", strings.Repeat("a", 41)} {
		if _, ok := p.resolve(name); ok {
			t.Errorf("%q is taken", name)
		}
	}
	if name, ok := p.resolve("PushynPay"); !ok || name != "pushynpay" || p.list() != nil {
		t.Errorf("before the gateways were asked: %q, %t", name, ok)
	}
	if title := p.title("pushinpay"); title != "Pushinpay" || p.title("") != "" {
		t.Errorf("before the gateways were asked people read %q", title)
	}
	if err := p.ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{"PushynPay": "pushinpay", "atomopay": "atomopay", "supremuspay": "", "unknown": ""} {
		if got, ok := p.resolve(in); got != want || ok != (want != "") {
			t.Errorf("%s is %q, %t", in, got, ok)
		}
	}
	for name, want := range map[string]string{"pushinpay": "PushinPay", "PushynPay": "PushinPay", "bolt": "Bolt Pagamentos", "unknown": "Unknown"} {
		if got := p.title(name); got != want {
			t.Errorf("people read %q for %s, want %q", got, name, want)
		}
	}
	// Which ones there are is the gateways' to say: supported ones by their canonical names, in order, and no others.
	got := p.list()
	if !slices.IsSorted(got) || !slices.Contains(got, "atomopay") || !slices.Contains(got, "pushinpay") {
		t.Errorf("supported: %v", got)
	}
	for _, name := range got {
		if canonical, ok := p.resolve(name); !ok || canonical != name {
			t.Errorf("listed as supported: %q, which is %q, %t", name, canonical, ok)
		}
	}
}
