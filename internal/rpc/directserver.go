package rpc

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// method is a registered unary method.
type method struct {
	impl    any
	handler grpc.MethodHandler
}

// registrar registers services with gRPC and remembers their unary methods for direct calls.
type registrar struct {
	*grpc.Server
	methods map[string]method
}

func (r registrar) RegisterService(d *grpc.ServiceDesc, impl any) {
	r.Server.RegisterService(d, impl)
	for _, m := range d.Methods {
		r.methods["/"+d.ServiceName+"/"+m.MethodName] = method{impl, m.Handler}
	}
}

// serveDirect is the server half of a unary call over Memory, in its own goroutine. It owns in and the entry that the caller
// made in s.calls.
func (s *Server) serveDirect(client context.Context, name string, md metadata.MD, in mem.BufferSlice, answers chan<- answer) {
	defer s.calls.leave()
	defer in.Free()
	ctx, cancel := context.WithCancel(apart{client})
	defer cancel()
	defer context.AfterFunc(s.killed, cancel)()

	// The steps and their order are those of gRPC's own server, so that telemetry and interceptors cannot tell the difference.
	ctx = metadata.NewIncomingContext(peer.NewContext(ctx, &peer.Peer{Addr: memoryAddr{}, LocalAddr: memoryAddr{}}), md)
	ctx = s.stats.TagRPC(ctx, &stats.RPCTagInfo{FullMethodName: name})
	s.stats.HandleRPC(ctx, &stats.InHeader{FullMethod: name, Header: md, RemoteAddr: memoryAddr{}, LocalAddr: memoryAddr{}})
	begin := time.Now()
	s.stats.HandleRPC(ctx, &stats.Begin{BeginTime: begin})
	side := &sideband{method: name}
	a := s.handleDirect(grpc.NewContextWithServerTransportStream(ctx, side), s.methods[name], md, in)
	a.header, a.trailer = side.end()
	s.stats.HandleRPC(ctx, &stats.End{BeginTime: begin, EndTime: time.Now(), Error: a.err})
	answers <- a
}

func (s *Server) handleDirect(ctx context.Context, m method, md metadata.MD, in mem.BufferSlice) answer {
	if err := checkMetadata(md); err != nil {
		return answer{err: err}
	}
	codec := encoding.GetCodecV2("proto")
	decode := func(v any) error {
		if n := in.Len(); n > s.cfg.MaxRecvBytes {
			return status.Errorf(codes.ResourceExhausted, "message of %d bytes is larger than the limit of %d", n, s.cfg.MaxRecvBytes)
		}
		if err := codec.Unmarshal(in, v); err != nil {
			return status.Errorf(codes.Internal, "grpc: error unmarshalling request: %v", err)
		}
		return nil
	}
	resp, err := m.handler(m.impl, ctx, decode, s.chain)
	if err != nil {
		return answer{err: status.Convert(err).Err()}
	}
	out, err := codec.Marshal(resp)
	if err != nil {
		return answer{err: status.Errorf(codes.Internal, "grpc: error while marshaling: %v", err)}
	}
	return answer{out: out}
}

// checkMetadata refuses what HTTP/2 could not carry.
func checkMetadata(md metadata.MD) error {
	for key, values := range md {
		if strings.HasSuffix(key, "-bin") {
			continue
		}
		for _, v := range values {
			for i := range len(v) {
				if v[i] < 0x20 || v[i] > 0x7e {
					return status.Errorf(codes.Internal, "header key %q contains value with non-printable ASCII characters", key)
				}
			}
		}
	}
	return nil
}

// apart ends with the client's context and has its deadline, but none of its values: a server must not see in this process
// what it could not see over a network, a principal or a transaction say.
type apart struct{ context.Context }

func (apart) Value(any) any { return nil }

// AfterFunc lets package context follow the end without a goroutine.
func (a apart) AfterFunc(f func()) func() bool { return context.AfterFunc(a.Context, f) }

// sideband is the metadata that a handler sends beside its message.
type sideband struct {
	method string

	mu              sync.Mutex
	header, trailer metadata.MD
	sent            bool
}

func (b *sideband) Method() string { return b.method }

func (b *sideband) SetHeader(md metadata.MD) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sent {
		return fmt.Errorf("set header of %s: the header has been sent", b.method)
	}
	b.header = metadata.Join(b.header, md)
	return nil
}

func (b *sideband) SendHeader(md metadata.MD) error {
	if err := b.SetHeader(md); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = true
	return nil
}

func (b *sideband) SetTrailer(md metadata.MD) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trailer = metadata.Join(b.trailer, md)
	return nil
}

// end closes the sideband: what a handler's leftover goroutine sets later goes nowhere.
func (b *sideband) end() (header, trailer metadata.MD) {
	b.mu.Lock()
	defer b.mu.Unlock()
	header, trailer = b.header, b.trailer
	b.header, b.trailer, b.sent = nil, nil, true
	return header, trailer
}

// gate counts the direct calls in flight and closes once.
type gate struct {
	mu     sync.RWMutex
	closed bool
	wg     sync.WaitGroup
}

func (g *gate) enter() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return false
	}
	g.wg.Add(1)
	return true
}

func (g *gate) leave() { g.wg.Done() }

// close lets nobody in any more; the channel is closed when the last one has left.
func (g *gate) close() <-chan struct{} {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	empty := make(chan struct{})
	go func() { g.wg.Wait(); close(empty) }()
	return empty
}

// chainUnary makes one interceptor of the list, the first one outermost.
func chainUnary(list []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		next := handler
		for i := len(list) - 1; i >= 0; i-- {
			one, inner := list[i], next
			next = func(ctx context.Context, req any) (any, error) { return one(ctx, req, info, inner) }
		}
		return next(ctx, req)
	}
}
