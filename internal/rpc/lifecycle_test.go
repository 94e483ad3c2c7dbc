package rpc_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/internal/rpc"
)

// newLogger logs everything as text; the builder may be read when the server has stopped.
func newLogger(w *strings.Builder) *slog.Logger {
	return slog.New(slog.NewTextHandler(&locked{w: w}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func TestServer_stopLetsCallsFinish(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		begun, release := make(chan struct{}), make(chan struct{})
		j := w.join(t, rpc.ServerConfig{Register: (&fake{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			close(begun)
			<-release
			return &testpb.SimpleResponse{Username: "done"}, ctx.Err()
		}}).register, StopLimit: limit}, rpc.ClientConfig{})
		type result struct {
			r   *testpb.SimpleResponse
			err error
		}
		answered := make(chan result, 1)
		go func() {
			r, err := j.client().UnaryCall(within(t), &testpb.SimpleRequest{})
			answered <- result{r, err}
		}()
		await(t, begun, "the call to begin")
		stopped := make(chan error, 1)
		go func() { stopped <- j.stop() }()
		select {
		case <-stopped:
			t.Fatal("the server stopped while a call was in flight")
		case <-time.After(30 * time.Millisecond):
		}
		close(release)
		if got := await(t, answered, "the answer"); got.err != nil || got.r.GetUsername() != "done" {
			t.Errorf("the call in flight got %v, %v", got.r, got.err)
		}
		if err := await(t, stopped, "the stop"); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestServer_stopCancelsCallsAfterTheLimit(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		begun := make(chan struct{})
		j := w.join(t, rpc.ServerConfig{Register: (&fake{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			close(begun)
			<-ctx.Done()
			return nil, ctx.Err()
		}}).register, StopLimit: 50 * time.Millisecond}, rpc.ClientConfig{})
		failed := make(chan error, 1)
		go func() {
			_, err := j.client().UnaryCall(within(t), &testpb.SimpleRequest{})
			failed <- err
		}()
		await(t, begun, "the call to begin")
		if err := j.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := await(t, failed, "the call to fail"); status.Code(err) != codes.Unavailable && status.Code(err) != codes.Canceled {
			t.Errorf("the call that outlived the limit got %v, want Unavailable or Canceled", err)
		}
	})
}

func TestServer_stopEndsLongStreamsAtOnce(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		j := w.join(t, rpc.ServerConfig{Register: (&fake{server: func(_ *testpb.StreamingOutputCallRequest, s grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
			if err := s.Send(&testpb.StreamingOutputCallResponse{}); err != nil {
				return err
			}
			<-s.Context().Done()
			return s.Context().Err()
		}}).register, StopLimit: time.Hour}, rpc.ClientConfig{})
		stream, err := j.client().StreamingOutputCall(within(t), &testpb.StreamingOutputCallRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		if err := j.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("the stream ended with %v, want Unavailable", err)
		}
	})
}

func TestServer_callsMadeBeforeItIsServedWait(t *testing.T) {
	m := rpc.NewMemory()
	s, err := rpc.NewServer(rpc.ServerConfig{Name: "test", Register: (&fake{}).register, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := rpc.Dial(rpc.ClientConfig{Memory: m})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answered := make(chan error, 1)
	go func() {
		_, err := testpb.NewTestServiceClient(conn).UnaryCall(within(t), &testpb.SimpleRequest{})
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a call without a server returned %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, m.Listener()) }()
	if err := await(t, answered, "the answer"); err != nil {
		t.Errorf("the call that waited: %v", err)
	}
	cancel()
	if err := await(t, served, "the stop"); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServer_notServingHoldsCallsBack(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		var calls atomic.Int64
		j := w.join(t, rpc.ServerConfig{Register: (&fake{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			calls.Add(1)
			return &testpb.SimpleResponse{}, nil
		}}).register}, rpc.ClientConfig{})
		if _, err := j.client().UnaryCall(within(t), &testpb.SimpleRequest{}); err != nil {
			t.Fatal(err)
		}
		j.SetServing("", false)
		reached := func() bool {
			before := calls.Load()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := j.client().UnaryCall(ctx, &testpb.SimpleRequest{})
			return err == nil || calls.Load() != before
		}
		for begin := time.Now(); reached(); {
			if time.Since(begin) > limit {
				t.Fatal("calls still pass although the server says that it is not serving")
			}
		}
		if reached() {
			t.Error("a call passes although the server has begun to hold them back")
		}
		j.SetServing("", true)
		if _, err := j.client().UnaryCall(within(t), &testpb.SimpleRequest{}); err != nil {
			t.Errorf("a call after it serves again: %v", err)
		}
	})
}

func TestServer_healthNeedsNoCredentials(t *testing.T) {
	refuse := status.Error(codes.Unauthenticated, "who are you")
	overWires(t, func(t *testing.T, w wire) {
		j := w.join(t, rpc.ServerConfig{Register: (&fake{}).register,
			Unary: []grpc.UnaryServerInterceptor{func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
				return nil, refuse
			}},
			Stream: []grpc.StreamServerInterceptor{func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error {
				return refuse
			}}}, rpc.ClientConfig{})
		h := healthpb.NewHealthClient(j.conn)
		for _, service := range []string{"", "grpc.testing.TestService"} {
			got, err := h.Check(within(t), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
				t.Errorf("health of %q: %v, %v", service, got, err)
			}
		}
		if _, err := j.client().UnaryCall(within(t), &testpb.SimpleRequest{}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("the service itself: %v, want Unauthenticated", err)
		}
	})
}

func TestServer_refusesPlainTCPBeyondLoopback(t *testing.T) {
	everywhere := func() net.Listener {
		l, err := net.Listen("tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	s, err := rpc.NewServer(rpc.ServerConfig{Name: "test", Register: (&fake{}).register, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	l := everywhere()
	if err := s.Serve(t.Context(), l); !errors.Is(err, rpc.ErrInsecure) {
		t.Errorf("Serve on %s: %v, want ErrInsecure", l.Addr(), err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the refused listener is left open: %v", err)
	}
	s, err = rpc.NewServer(rpc.ServerConfig{Name: "test", Register: (&fake{}).register, Log: quiet(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx, everywhere()); err != nil {
		t.Errorf("Serve with Insecure: %v", err)
	}
}

func TestServer_brokenListenerIsAnError(t *testing.T) {
	s, err := rpc.NewServer(rpc.ServerConfig{Name: "test", Register: (&fake{}).register, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Serve on a closed listener: %v, want an error that names the address", err)
	}
}

func TestDial_refusesWrongDescriptions(t *testing.T) {
	for _, c := range []struct {
		name string
		cc   rpc.ClientConfig
		want string
	}{
		{"nothing", rpc.ClientConfig{}, "Target or Memory"},
		{"both", rpc.ClientConfig{Target: "localhost:1", Memory: rpc.NewMemory()}, "Target or Memory"},
		{"plain name", rpc.ClientConfig{Target: "gateways:9002"}, "plain TCP"},
		{"plain address", rpc.ClientConfig{Target: "192.0.2.7:9002"}, "plain TCP"},
		{"plain dns name", rpc.ClientConfig{Target: "dns:///gateways:9002"}, "plain TCP"},
		{"short dns name", rpc.ClientConfig{Target: "dns:gateways:9002"}, "plain TCP"},
		{"name that begins like loopback", rpc.ClientConfig{Target: "localhost.example:9002"}, "plain TCP"},
		{"method", rpc.ClientConfig{Target: "localhost:1", Idempotent: []string{"Service.Method"}}, "/package.Service/Method"},
		{"negative", rpc.ClientConfig{Target: "localhost:1", Timeout: -1}, "negative"},
		{"certificates", rpc.ClientConfig{Target: "localhost:1", TLS: &rpc.TLSConfig{}}, "CertFile"},
	} {
		conn, err := rpc.Dial(c.cc)
		if err == nil {
			_ = conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
	for _, target := range []string{"localhost:1", "127.0.0.1:1", "[::1]:1", "dns:///localhost:1", "unix:///run/x", "passthrough:///127.0.0.1:1"} {
		conn, err := rpc.Dial(rpc.ClientConfig{Target: target})
		if err != nil {
			t.Errorf("%s: %v, want it allowed", target, err)
			continue
		}
		_ = conn.Close()
	}
}

func TestNewServer_refusesWrongDescriptions(t *testing.T) {
	ok := func(grpc.ServiceRegistrar) {}
	for _, c := range []struct {
		name string
		sc   rpc.ServerConfig
		want string
	}{
		{"name", rpc.ServerConfig{Register: ok}, "Name"},
		{"register", rpc.ServerConfig{Name: "x"}, "Register"},
		{"negative", rpc.ServerConfig{Name: "x", Register: ok, StopLimit: -1}, "negative"},
		{"certificates", rpc.ServerConfig{Name: "x", Register: ok, TLS: &rpc.TLSConfig{CertFile: "missing"}}, "CertFile"},
	} {
		if _, err := rpc.NewServer(c.sc); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}
