package rpc

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/baixapay/baixa/internal/crash"
)

// unary returns the server's own interceptors, outermost first.
func (s *Server) unary() []grpc.UnaryServerInterceptor {
	return []grpc.UnaryServerInterceptor{
		func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			start := time.Now()
			resp, err := s.answer(ctx, req, next)
			if err != nil {
				return nil, s.finish(ctx, info.FullMethod, start, err)
			}
			s.log(ctx, info.FullMethod, start, nil, nil)
			return resp, nil
		},
	}
}

// answer calls the handler under a deadline and turns its panic into an error, whose stack is logged with the call.
func (s *Server) answer(ctx context.Context, req any, next grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if v := recover(); v != nil {
			resp, err = nil, crash.Of(v)
		}
	}()
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	return next(ctx, req)
}

func (s *Server) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if at, ok := ctx.Deadline(); !ok {
		return context.WithTimeout(ctx, s.cfg.Timeout)
	} else if time.Until(at) > s.cfg.MaxTimeout {
		return context.WithTimeout(ctx, s.cfg.MaxTimeout)
	}
	return ctx, func() {}
}

// stream returns the server's own stream interceptors, outermost first.
func (s *Server) stream() []grpc.StreamServerInterceptor {
	return []grpc.StreamServerInterceptor{
		func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			start, ctx := time.Now(), ss.Context()
			if err := s.answerStream(srv, ss, info, next); err != nil {
				return s.finish(ctx, info.FullMethod, start, err)
			}
			s.log(ctx, info.FullMethod, start, nil, nil)
			return nil
		},
	}
}

func (s *Server) answerStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	ctx := ss.Context()
	defer func() {
		if v := recover(); v != nil {
			err = crash.Of(v)
		}
	}()
	if isUnary(info.FullMethod) { // a forwarded unary call
		ctx, cancel := s.deadline(ctx)
		defer cancel()
		return next(srv, &streamWithContext{ss, ctx})
	}
	long, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.stopping, func() { cancel(errStopping) })()
	err = next(srv, &streamWithContext{ss, long})
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(long), errStopping) {
		return errStopping
	}
	return err
}

type streamWithContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *streamWithContext) Context() context.Context { return s.ctx }

// isUnary reports whether the method is known to this program and streams in neither direction.
func isUnary(fullMethod string) bool {
	service, method, ok := splitMethod(fullMethod)
	if !ok {
		return false
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	if err != nil {
		return false
	}
	m, ok := d.(protoreflect.MethodDescriptor)
	return ok && !m.IsStreamingClient() && !m.IsStreamingServer()
}

func isHealth(fullMethod string) bool {
	return strings.HasPrefix(fullMethod, "/grpc.health.v1.Health/")
}

// butHealthUnary keeps the interceptors away from health checks.
func butHealthUnary(list []grpc.UnaryServerInterceptor) []grpc.UnaryServerInterceptor {
	out := make([]grpc.UnaryServerInterceptor, len(list))
	for i, one := range list {
		out[i] = func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if isHealth(info.FullMethod) {
				return next(ctx, req)
			}
			return one(ctx, req, info, next)
		}
	}
	return out
}

// butHealthStream is butHealthUnary for streams.
func butHealthStream(list []grpc.StreamServerInterceptor) []grpc.StreamServerInterceptor {
	out := make([]grpc.StreamServerInterceptor, len(list))
	for i, one := range list {
		out[i] = func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if isHealth(info.FullMethod) {
				return next(srv, ss)
			}
			return one(srv, ss, info, next)
		}
	}
	return out
}

// finish maps the error to what the caller gets and logs both.
func (s *Server) finish(ctx context.Context, method string, start time.Time, err error) error {
	mapped := s.mapError(err)
	s.log(ctx, method, start, mapped, err)
	return mapped
}

func (s *Server) mapError(err error) error {
	var panicked *crash.Error
	if errors.As(err, &panicked) {
		return status.Error(codes.Internal, internalText)
	}
	var passed *passedError
	if errors.As(err, &passed) {
		return passed.status.Err()
	}
	if errors.Is(err, errStopping) {
		return errStopping
	}
	mapped := s.cfg.Status(err)
	if st, ok := status.FromError(mapped); !ok || st.Code() == codes.OK {
		return status.Error(codes.Internal, internalText)
	}
	return mapped
}

// log writes one record per call: failures of ours as errors, of surroundings as warnings, of callers as information, and
// successes for who debugs. It never has a message's content.
func (s *Server) log(ctx context.Context, method string, start time.Time, mapped, cause error) {
	code := status.Code(mapped)
	level := levelOf(code)
	if errors.Is(cause, errStopping) { // what a stop does to streams is no news
		level = slog.LevelDebug
	}
	if !s.cfg.Log.Enabled(ctx, level) || isHealth(method) {
		return
	}
	attrs := []slog.Attr{slog.String("rpc_method", method), slog.String("rpc_code", code.String()),
		slog.Duration("duration", time.Since(start))}
	if cause != nil {
		attrs = append(attrs, slog.Any("error", cause))
	}
	s.cfg.Log.LogAttrs(ctx, level, "rpc served", attrs...)
}

func levelOf(code codes.Code) slog.Level {
	switch code {
	case codes.OK:
		return slog.LevelDebug
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return slog.LevelError
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
