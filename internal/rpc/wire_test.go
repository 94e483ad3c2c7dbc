package rpc_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/internal/rpc"
)

type valueKey struct{}

func TestWire_metadataGoesBothWays(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		j := w.join(t, rpc.ServerConfig{Register: (&fake{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			if v := ctx.Value(valueKey{}); v != nil {
				t.Errorf("the server sees the client's context value %v", v)
			}
			if md, ok := metadata.FromOutgoingContext(ctx); ok {
				t.Errorf("the server has the client's outgoing metadata: %v", md)
			}
			if m, _ := grpc.Method(ctx); m != unaryMethod {
				t.Errorf("grpc.Method = %q, want %q", m, unaryMethod)
			}
			if p, ok := peer.FromContext(ctx); !ok || p.Addr == nil || (p.Addr.String() == "memory") != (w.name == "memory") {
				t.Errorf("the server's peer is %v over %s", p, w.name)
			}
			md, _ := metadata.FromIncomingContext(ctx)
			if err := grpc.SetHeader(ctx, metadata.Pairs("x-h", strings.Join(md["x-in"], "+"))); err != nil {
				return nil, err
			}
			if err := grpc.SendHeader(ctx, metadata.Pairs("x-h2", "b")); err != nil {
				return nil, err
			}
			if err := grpc.SetHeader(ctx, metadata.Pairs("x-late", "c")); err == nil {
				t.Error("SetHeader after SendHeader succeeded")
			}
			if err := grpc.SetTrailer(ctx, metadata.Pairs("x-t-bin", md["x-raw-bin"][0])); err != nil {
				return nil, err
			}
			return &testpb.SimpleResponse{}, nil
		}}).register}, rpc.ClientConfig{})
		ctx := context.WithValue(within(t), valueKey{}, "secret of the client")
		ctx = metadata.AppendToOutgoingContext(ctx, "X-In", "1", "x-in", "2", "x-raw-bin", "\x00\xff")
		var header, trailer metadata.MD
		if _, err := j.client().UnaryCall(ctx, &testpb.SimpleRequest{}, grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
			t.Fatal(err)
		}
		delete(header, "content-type")
		if d := cmp.Diff(metadata.Pairs("x-h", "1+2", "x-h2", "b"), header); d != "" {
			t.Errorf("header (-want +got):\n%s", d)
		}
		if d := cmp.Diff(metadata.Pairs("x-t-bin", "\x00\xff"), trailer); d != "" {
			t.Errorf("trailer (-want +got):\n%s", d)
		}
	})
}

func TestWire_messagesAreCopies(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		kept := make(chan *testpb.SimpleRequest, 1)
		answer := &testpb.SimpleResponse{Payload: &testpb.Payload{Body: []byte("answer")}}
		j := w.join(t, rpc.ServerConfig{Register: (&fake{unary: func(_ context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			kept <- r
			return answer, nil
		}}).register}, rpc.ClientConfig{})
		request := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: []byte("request")}}
		got, err := j.client().UnaryCall(within(t), request)
		if err != nil {
			t.Fatal(err)
		}
		request.Payload.Body[0], got.Payload.Body[0] = 'X', 'X'
		if b := string((<-kept).GetPayload().GetBody()); b != "request" {
			t.Errorf("the client changed the server's request to %q", b)
		}
		if b := string(answer.Payload.Body); b != "answer" {
			t.Errorf("the client changed the server's answer to %q", b)
		}
	})
}

func TestWire_badMessagesAreRefusedAlike(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		var calls atomic.Int64
		j := w.join(t, rpc.ServerConfig{MaxRecvBytes: 1000, Register: (&fake{unary: func(_ context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			calls.Add(1)
			return &testpb.SimpleResponse{Payload: &testpb.Payload{Body: make([]byte, r.GetResponseSize())}}, nil
		}}).register}, rpc.ClientConfig{MaxRecvBytes: 2000})
		cases := []struct {
			name    string
			request *testpb.SimpleRequest
			key     string
			value   string
			want    codes.Code
			reached int64
		}{
			{"request too large", &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, 1001)}}, "", "", codes.ResourceExhausted, 0},
			{"answer too large", &testpb.SimpleRequest{ResponseSize: 2001}, "", "", codes.ResourceExhausted, 1},
			{"text that is no UTF-8", &testpb.SimpleRequest{ResponseStatus: &testpb.EchoStatus{Message: "\xff"}}, "", "", codes.Internal, 0},
			{"metadata that HTTP cannot carry", &testpb.SimpleRequest{}, "x-in", "a\nb", codes.Internal, 0},
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				calls.Store(0)
				ctx := within(t)
				if c.key != "" {
					ctx = metadata.AppendToOutgoingContext(ctx, c.key, c.value)
				}
				_, err := j.client().UnaryCall(ctx, c.request)
				if got := status.Code(err); got != c.want {
					t.Errorf("code %s (%v), want %s", got, err, c.want)
				}
				if calls.Load() != c.reached {
					t.Errorf("the handler was called %d times, want %d", calls.Load(), c.reached)
				}
			})
		}
	})
}

func TestWire_deadlines(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		j := w.join(t, rpc.ServerConfig{Timeout: time.Minute, MaxTimeout: 5 * time.Minute, Register: (&fake{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			at, ok := ctx.Deadline()
			if !ok {
				return nil, errors.New("no deadline")
			}
			return &testpb.SimpleResponse{OauthScope: time.Until(at).Round(time.Minute).String()}, nil
		}}).register}, rpc.ClientConfig{Timeout: 3 * time.Minute})
		in := func(d time.Duration) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			t.Cleanup(cancel)
			return ctx
		}
		for _, c := range []struct {
			name string
			ctx  context.Context
			want string
		}{
			{"none given: the client's default", t.Context(), "3m0s"},
			{"given", in(2 * time.Minute), "2m0s"},
			{"beyond the server's most", in(time.Hour), "5m0s"},
		} {
			got, err := j.client().UnaryCall(c.ctx, &testpb.SimpleRequest{})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if got.GetOauthScope() != c.want {
				t.Errorf("%s: the server has %s left, want %s", c.name, got.GetOauthScope(), c.want)
			}
		}
	})
}

func TestWire_callerLeavesAtItsDeadline(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		release, seen := make(chan struct{}), make(chan error, 1)
		var begun atomic.Bool
		j := w.join(t, rpc.ServerConfig{Register: (&fake{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			begun.Store(true)
			<-ctx.Done()
			seen <- ctx.Err()
			<-release // a handler that does not care
			return &testpb.SimpleResponse{}, nil
		}}).register}, rpc.ClientConfig{})
		defer close(release)
		for patience := 50 * time.Millisecond; !begun.Load() && patience < limit; patience *= 2 { // until one is long enough to get there
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := j.client().UnaryCall(ctx, &testpb.SimpleRequest{})
			cancel()
			if status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("got %v, want DeadlineExceeded", err)
			}
		}
		if err := await(t, seen, "the handler to see the end"); err == nil {
			t.Error("the handler's context has no error")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := j.client().UnaryCall(ctx, &testpb.SimpleRequest{}); status.Code(err) != codes.Canceled {
			t.Errorf("a call with a dead context: got %v, want Canceled", err)
		}
	})
}

func TestWire_errorsAreMapped(t *testing.T) {
	errDomain := errors.New("sale 7 of a secret table is locked")
	overWires(t, func(t *testing.T, w wire) {
		var log strings.Builder
		logger := newLogger(&log)
		answers := map[string]func() error{
			"status":    func() error { return withDetails(t, codes.InvalidArgument, "amount", "at least 1") },
			"domain":    func() error { return errDomain },
			"unknown":   func() error { return errors.New("pq: relation \"secret\" does not exist") },
			"panic":     func() error { panic("a body") },
			"cancelled": func() error { return context.Canceled },
		}
		j := w.join(t, rpc.ServerConfig{Log: logger, Register: (&fake{unary: func(_ context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			return nil, answers[r.GetResponseStatus().GetMessage()]()
		}}).register, Status: func(err error) error {
			if errors.Is(err, errDomain) {
				return status.Error(codes.Aborted, "sale is locked")
			}
			return err // a mapping that forgets the rest must not leak it
		}}, rpc.ClientConfig{})
		for _, c := range []struct {
			ask  string
			code codes.Code
			text string
		}{
			{"status", codes.InvalidArgument, "bad request"},
			{"domain", codes.Aborted, "sale is locked"},
			{"unknown", codes.Internal, "internal error"},
			{"panic", codes.Internal, "internal error"},
			{"cancelled", codes.Internal, "internal error"},
		} {
			_, err := j.client().UnaryCall(within(t), &testpb.SimpleRequest{ResponseStatus: &testpb.EchoStatus{Message: c.ask}})
			s := status.Convert(err)
			if s.Code() != c.code || s.Message() != c.text {
				t.Errorf("%s: got %s %q, want %s %q", c.ask, s.Code(), s.Message(), c.code, c.text)
			}
			if c.ask == "status" {
				bad, ok := slices.Concat(s.Details(), []any{nil})[0].(*errdetails.BadRequest)
				if !ok || bad.GetFieldViolations()[0].GetField() != "amount" {
					t.Errorf("details are lost: %v", s.Details())
				}
			}
		}
		if err := j.stop(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"a value of type string", "wire_test.go", `relation`, "rpc_code=Internal", "rpc_method=" + unaryMethod} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q, it must tell operators what callers are not told:\n%s", want, log.String())
			}
		}
		if strings.Contains(log.String(), "a body") {
			t.Errorf("the log has what was thrown, which may be a secret:\n%s", log.String())
		}
	})
}

func withDetails(t *testing.T, code codes.Code, field, expected string) error {
	s, err := status.New(code, "bad request").WithDetails(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: expected}}})
	if err != nil {
		t.Error(err)
	}
	return s.Err()
}

func TestWire_onlyIdempotentMethodsAreRetried(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		for _, c := range []struct {
			name       string
			idempotent []string
			code       codes.Code
			failures   int64
			want       codes.Code
			calls      int64
		}{
			{"idempotent", []string{unaryMethod}, codes.Unavailable, 2, codes.OK, 3},
			{"idempotent, down for good", []string{unaryMethod}, codes.Unavailable, 99, codes.Unavailable, 4},
			{"idempotent, other code", []string{unaryMethod}, codes.Aborted, 1, codes.Aborted, 1},
			{"not declared", nil, codes.Unavailable, 1, codes.Unavailable, 1},
		} {
			t.Run(c.name, func(t *testing.T) {
				var calls atomic.Int64
				j := w.join(t, rpc.ServerConfig{Register: (&fake{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					if calls.Add(1) <= c.failures {
						return nil, status.Error(c.code, "not now")
					}
					return &testpb.SimpleResponse{}, nil
				}}).register}, rpc.ClientConfig{Idempotent: c.idempotent})
				_, err := j.client().UnaryCall(within(t), &testpb.SimpleRequest{})
				if status.Code(err) != c.want || calls.Load() != c.calls {
					t.Errorf("%v after %d calls, want %s after %d", err, calls.Load(), c.want, c.calls)
				}
			})
		}
	})
}

func TestWire_interceptorsRunInOrderOnBothSides(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		var order []string
		client := func(name string) grpc.UnaryClientInterceptor {
			return func(ctx context.Context, m string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				order = append(order, name)
				return next(ctx, m, req, reply, cc, opts...)
			}
		}
		server := func(name string) grpc.UnaryServerInterceptor {
			return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				order = append(order, name+" "+info.FullMethod)
				return next(ctx, req)
			}
		}
		j := w.join(t, rpc.ServerConfig{Register: (&fake{}).register, Unary: []grpc.UnaryServerInterceptor{server("s1"), server("s2")}},
			rpc.ClientConfig{Unary: []grpc.UnaryClientInterceptor{client("c1"), client("c2")}})
		if _, err := j.client().UnaryCall(within(t), &testpb.SimpleRequest{}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"c1", "c2", "s1 " + unaryMethod, "s2 " + unaryMethod}, order); d != "" {
			t.Errorf("order (-want +got):\n%s", d)
		}
	})
}
