package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc/filters"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/stats"
)

// ServerConfig describes a gRPC server. Name and Register must be set.
type ServerConfig struct {
	// Name is the service's name in logs, for example "payments".
	Name string
	// Register registers the services. Health and reflection are added to them.
	Register func(grpc.ServiceRegistrar)

	// Unary and Stream run inside the server's own interceptors (log, error mapping, recovery, deadline), in this order;
	// authentication is given here. Stream also sees calls that Unknown answers. Neither sees health checks, which
	// load balancers make without credentials; reflection is seen.
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor

	// Status maps the errors of handlers and interceptors to status errors. Nil passes statuses and context errors on and
	// makes all else Internal with a fixed text. Whatever it returns that is no status becomes Internal too.
	Status func(error) error

	// Unknown answers the methods that were not registered, see Forward. Nil answers UNIMPLEMENTED.
	Unknown grpc.StreamHandler

	// TLS demands and shows certificates. Without it only loopback TCP, unix sockets and Memory are served, unless Insecure.
	TLS      *TLSConfig
	Insecure bool

	// Timeout is given to unary calls that arrive without a deadline; MaxTimeout caps the deadline of all unary calls.
	// Streams have no deadline but the caller's, and end when the server stops.
	Timeout, MaxTimeout time.Duration
	// MaxRecvBytes is the size of the largest message that is accepted; above it the call is RESOURCE_EXHAUSTED.
	MaxRecvBytes int
	// MaxConnectionAge is how long a connection lives before the client is asked to make another, so that load moves to
	// replicas that were added. It does not apply to Memory.
	MaxConnectionAge time.Duration
	// StopLimit is how long calls may go on after Serve's context is done; then they are cancelled.
	StopLimit time.Duration

	// Log defaults to slog.Default().
	Log *slog.Logger
}

// Server is one gRPC server with health and reflection. It may serve several listeners at once.
type Server struct {
	cfg     ServerConfig
	grpc    *grpc.Server
	health  *health.Server
	stats   stats.Handler
	chain   grpc.UnaryServerInterceptor
	methods map[string]method // unary ones, by full name
	calls   gate              // direct calls, see Memory
	paused  atomic.Bool       // the whole server is not serving

	stopping, killed context.Context // done when a stop begins, and when its limit is over
	stop, kill       context.CancelFunc
}

// NewServer checks the description, loads the certificates and registers the services. A Server that is never served needs
// no closing.
func NewServer(c ServerConfig) (*Server, error) {
	switch {
	case c.Name == "":
		return nil, errors.New("rpc server: Name is empty")
	case c.Register == nil:
		return nil, fmt.Errorf("rpc server %s: Register is nil", c.Name)
	case c.Timeout < 0 || c.MaxTimeout < 0 || c.MaxRecvBytes < 0 || c.MaxConnectionAge < 0 || c.StopLimit < 0:
		return nil, fmt.Errorf("rpc server %s: a limit is negative", c.Name)
	}
	c.MaxTimeout = cmp.Or(c.MaxTimeout, DefaultMaxTimeout)
	c.Timeout = min(cmp.Or(c.Timeout, DefaultTimeout), c.MaxTimeout)
	c.MaxRecvBytes = cmp.Or(c.MaxRecvBytes, DefaultMaxBytes)
	c.MaxConnectionAge = cmp.Or(c.MaxConnectionAge, DefaultMaxConnectionAge)
	c.StopLimit = cmp.Or(c.StopLimit, DefaultStopLimit)
	if c.Status == nil {
		c.Status = plainStatus
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Log = c.Log.With(slog.String("server", c.Name))

	s := &Server{cfg: c, health: health.NewServer(), methods: map[string]method{},
		stats: otelgrpc.NewServerHandler(otelgrpc.WithFilter(filters.Not(filters.HealthCheck())))}
	s.chain = chainUnary(append(s.unary(), butHealthUnary(c.Unary)...))
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.killed, s.kill = context.WithCancel(context.Background())
	opts, err := s.options()
	if err != nil {
		return nil, fmt.Errorf("rpc server %s: %w", c.Name, err)
	}
	s.grpc = grpc.NewServer(opts...)
	c.Register(registrar{s.grpc, s.methods})
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	return s, nil
}

func (s *Server) options() ([]grpc.ServerOption, error) {
	c := s.cfg
	opts := []grpc.ServerOption{
		grpc.StatsHandler(s.stats),
		grpc.UnaryInterceptor(s.chain),
		grpc.ChainStreamInterceptor(append(s.stream(), butHealthStream(c.Stream)...)...),
		grpc.MaxRecvMsgSize(c.MaxRecvBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout,
			MaxConnectionAge: c.MaxConnectionAge, MaxConnectionAgeGrace: c.MaxTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMin, PermitWithoutStream: true}),
	}
	if c.TLS != nil {
		certs, err := loadCerts(*c.TLS, c.Log)
		if err != nil {
			return nil, err
		}
		opts = append(opts, grpc.Creds(credentials.NewTLS(certs.server())))
	}
	if c.Unknown != nil {
		opts = append(opts, grpc.UnknownServiceHandler(c.Unknown), grpc.ForceServerCodecV2(frameCodec{}))
	}
	return opts, nil
}

// SetServing tells health checks whether the service works; "" is the whole server. All are serving from the start.
func (s *Server) SetServing(service string, serving bool) {
	state := healthpb.HealthCheckResponse_NOT_SERVING
	if serving {
		state = healthpb.HealthCheckResponse_SERVING
	}
	if service == "" {
		s.paused.Store(!serving)
	}
	s.health.SetServingStatus(service, state)
}

// Serve answers calls on l until ctx is done; then health says NOT_SERVING, no call is accepted any more, long streams are
// cancelled (UNAVAILABLE), and calls in flight finish within StopLimit. It closes l and returns nil after such a stop. The
// first listener that stops stops the server. It refuses plain TCP beyond loopback with ErrInsecure.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.cfg.TLS == nil && !s.cfg.Insecure {
		if err := checkPlain(l.Addr()); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	if m, ok := l.(*memoryListener); ok {
		m.memory.server.Store(s)
	}
	stopped := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(stopped)
		s.shutdown(ctx)
	})
	err := s.grpc.Serve(l)
	if cancel() { // not stopped by ctx
		if err == nil || errors.Is(err, grpc.ErrServerStopped) { // another listener's stop came first
			return nil
		}
		return fmt.Errorf("serve %s on %s: %w", s.cfg.Name, l.Addr(), err)
	}
	<-stopped
	return nil
}

func (s *Server) shutdown(ctx context.Context) {
	s.health.Shutdown()
	s.stop()
	t := time.AfterFunc(s.cfg.StopLimit, func() {
		s.cfg.Log.WarnContext(ctx, "calls cancelled at stop", slog.Duration("limit", s.cfg.StopLimit))
		s.kill()
		s.grpc.Stop()
	})
	defer t.Stop()
	drained := s.calls.close()
	s.grpc.GracefulStop()
	select {
	case <-drained:
	case <-s.killed.Done():
	}
}
