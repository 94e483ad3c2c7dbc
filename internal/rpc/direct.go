package rpc

import (
	"context"
	"math/rand/v2"
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

// direct is the client half of unary calls over Memory: the innermost interceptor of the connection.
type direct struct {
	memory     *Memory
	stats      stats.Handler
	idempotent map[string]bool
}

// The retry policy of idempotent methods, which serviceConfig also tells gRPC.
const (
	retryAttempts   = 4
	retryBase       = 50 * time.Millisecond
	retryMax        = time.Second
	retryMultiplier = 3
)

func (d *direct) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, network grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	o, understood := optionsOf(opts)
	if !understood {
		return network(ctx, method, req, reply, cc, opts...)
	}
	for attempt, wait := 1, retryBase; ; attempt, wait = attempt+1, min(wait*retryMultiplier, retryMax) {
		s := d.memory.server.Load()
		if s == nil || s.paused.Load() || s.methods[method].handler == nil || !s.calls.enter() {
			return network(ctx, method, req, reply, cc, opts...)
		}
		err := d.call(ctx, s, method, req, reply, o)
		if attempt == retryAttempts || !d.idempotent[method] || status.Code(err) != codes.Unavailable || !pause(ctx, wait) {
			return err
		}
	}
}

// pause waits for wait with 20 % of jitter either way, as gRPC does.
func pause(ctx context.Context, wait time.Duration) bool {
	t := time.NewTimer(time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64())))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// call makes one attempt. It returns when ctx is done even if the handler does not; the handler's goroutine then ends by
// itself and touches nothing of the caller's.
func (d *direct) call(ctx context.Context, s *Server, method string, req, reply any, o callOptions) (err error) {
	ctx = d.stats.TagRPC(ctx, &stats.RPCTagInfo{FullMethodName: method})
	begin := time.Now()
	d.stats.HandleRPC(ctx, &stats.Begin{Client: true, BeginTime: begin})
	defer func() {
		d.stats.HandleRPC(ctx, &stats.End{Client: true, BeginTime: begin, EndTime: time.Now(), Error: err})
	}()

	if err := ctx.Err(); err != nil {
		s.calls.leave()
		return status.FromContextError(err).Err()
	}
	in, err := o.encode(req, o.maxSend)
	if err != nil {
		s.calls.leave()
		return err
	}
	answers := make(chan answer, 1)
	md, _ := metadata.FromOutgoingContext(ctx)
	go s.serveDirect(ctx, method, md, in, answers)
	select {
	case a := <-answers:
		return o.take(a, reply)
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// answer is what a handler left: an encoded message or an error, and metadata.
type answer struct {
	out             mem.BufferSlice
	header, trailer metadata.MD
	err             error
}

// callOptions are the options that a direct call understands.
type callOptions struct {
	codec            encoding.CodecV2
	headers, trailer []*metadata.MD
	peers            []*peer.Peer
	onFinish         []func(error)
	maxRecv, maxSend int
}

// optionsOf reports false when an option needs HTTP/2.
func optionsOf(opts []grpc.CallOption) (callOptions, bool) {
	o := callOptions{codec: encoding.GetCodecV2("proto"), maxRecv: DefaultMaxBytes, maxSend: 1<<31 - 1}
	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.ForceCodecV2CallOption:
			o.codec = opt.CodecV2
		case grpc.HeaderCallOption:
			o.headers = append(o.headers, opt.HeaderAddr)
		case grpc.TrailerCallOption:
			o.trailer = append(o.trailer, opt.TrailerAddr)
		case grpc.PeerCallOption:
			o.peers = append(o.peers, opt.PeerAddr)
		case grpc.MaxRecvMsgSizeCallOption:
			o.maxRecv = opt.MaxRecvMsgSize
		case grpc.MaxSendMsgSizeCallOption:
			o.maxSend = opt.MaxSendMsgSize
		case grpc.OnFinishCallOption:
			o.onFinish = append(o.onFinish, opt.OnFinish)
		case grpc.StaticMethodCallOption, grpc.FailFastCallOption, grpc.EmptyCallOption:
		default:
			return o, false
		}
	}
	return o, o.codec.Name() == "proto"
}

func (o callOptions) encode(v any, limit int) (mem.BufferSlice, error) {
	data, err := o.codec.Marshal(v)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "grpc: error while marshaling: %v", err)
	}
	return data, tooLarge(data, limit)
}

// tooLarge frees what it refuses.
func tooLarge(data mem.BufferSlice, limit int) error {
	if n := data.Len(); n > limit {
		data.Free()
		return status.Errorf(codes.ResourceExhausted, "message of %d bytes is larger than the limit of %d", n, limit)
	}
	return nil
}

// take gives the answer to the caller.
func (o callOptions) take(a answer, reply any) (err error) {
	for _, h := range o.headers {
		*h = a.header
	}
	for _, t := range o.trailer {
		*t = a.trailer
	}
	for _, p := range o.peers {
		*p = peer.Peer{Addr: memoryAddr{}}
	}
	defer func() {
		for _, f := range o.onFinish {
			f(err)
		}
	}()
	if a.err != nil {
		return a.err
	}
	if err := tooLarge(a.out, o.maxRecv); err != nil {
		return err
	}
	defer a.out.Free()
	if err := o.codec.Unmarshal(a.out, reply); err != nil {
		return status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
	}
	return nil
}
