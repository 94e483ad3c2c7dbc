package gateways_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/gateways"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const merchant = "01920000-0000-7000-8000-00000000000a"

func newSealer(t testing.TB) *seal.Sealer {
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

func newSigner(t testing.TB) *auth.Signer {
	t.Helper()
	s, err := auth.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs the service until the returned function is called.
func start(t testing.TB, dsn string, sealer *seal.Sealer) (*grpc.ClientConn, func()) {
	t.Helper()
	memory, signer := rpc.NewMemory(), newSigner(t)
	s, err := gateways.New(t.Context(), gateways.Config{DSN: dsn}, gateways.Deps{Listener: memory.Listener(), Signer: signer, Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	conn, err := rpc.Dial(rpc.ClientConfig{Memory: memory, Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient}})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		select {
		case err := <-ran:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(90 * time.Second):
			t.Error("did not stop within 90 s")
		}
	}
	t.Cleanup(stop)
	return conn, stop
}

func putAccount(t testing.TB, conn *grpc.ClientConn, base string) *gatewaysv1.Account {
	t.Helper()
	resp, err := gatewaysv1.NewAccountsServiceClient(conn).PutAccount(t.Context(), &gatewaysv1.PutAccountRequest{MerchantId: merchant, Provider: "atomopay",
		BaseUrl: base, CallsPerMinute: 10_000_000, Credentials: map[string]string{"api_token": "token-of-a-test"}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetAccount()
}

func provider(t testing.TB) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":77,"payment_status":"waiting_payment","amount":1990,"customer":{"name":"x"}}`))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestService_keepsAccountsAndCountersOverARestart(t *testing.T) {
	db, sealer := pgtest.New(t), newSealer(t)
	for range 2 { // the second changes nothing
		if err := gateways.Migrate(t.Context(), db.DSN()); err != nil {
			t.Fatal(err)
		}
	}
	conn, stop := start(t, db.DSN(), sealer)
	a := putAccount(t, conn, provider(t))
	look := &gatewaysv1.GetPaymentStatusRequest{MerchantId: merchant, AccountId: a.GetId(), Ref: &gatewaysv1.ChargeRef{Hash: "h1"}}
	resp, err := gatewaysv1.NewGatewaysServiceClient(conn).GetPaymentStatus(t.Context(), look)
	if err != nil || resp.GetResult().GetReading().GetStatus() != gatewaysv1.ChargeStatus_CHARGE_STATUS_PENDING {
		t.Fatalf("look: %v, %v", resp, err)
	}
	stop() // the counters are written at the latest now
	conn, _ = start(t, db.DSN(), sealer)
	list, err := gatewaysv1.NewAccountsServiceClient(conn).ListAccounts(t.Context(), &gatewaysv1.ListAccountsRequest{})
	if err != nil || len(list.GetAccounts()) != 1 {
		t.Fatalf("accounts: %v, %v", list, err)
	}
	if got := list.GetAccounts()[0]; got.GetCallsLastMinute() != 1 || got.GetLastSuccessAt() == nil || got.GetAccountKey() != a.GetAccountKey() {
		t.Errorf("account after the restart: %v", got)
	}
}

func TestNew_refusesWhatCannotWork(t *testing.T) {
	db, sealer := pgtest.New(t), newSealer(t)
	deps := gateways.Deps{Listener: rpc.NewMemory().Listener(), Signer: newSigner(t), Sealer: sealer}
	if _, err := gateways.New(t.Context(), gateways.Config{DSN: db.DSN()}, deps); !errors.Is(err, pg.ErrBehind) {
		t.Errorf("not migrated: %v", err)
	}
	if err := gateways.Migrate(t.Context(), db.DSN()); err != nil {
		t.Fatal(err)
	}
	conn, stop := start(t, db.DSN(), sealer)
	putAccount(t, conn, "")
	stop()
	other := deps
	other.Sealer = newSealer(t)
	if _, err := gateways.New(t.Context(), gateways.Config{DSN: db.DSN()}, other); err == nil || !strings.Contains(err.Error(), "keyset") {
		t.Errorf("another keyset: %v", err)
	}
	if _, err := gateways.New(t.Context(), gateways.Config{DSN: db.DSN()}, gateways.Deps{}); err == nil {
		t.Error("no dependencies: no error")
	}
}

func TestConfig_namesEveryWrongField(t *testing.T) {
	err := gateways.Config{MaxConns: -1, CallTimeout: time.Minute, Parallel: -1, Visible: -1, BreakerFailures: -1, BreakerFirst: time.Hour, Quiet: -1}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"DSN", "MaxConns", "CallTimeout", "Parallel", "Visible", "BreakerFailures", "BreakerLimit", "Quiet"} {
		if !strings.Contains(err.Error(), field+": expected") {
			t.Errorf("%s is not named in %q", field, err)
		}
	}
	if err := (gateways.Config{DSN: "postgres://x"}).Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
}
