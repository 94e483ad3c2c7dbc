package server

import (
	"errors"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

// Status is the one map from this service's errors to gRPC codes; internal/rpc applies it to every answer.
func Status(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return rpcerr.NotFound("delivery")
	case errors.Is(err, eventlog.ErrCursorAhead):
		return rpcerr.Precondition("cursor: it is ahead of this database, which was restored or is another one")
	}
	return rpcerr.Final(err, pg.Unavailable)
}
