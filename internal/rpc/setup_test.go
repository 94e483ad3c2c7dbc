package rpc_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/baixapay/baixa/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit bounds what tests wait for; none of them is expected to come near it.
const limit = 90 * time.Second

// fake is a service whose methods are the test's functions.
type fake struct {
	testpb.UnimplementedTestServiceServer
	unary  func(ctx context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error)
	server func(r *testpb.StreamingOutputCallRequest, s grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error
	both   func(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error
}

func (f *fake) UnaryCall(ctx context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if f.unary == nil {
		return &testpb.SimpleResponse{Payload: r.GetPayload(), Username: r.GetResponseStatus().GetMessage()}, nil
	}
	return f.unary(ctx, r)
}

func (f *fake) StreamingOutputCall(r *testpb.StreamingOutputCallRequest, s grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
	return f.server(r, s)
}

func (f *fake) FullDuplexCall(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
	return f.both(s)
}

func (f *fake) register(g grpc.ServiceRegistrar) { testpb.RegisterTestServiceServer(g, f) }

const unaryMethod = "/grpc.testing.TestService/UnaryCall"

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// wire is one way to join a server and a client.
type wire struct {
	name string
	open func(t testing.TB) (net.Listener, rpc.ClientConfig, *rpc.TLSConfig)
}

var wires = []wire{
	{"memory", func(testing.TB) (net.Listener, rpc.ClientConfig, *rpc.TLSConfig) {
		m := rpc.NewMemory()
		return m.Listener(), rpc.ClientConfig{Memory: m}, nil
	}},
	{"tcp", func(t testing.TB) (net.Listener, rpc.ClientConfig, *rpc.TLSConfig) {
		l := listen(t)
		return l, rpc.ClientConfig{Target: l.Addr().String()}, nil
	}},
	{"mtls", func(t testing.TB) (net.Listener, rpc.ClientConfig, *rpc.TLSConfig) {
		l, files := listen(t), newAuthority(t).issue(t, t.TempDir())
		return l, rpc.ClientConfig{Target: l.Addr().String(), TLS: files}, files
	}},
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// joined is a running server with a connection to it.
type joined struct {
	*rpc.Server
	conn *grpc.ClientConn
	stop func() error // stops the server and waits; later calls return the first result
}

func (j *joined) client() testpb.TestServiceClient { return testpb.NewTestServiceClient(j.conn) }

// join serves sc over the wire; everything ends with the test.
func (w wire) join(t *testing.T, sc rpc.ServerConfig, cc rpc.ClientConfig) *joined {
	t.Helper()
	l, where, files := w.open(t)
	sc.Name, sc.TLS = "test", files
	if sc.Log == nil {
		sc.Log = quiet()
	}
	cc.Target, cc.Memory, cc.TLS = where.Target, where.Memory, where.TLS
	s, err := rpc.NewServer(sc)
	if err != nil {
		t.Fatalf("NewServer: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	conn, err := rpc.Dial(cc)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	awaitServing(t, rpc.ClientConfig{Target: cc.Target, Memory: cc.Memory, TLS: cc.TLS})
	j := &joined{s, conn, sync.OnceValue(func() error { cancel(); return <-served })}
	t.Cleanup(func() {
		_ = conn.Close()
		if err := j.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return j
}

// awaitServing returns when Serve has begun, so that calls over Memory are direct.
func awaitServing(t *testing.T, cc rpc.ClientConfig) {
	t.Helper()
	conn, err := rpc.Dial(cc)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	defer conn.Close()
	if _, err := healthpb.NewHealthClient(conn).Check(within(t), &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatalf("health: %v", err)
	}
}

// overWires runs the test over every transport: what holds for one must hold for all.
func overWires(t *testing.T, f func(t *testing.T, w wire)) {
	for _, w := range wires {
		t.Run(w.name, func(t *testing.T) { f(t, w) })
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// await fails the test when c is not ready in time.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(limit):
		t.Fatalf("waited %s for %s", limit, what)
		panic("unreachable")
	}
}
