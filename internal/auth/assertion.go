package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/baixapay/baixa/internal/rpcerr"
)

const (
	header   = "baixa-principal"
	lifetime = time.Minute
	leeway   = time.Minute // clocks of two machines
)

// ErrServiceKey means that the shared key is missing or too short.
var ErrServiceKey = errors.New("service key: expected at least 32 bytes, the same for all services")

// Signer makes and checks the assertions with which one service tells another who is calling. It is safe for concurrent use.
type Signer struct{ key []byte }

// NewSigner takes the key that all services share, at least 32 bytes.
func NewSigner(key []byte) (*Signer, error) {
	if len(key) < 32 {
		return nil, ErrServiceKey
	}
	return &Signer{key: key}, nil
}

// SignerFromFile reads the shared key from a file, white space around it ignored.
func SignerFromFile(path string) (*Signer, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read service key: %w", err)
	}
	return NewSigner([]byte(strings.TrimSpace(string(raw))))
}

// Sign makes an assertion that is good for a minute from now.
func (s *Signer) Sign(p Principal, now time.Time) string {
	kind := "m"
	if p.Operator {
		kind = "o"
	}
	body := kind + "." + p.MerchantID + "." + p.KeyID + "." + strconv.FormatInt(now.Add(lifetime).Unix(), 36)
	return body + "." + base64.RawURLEncoding.EncodeToString(s.mac(body))
}

// Verify returns the principal of an assertion made by Sign with the same key and not yet expired.
func (s *Signer) Verify(assertion string, now time.Time) (Principal, error) {
	at := strings.LastIndexByte(assertion, '.')
	if at < 0 {
		return Principal{}, rpcerr.Unauthenticated("a signed principal is needed")
	}
	body, sum := assertion[:at], assertion[at+1:]
	given, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || !hmac.Equal(given, s.mac(body)) {
		return Principal{}, rpcerr.Unauthenticated("the principal is not signed with this service's key")
	}
	part := strings.Split(body, ".")
	if len(part) != 4 {
		return Principal{}, rpcerr.Unauthenticated("a signed principal is needed")
	}
	expires, err := strconv.ParseInt(part[3], 36, 64)
	if err != nil || now.Unix() > expires+int64(leeway/time.Second) {
		return Principal{}, rpcerr.Unauthenticated("the signed principal has expired")
	}
	p := Principal{Operator: part[0] == "o", MerchantID: part[1], KeyID: part[2]}
	if !p.Known() {
		return Principal{}, rpcerr.Unauthenticated("a signed principal is needed")
	}
	return p, nil
}

func (s *Signer) mac(body string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(body))
	return h.Sum(nil)
}

// Outgoing adds the caller in ctx, signed, to a call's metadata; a ctx without one speaks for the service itself, which is
// an operator.
func (s *Signer) Outgoing(ctx context.Context) context.Context {
	p := From(ctx)
	if !p.Known() {
		p = Principal{Operator: true}
	}
	return metadata.AppendToOutgoingContext(ctx, header, s.Sign(p, time.Now()))
}

// Incoming checks a call's metadata and puts its caller into ctx.
func (s *Signer) Incoming(ctx context.Context) (context.Context, error) {
	values := metadata.ValueFromIncomingContext(ctx, header)
	if len(values) != 1 {
		return nil, rpcerr.Unauthenticated("a signed principal is needed; API keys are taken at the payments service")
	}
	p, err := s.Verify(values[0], time.Now())
	if err != nil {
		return nil, err
	}
	return With(ctx, p), nil
}

// UnaryClient and StreamClient sign every call that leaves.
func (s *Signer) UnaryClient(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(s.Outgoing(ctx), method, req, reply, cc, opts...)
}

// StreamClient is UnaryClient for streams.
func (s *Signer) StreamClient(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return open(s.Outgoing(ctx), desc, cc, method, opts...)
}

// UnaryServer refuses calls without a good assertion; health and reflection are open.
func (s *Signer) UnaryServer(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if !Open(info.FullMethod) {
		var err error
		if ctx, err = s.Incoming(ctx); err != nil {
			return nil, err
		}
	}
	return handle(ctx, req)
}

// StreamServer is UnaryServer for streams.
func (s *Signer) StreamServer(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if Open(info.FullMethod) {
		return handle(srv, stream)
	}
	ctx, err := s.Incoming(stream.Context())
	if err != nil {
		return err
	}
	return handle(srv, streamWith{stream, ctx})
}

// Open reports whether a method is answered to anybody: health and reflection.
func Open(fullMethod string) bool {
	return strings.HasPrefix(fullMethod, "/grpc.health.v1.") || strings.HasPrefix(fullMethod, "/grpc.reflection.")
}

// StreamContext is stream with another context, for interceptors that learn who is calling.
func StreamContext(stream grpc.ServerStream, ctx context.Context) grpc.ServerStream {
	return streamWith{stream, ctx}
}

type streamWith struct {
	grpc.ServerStream
	ctx context.Context
}

func (s streamWith) Context() context.Context { return s.ctx }
