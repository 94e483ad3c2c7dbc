package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/baixapay/baixa/internal/rpc"
)

// forwarded joins client → front → back over the wire w on both legs and returns the front.
func forwarded(t *testing.T, w wire, back *fake, director func(context.Context, string) (context.Context, error)) *joined {
	t.Helper()
	b := w.join(t, rpc.ServerConfig{Register: back.register, StopLimit: time.Second}, rpc.ClientConfig{})
	if director == nil {
		director = func(ctx context.Context, _ string) (context.Context, error) { return ctx, nil }
	}
	h, err := rpc.Forward(rpc.ForwardConfig{Conns: map[string]*grpc.ClientConn{"grpc.testing.TestService": b.conn}, Director: director})
	if err != nil {
		t.Fatal(err)
	}
	return w.join(t, rpc.ServerConfig{Register: func(grpc.ServiceRegistrar) {}, Unknown: h, StopLimit: limit}, rpc.ClientConfig{})
}

func TestForward_unaryPassesEverythingThrough(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		var got metadata.MD
		back := &fake{unary: func(ctx context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			got, _ = metadata.FromIncomingContext(ctx)
			if err := errors.Join(grpc.SetHeader(ctx, metadata.Pairs("x-h", "h")), grpc.SetTrailer(ctx, metadata.Pairs("x-t", "t"))); err != nil {
				return nil, err
			}
			if r.GetResponseStatus() != nil {
				return nil, withDetails(t, codes.InvalidArgument, "amount", "at least 1")
			}
			return &testpb.SimpleResponse{Payload: r.GetPayload()}, nil
		}}
		front := forwarded(t, w, back, func(ctx context.Context, method string) (context.Context, error) {
			if method != unaryMethod {
				t.Errorf("director was asked for %q", method)
			}
			return metadata.AppendToOutgoingContext(ctx, "x-assertion", "merchant 7"), nil
		})
		ctx := metadata.AppendToOutgoingContext(within(t), "authorization", "Bearer key")

		for _, size := range []int{0, 10, 100 << 10, 3 << 20} {
			request := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, size)}}
			if size == 0 {
				request = &testpb.SimpleRequest{}
			}
			var header, trailer metadata.MD
			answer, err := front.client().UnaryCall(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if !proto.Equal(request.Payload, answer.Payload) {
				t.Errorf("%d bytes come back changed", size)
			}
			if d := cmp.Diff([]string{"h", "t"}, append(header["x-h"], trailer["x-t"]...)); d != "" {
				t.Errorf("header and trailer (-want +got):\n%s", d)
			}
		}
		if len(got["authorization"]) != 0 || cmp.Diff([]string{"merchant 7"}, got["x-assertion"]) != "" {
			t.Errorf("the back got authorization %v and x-assertion %v, want only what the director chose", got["authorization"], got["x-assertion"])
		}

		var trailer metadata.MD
		_, err := front.client().UnaryCall(ctx, &testpb.SimpleRequest{ResponseStatus: &testpb.EchoStatus{Code: 3}}, grpc.Trailer(&trailer))
		want := status.Convert(withDetails(t, codes.InvalidArgument, "amount", "at least 1")).Proto()
		if d := cmp.Diff(want, status.Convert(err).Proto(), protocmp.Transform()); d != "" {
			t.Errorf("status (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"t"}, trailer["x-t"]); d != "" {
			t.Errorf("trailer of a refusal (-want +got):\n%s", d)
		}
	})
}

func TestForward_streamsBothWays(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		back := &fake{both: func(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
			if err := s.SendHeader(metadata.Pairs("x-h", "h")); err != nil {
				return err
			}
			s.SetTrailer(metadata.Pairs("x-t", "t"))
			for {
				r, err := s.Recv()
				if errors.Is(err, io.EOF) {
					return status.Error(codes.DataLoss, "the end")
				} else if err != nil {
					return err
				}
				if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: r.GetPayload()}); err != nil {
					return err
				}
			}
		}}
		front := forwarded(t, w, back, nil)
		stream, err := front.client().FullDuplexCall(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			body := []byte(strings.Repeat(fmt.Sprint(i), 1+i*200))
			if err := stream.Send(&testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: body}}); err != nil {
				t.Fatal(err)
			}
			got, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if string(got.GetPayload().GetBody()) != string(body) {
				t.Fatalf("message %d comes back changed", i)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		if s := status.Convert(err); s.Code() != codes.DataLoss || s.Message() != "the end" {
			t.Errorf("the stream ended with %v, want the back's own status", err)
		}
		header, err := stream.Header()
		if err != nil || cmp.Diff([]string{"h"}, header["x-h"]) != "" || cmp.Diff([]string{"t"}, stream.Trailer()["x-t"]) != "" {
			t.Errorf("header %v (%v) and trailer %v, want h and t", header, err, stream.Trailer())
		}
	})
}

func TestForward_callerWhoLeavesEndsTheBack(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		ended := make(chan error, 1)
		back := &fake{server: func(_ *testpb.StreamingOutputCallRequest, s grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
			if err := s.Send(&testpb.StreamingOutputCallResponse{}); err != nil {
				return err
			}
			<-s.Context().Done()
			ended <- s.Context().Err()
			return s.Context().Err()
		}}
		front := forwarded(t, w, back, nil)
		ctx, cancel := context.WithCancel(within(t))
		stream, err := front.client().StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := await(t, ended, "the back to see that the caller left"); err == nil {
			t.Error("the back's context has no error")
		}
	})
}

func TestForward_messageThatCannotBeReadEndsTheCall(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		ended := make(chan error, 1)
		back := &fake{both: func(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
			_, err := s.Recv()
			ended <- err
			return err
		}}
		front := forwarded(t, w, back, nil)
		stream, err := front.client().FullDuplexCall(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: make([]byte, rpc.DefaultMaxBytes)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("the caller got %v, want ResourceExhausted", err)
		}
		if err := await(t, ended, "the back to be told"); status.Code(err) != codes.Canceled {
			t.Errorf("the back got %v, want Canceled", err)
		}
	})
}

// TestForward_stopLetsUnaryCallsFinish: to gRPC every forwarded call is a stream, but only true streams are cut by a stop.
func TestForward_stopLetsUnaryCallsFinish(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		begun, release := make(chan struct{}), make(chan struct{})
		back := &fake{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			close(begun)
			select {
			case <-release:
			case <-ctx.Done():
			}
			return &testpb.SimpleResponse{Username: "done"}, ctx.Err()
		}}
		front := forwarded(t, w, back, nil)
		answered := make(chan error, 1)
		go func() {
			r, err := front.client().UnaryCall(within(t), &testpb.SimpleRequest{})
			if err == nil && r.GetUsername() != "done" {
				err = fmt.Errorf("answer %v", r)
			}
			answered <- err
		}()
		await(t, begun, "the call to begin")
		stopped := make(chan error, 1)
		go func() { stopped <- front.stop() }()
		select {
		case err := <-answered:
			t.Errorf("the stop ended the call in flight: %v", err)
		case <-time.After(30 * time.Millisecond):
			close(release)
			if err := await(t, answered, "the answer"); err != nil {
				t.Errorf("the call in flight: %v", err)
			}
		}
		if err := await(t, stopped, "the stop"); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestForward_unaryCallsWithoutDeadlineGetOne(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		var left atomic.Int64
		back := &fake{unary: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			if at, ok := ctx.Deadline(); ok {
				left.Store(int64(time.Until(at)))
			}
			return &testpb.SimpleResponse{}, nil
		}}
		front := forwarded(t, w, back, nil)
		// NewStream has no default deadline on the client's side, unlike Invoke.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := front.conn.NewStream(ctx, &grpc.StreamDesc{}, unaryMethod)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(stream.SendMsg(&testpb.SimpleRequest{}), stream.CloseSend(), stream.RecvMsg(&testpb.SimpleResponse{})); err != nil {
			t.Fatal(err)
		}
		if d := time.Duration(left.Load()); d <= 0 || d > rpc.DefaultTimeout {
			t.Errorf("the back has %s left, want at most the front's default of %s", d, rpc.DefaultTimeout)
		}
	})
}

func TestForward_refusals(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		down := &fake{unary: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			return nil, status.Error(codes.Unavailable, "dial tcp 10.0.0.3:5432: connection refused")
		}}
		front := forwarded(t, w, down, func(ctx context.Context, method string) (context.Context, error) {
			if strings.HasSuffix(method, "/EmptyCall") {
				return nil, status.Error(codes.PermissionDenied, "not for you")
			}
			return ctx, nil
		})
		_, err := front.client().UnaryCall(within(t), &testpb.SimpleRequest{})
		if s := status.Convert(err); s.Code() != codes.Unavailable || s.Message() != "grpc.testing.TestService is not available" {
			t.Errorf("a back that is down: %v, want Unavailable without inner addresses", err)
		}
		if _, err := front.client().EmptyCall(within(t), &testpb.Empty{}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("the director's refusal: %v, want PermissionDenied", err)
		}
		err = front.conn.Invoke(within(t), "/other.Service/Call", &testpb.Empty{}, &testpb.Empty{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("an unknown service: %v, want Unimplemented", err)
		}
	})
}

func TestForward_refusesWrongDescriptions(t *testing.T) {
	if _, err := rpc.Forward(rpc.ForwardConfig{}); err == nil || !strings.Contains(err.Error(), "Director") {
		t.Errorf("without Director: %v", err)
	}
	c := rpc.ForwardConfig{Director: func(ctx context.Context, _ string) (context.Context, error) { return ctx, nil }, Conns: map[string]*grpc.ClientConn{"a.B": nil}}
	if _, err := rpc.Forward(c); err == nil || !strings.Contains(err.Error(), "a.B") {
		t.Errorf("with a nil connection: %v", err)
	}
}

// TestForward_unknownFieldsSurvive: the front may be older than caller and back.
func TestForward_unknownFieldsSurvive(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		var got []byte
		front := forwarded(t, w, &fake{unary: func(_ context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			got = r.ProtoReflect().GetUnknown()
			return &testpb.SimpleResponse{}, nil
		}}, nil)
		request := &testpb.SimpleRequest{}
		unknown := []byte{0xf8, 0x7f, 0x2a} // field 2047, varint 42
		if err := proto.Unmarshal(unknown, request); err != nil {
			t.Fatal(err)
		}
		if _, err := front.client().UnaryCall(within(t), request); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(unknown, got); d != "" {
			t.Errorf("unknown field (-want +got):\n%s", d)
		}
	})
}
