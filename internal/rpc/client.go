package rpc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc/filters"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // the client side of healthCheckConfig
	"google.golang.org/grpc/keepalive"
)

// ClientConfig describes a connection to one service. Either Target or Memory must be set.
type ClientConfig struct {
	// Target is a gRPC target: "host:port" (all addresses of the name are used in turn), "unix:///path" or any registered
	// scheme.
	Target string
	// Memory connects to the server that serves its Listener in this process.
	Memory *Memory

	// TLS shows and demands certificates. Without it only loopback and unix sockets are dialled, unless Insecure.
	TLS      *TLSConfig
	Insecure bool

	// Timeout is given to unary calls that are made without a deadline.
	Timeout time.Duration
	// FailFast makes calls fail with UNAVAILABLE while there is no connection. Otherwise they wait for one until their
	// deadline, which bridges a restart of the other side.
	FailFast bool
	// Idempotent lists full methods ("/package.Service/Method") that are retried on UNAVAILABLE, at most three times with
	// jittered back-off within the call's deadline. Others are sent again only when the server cannot have seen them.
	Idempotent []string
	// MaxRecvBytes is the size of the largest answer.
	MaxRecvBytes int

	// Unary and Stream run in this order, inside the default deadline.
	Unary  []grpc.UnaryClientInterceptor
	Stream []grpc.StreamClientInterceptor

	// Log defaults to slog.Default().
	Log *slog.Logger
}

// Dial makes the connection's description ready; it connects with the first call. The caller closes it. A wrong description
// is an error here, an unreachable server is one of the calls.
func Dial(c ClientConfig) (*grpc.ClientConn, error) {
	if (c.Target == "") == (c.Memory == nil) {
		return nil, errors.New("rpc client: want either Target or Memory")
	}
	if c.Timeout < 0 || c.MaxRecvBytes < 0 {
		return nil, fmt.Errorf("rpc client %s: a limit is negative", c.Target)
	}
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	service, err := serviceConfig(c)
	if err != nil {
		return nil, fmt.Errorf("rpc client %s: %w", c.Target, err)
	}
	creds, err := clientCredentials(c)
	if err != nil {
		return nil, fmt.Errorf("rpc client: %w", err)
	}
	handler := otelgrpc.NewClientHandler(otelgrpc.WithFilter(filters.Not(filters.HealthCheck())))
	unary := append([]grpc.UnaryClientInterceptor{defaultDeadline(c.Timeout)}, c.Unary...)
	if c.Memory != nil {
		d := &direct{memory: c.Memory, stats: handler, idempotent: map[string]bool{}}
		for _, full := range c.Idempotent {
			d.idempotent[full] = true
		}
		unary = append(unary, d.intercept)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultServiceConfig(service),
		grpc.WithDisableServiceConfig(),
		grpc.WithStatsHandler(handler),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: .2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(cmp.Or(c.MaxRecvBytes, DefaultMaxBytes))),
		grpc.WithChainUnaryInterceptor(unary...),
		grpc.WithChainStreamInterceptor(c.Stream...),
		grpc.WithIdleTimeout(0),
	}
	target := c.Target
	if c.Memory != nil {
		target = "passthrough:///memory"
		opts = append(opts, grpc.WithContextDialer(c.Memory.dial))
	}
	conn, err := grpc.NewClient(target, opts...)
	if err != nil {
		return nil, fmt.Errorf("rpc client %s: %w", c.Target, err)
	}
	return conn, nil
}

func clientCredentials(c ClientConfig) (credentials.TransportCredentials, error) {
	if c.TLS != nil {
		certs, err := loadCerts(*c.TLS, c.Log)
		if err != nil {
			return nil, err
		}
		return &clientTLS{certs: certs}, nil
	}
	if c.Memory == nil && !c.Insecure {
		if err := checkPlainTarget(c.Target); err != nil {
			return nil, err
		}
	}
	return insecure.NewCredentials(), nil
}

func defaultDeadline(d time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d)
			defer cancel()
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

// serviceConfig renders the gRPC service config: how connections are chosen, what waits and what is retried.
// The schema is grpc/service_config/service_config.proto.
func serviceConfig(c ClientConfig) (string, error) {
	type name struct {
		Service string `json:"service,omitempty"`
		Method  string `json:"method,omitempty"`
	}
	type method struct {
		Name         []name         `json:"name"`
		WaitForReady bool           `json:"waitForReady"`
		Retry        map[string]any `json:"retryPolicy,omitempty"`
	}
	methods := []method{{Name: []name{{}}, WaitForReady: !c.FailFast}}
	if len(c.Idempotent) > 0 {
		m := method{WaitForReady: !c.FailFast, Retry: map[string]any{
			"maxAttempts": retryAttempts, "initialBackoff": fmt.Sprintf("%.3fs", retryBase.Seconds()),
			"maxBackoff": fmt.Sprintf("%.3fs", retryMax.Seconds()), "backoffMultiplier": retryMultiplier,
			"retryableStatusCodes": []string{"UNAVAILABLE"},
		}}
		for _, full := range c.Idempotent {
			service, one, ok := splitMethod(full)
			if !ok {
				return "", fmt.Errorf("method %q of Idempotent: want /package.Service/Method", full)
			}
			m.Name = append(m.Name, name{service, one})
		}
		methods = append(methods, m)
	}
	text, err := json.Marshal(map[string]any{
		"loadBalancingConfig": []any{map[string]any{"round_robin": map[string]any{}}},
		"healthCheckConfig":   map[string]string{"serviceName": ""},
		"methodConfig":        methods,
		"retryThrottling":     map[string]any{"maxTokens": 100, "tokenRatio": 0.1},
	})
	return string(text), err
}
