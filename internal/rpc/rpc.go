// Package rpc is how the services speak gRPC to each other and to the world: one way to make a server, one way to dial one,
// over TCP with mutual TLS or inside one process, with the same interceptors, deadlines and mapping of errors either way.
//
// What it refuses to do: it knows no service, no principal and no error of the domain (interceptors and a mapping are given
// to it); it never serves or dials plain TCP beyond loopback unless told so in so many words; it never logs a message's
// content; it retries nothing that its caller did not declare idempotent.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Defaults of ServerConfig and ClientConfig.
const (
	DefaultTimeout          = 10 * time.Second
	DefaultMaxTimeout       = 60 * time.Second
	DefaultMaxBytes         = 4 << 20
	DefaultMaxConnectionAge = 10 * time.Minute
	DefaultStopLimit        = 10 * time.Second

	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
	keepaliveMin     = 10 * time.Second
)

// ErrInsecure is wrapped by the errors that refuse plain TCP beyond loopback.
var ErrInsecure = errors.New("plain TCP is allowed on loopback only: give TLS or say Insecure")

// errStopping is the cause with which long streams are cancelled when their server stops.
var errStopping = status.Error(codes.Unavailable, "server is stopping")

const internalText = "internal error"

// plainStatus is the mapping of errors when none is given: statuses and context errors pass, all else is Internal with a
// fixed text.
func plainStatus(err error) error {
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "deadline exceeded")
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "canceled")
	}
	return status.Error(codes.Internal, internalText)
}

// splitMethod cuts "/package.Service/Method"; ok is false when it is shaped otherwise.
func splitMethod(full string) (service, method string, ok bool) {
	rest, ok := strings.CutPrefix(full, "/")
	if !ok {
		return "", "", false
	}
	service, method, ok = strings.Cut(rest, "/")
	return service, method, ok && service != "" && method != "" && !strings.Contains(method, "/")
}

// checkPlain refuses an address on which plain text would leave the machine.
func checkPlain(a net.Addr) error {
	t, ok := a.(*net.TCPAddr)
	if !ok || t.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("listen on %s: %w", a, ErrInsecure)
}

// checkPlainTarget is checkPlain for a target to dial: unix sockets, loopback addresses and localhost pass.
func checkPlainTarget(target string) error {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return nil
	}
	endpoint := target
	if i := strings.LastIndex(target, "/"); i >= 0 {
		endpoint = target[i+1:]
	} else if rest, ok := strings.CutPrefix(target, "dns:"); ok {
		endpoint = rest
	}
	for one := range strings.SplitSeq(endpoint, ",") {
		host, _, err := net.SplitHostPort(one)
		if err != nil {
			host = one
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("dial %s: %w", target, ErrInsecure)
		}
	}
	return nil
}
