package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that frameCodec falls back to
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ForwardConfig says where calls go.
type ForwardConfig struct {
	// Conns holds the connection of each full service name, like "baixa.gateways.v1.GatewaysService". Services that are
	// not in it are UNIMPLEMENTED.
	Conns map[string]*grpc.ClientConn
	// Director decides whether the call may pass and with what: it returns the context of the outgoing call, whose outgoing
	// metadata is all that the other side gets; nothing of the incoming metadata passes by itself. Its errors are
	// the caller's.
	Director func(ctx context.Context, fullMethod string) (context.Context, error)
}

// Forward returns a handler for ServerConfig.Unknown that passes calls on as they are: unary and streaming, headers,
// trailers, status and details, without decoding or copying a message. The one thing it changes is the text of UNAVAILABLE,
// which would name addresses of the inner network.
func Forward(c ForwardConfig) (grpc.StreamHandler, error) {
	if c.Director == nil {
		return nil, errors.New("forward: Director is nil")
	}
	for name, conn := range c.Conns {
		if conn == nil {
			return nil, fmt.Errorf("forward: Conns[%q] is nil", name)
		}
	}
	return func(_ any, in grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(in)
		service, _, _ := splitMethod(method)
		conn, ok := c.Conns[service]
		if !ok {
			return status.Errorf(codes.Unimplemented, "unknown service %s", service)
		}
		ctx, err := c.Director(in.Context(), method)
		if err != nil {
			return err
		}
		if isUnary(method) {
			return forwardUnary(ctx, in, conn, method)
		}
		return forwardStream(ctx, in, conn, method)
	}, nil
}

func forwardUnary(ctx context.Context, in grpc.ServerStream, conn *grpc.ClientConn, method string) error {
	var request, response frame
	if err := in.RecvMsg(&request); err != nil {
		return err
	}
	defer request.free()
	var header, trailer metadata.MD
	err := conn.Invoke(ctx, method, &request, &response, grpc.ForceCodecV2(frameCodec{}), grpc.Header(&header), grpc.Trailer(&trailer))
	defer response.free()
	in.SetTrailer(trailer)
	if err := in.SetHeader(header); err != nil {
		return err
	}
	if err != nil {
		return pass(err, method)
	}
	return in.SendMsg(&response)
}

func forwardStream(ctx context.Context, in grpc.ServerStream, conn *grpc.ClientConn, method string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodecV2(frameCodec{}))
	if err != nil {
		return pass(err, method)
	}
	// The caller's side is read by its own goroutine, which ends with the call: RecvMsg fails once the handler has returned.
	unread := make(chan error, 1)
	go func() {
		if err := pump(out, in); err != nil {
			unread <- err
			cancel() // the caller is gone or sent what cannot be read: the other side must not wait for more
			return
		}
		_ = out.CloseSend() // never returns an error
	}()
	header, err := out.Header()
	if err == nil {
		err = in.SendHeader(header)
	}
	if err == nil {
		err = pump(in, out)
	}
	in.SetTrailer(out.Trailer())
	if err == nil {
		return nil
	}
	select {
	case why := <-unread:
		return why
	default:
		return pass(err, method)
	}
}

// pump moves frames until from ends; nil means that it ended well.
func pump(to, from interface {
	SendMsg(any) error
	RecvMsg(any) error
}) error {
	for {
		var f frame
		if err := from.RecvMsg(&f); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		err := to.SendMsg(&f)
		f.free()
		if errors.Is(err, io.EOF) {
			return nil // the receiver has finished; its status says how
		} else if err != nil {
			return err
		}
	}
}

// passedError is a status of the other side, which error mapping leaves alone.
type passedError struct{ status *status.Status }

func (e *passedError) Error() string { return e.status.Err().Error() }

func pass(err error, method string) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	if s.Code() == codes.Unavailable {
		service, _, _ := splitMethod(method)
		p := s.Proto()
		p.Message = fmt.Sprintf("%s is not available", service)
		s = status.FromProto(p)
	}
	return &passedError{s}
}

// frame is one message as it came from the wire. Its zero value is an empty message.
type frame struct{ data mem.BufferSlice }

func (f *frame) free() {
	f.data.Free()
	f.data = nil
}

// frameCodec passes frames through by reference and leaves all other messages to the protobuf codec.
type frameCodec struct{}

func (frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		f.data.Ref() // gRPC frees what it was given; a retry marshals again
		return f.data, nil
	}
	return encoding.GetCodecV2("proto").Marshal(v)
}

func (frameCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*frame); ok {
		data.Ref()
		f.data = data
		return nil
	}
	return encoding.GetCodecV2("proto").Unmarshal(data, v)
}

// Name is protobuf's: on the wire a frame is the message that it holds.
func (frameCodec) Name() string { return "proto" }
