package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// What a Client uses when its config says nothing.
const (
	DefaultTimeout = 20 * time.Second
	DefaultMaxBody = 1 << 20
	maxRedirects   = 3
)

// ClientConfig describes a Client; the zero value is a usable one.
type ClientConfig struct {
	// Transport performs the requests; nil is NewTransport().
	Transport http.RoundTripper
	// Timeout bounds a call whose context has no nearer deadline; 0 is DefaultTimeout.
	Timeout time.Duration
	// MaxBody is the largest answer read, in bytes; 0 is DefaultMaxBody.
	MaxBody int64
	// Tracer provider for the span of each call; nil is the global one.
	Tracer trace.TracerProvider
	// Now is the clock for Retry-After dates; nil is time.Now.
	Now func() time.Time
	// UserAgent is sent where an adapter prescribes none; "" is "baixa".
	UserAgent string
}

// Client performs the calls of all adapters: one pool of kept connections, answers bounded in size and time, failures
// sorted into the taxonomy, and no secret in anything that comes out of it. Safe for concurrent use.
type Client struct {
	transport http.RoundTripper
	timeout   time.Duration
	maxBody   int64
	tracer    trace.Tracer
	now       func() time.Time
	forms     formCache
	// Header values that every call shares; nobody writes into them.
	accept, agent []string
}

// NewClient checks config and fills in what it does not say.
func NewClient(config ClientConfig) (*Client, error) {
	if config.Timeout < 0 || config.MaxBody < 0 {
		return nil, errors.New("new provider client: timeout and max body must not be negative")
	}
	c := &Client{timeout: config.Timeout, maxBody: config.MaxBody, now: config.Now, accept: []string{"application/json"}, agent: []string{config.UserAgent}}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if c.maxBody == 0 {
		c.maxBody = DefaultMaxBody
	}
	if c.now == nil {
		c.now = time.Now
	}
	if config.UserAgent == "" {
		c.agent = []string{"baixa"}
	}
	tracers := config.Tracer
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	c.tracer = tracers.Tracer("github.com/baixapay/baixa/services/gateways/internal/provider")
	transport := config.Transport
	if transport == nil {
		transport = NewTransport()
	}
	c.transport = transport
	return c, nil
}

// NewTransport keeps connections alive, speaks TLS 1.2 or newer, and allows many calls to one host at once.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   128,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

// Now is the client's clock, for adapters that keep tokens.
func (c *Client) Now() time.Time { return c.now() }

// Do performs one call. It returns the answer of a 2xx, or an *Error for everything else; the answer's body is read
// whole and at most MaxBody bytes long. There are no retries.
func (c *Client) Do(ctx context.Context, request Request) (*Response, error) {
	if until, ok := ctx.Deadline(); !ok || time.Until(until) > c.timeout {
		bounded, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		ctx = bounded
	}
	red := request.redactor(&c.forms)
	target, err := request.target()
	if err != nil {
		return nil, err
	}
	endpoint := request.endpoint()
	ctx, span := c.tracer.Start(ctx, "provider "+string(request.Op), trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("provider", string(request.Provider)),
			attribute.String("http.request.method", request.method()),
			attribute.String("url.template", request.Path),
			attribute.String("server.address", target.Hostname()),
		)
	}
	response, err := c.answer(ctx, request, target, endpoint, red)
	if response != nil {
		if span.IsRecording() {
			span.SetAttributes(attribute.Int("http.response.status_code", response.HTTPStatus))
		}
		if err == nil {
			err = c.classify(response)
		}
	}
	tap(ctx, request, target, response, err, red)
	if err != nil {
		span.SetAttributes(attribute.String("error.type", string(KindOf(err))))
		span.SetStatus(codes.Error, string(KindOf(err)))
		return nil, err
	}
	return response, nil
}
