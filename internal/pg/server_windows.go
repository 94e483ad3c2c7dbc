package pg

import (
	"context"
	"errors"
	"io"
)

// ErrInUse means that another process already runs a server on the folder.
var ErrInUse = errors.New("data folder is in use")

var errWindows = errors.New("a managed PostgreSQL is not available on Windows: give the DSN of a running database")

// ServerConfig says where and how a managed server runs; there is none on Windows.
type ServerConfig struct {
	Dir     string
	Durable bool
	Log     io.Writer
}

// Server is a managed server; there is none on Windows.
type Server struct{}

// Start always returns an error on Windows.
func Start(context.Context, ServerConfig) (*Server, error) { return nil, errWindows }

// Remove always returns an error on Windows.
func Remove(context.Context, string) error { return errWindows }

// DSN is empty.
func (*Server) DSN() string { return "" }

// Dir is empty.
func (*Server) Dir() string { return "" }

// Done is never closed.
func (*Server) Done() <-chan struct{} { return nil }

// Stop does nothing.
func (*Server) Stop(context.Context) error { return nil }
