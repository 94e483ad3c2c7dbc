// Package server is the notifier's gRPC face: it checks requests and callers, turns them into rows, and rows into messages.
//
// It refuses to send anything itself: what it records is sent by the channels. It never returns a secret.
package server

import (
	"context"
	"errors"

	"github.com/google/uuid"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Deps is what a Server works with; all are needed.
type Deps struct {
	Store  *store.Store
	Sealer *seal.Sealer
	// Record writes what is to be told, all or nothing, and has it sent: Sender.Record.
	Record func(context.Context, []store.Intent) ([]store.Recorded, error)
	// Wake is called after something that waited for Telegram may go.
	Wake func()
	// OpenSockets counts this process's open streams, of one merchant or (nil) of all.
	OpenSockets func(merchant *uuid.UUID) int
}

// Server implements NotifierService and TemplatesService. It is safe for concurrent use.
type Server struct {
	notifierv1.UnimplementedNotifierServiceServer
	notifierv1.UnimplementedTemplatesServiceServer
	Deps
}

// New checks d.
func New(d Deps) (*Server, error) {
	if d.Store == nil || d.Sealer == nil || d.Record == nil || d.Wake == nil || d.OpenSockets == nil {
		return nil, errors.New("notifier server: a dependency is missing")
	}
	return &Server{Deps: d}, nil
}

// id reads a UUID, or notes the field.
func id(f *rpcerr.Fields, path, text string) uuid.UUID {
	return check{f, ""}.id(path, text)
}

// merchant is the one a request is about. The principal decides first, so that nobody learns anything about others' ids.
func merchant(ctx context.Context, requested string) (uuid.UUID, error) {
	text, err := auth.From(ctx).Merchant(requested)
	if err != nil {
		return uuid.Nil, err
	}
	var f rpcerr.Fields
	v := id(&f, "merchant_id", text)
	return v, f.Err()
}

// scope is merchant for calls that an operator may make about all merchants; then it is nil.
func scope(ctx context.Context, requested string) (*uuid.UUID, error) {
	text, err := auth.From(ctx).Scope(requested)
	if err != nil || text == "" {
		return nil, err
	}
	var f rpcerr.Fields
	v := id(&f, "merchant_id", text)
	return &v, f.Err()
}
