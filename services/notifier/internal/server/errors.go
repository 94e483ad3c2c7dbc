package server

import (
	"errors"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/notifier/internal/message"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Status is the only map from this service's errors to gRPC codes.
func Status(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return rpcerr.NotFound("notification")
	case errors.Is(err, message.ErrTemplate):
		return rpcerr.Invalid("delivery_template", err.Error())
	case errors.Is(err, eventlog.ErrCursorAhead):
		return rpcerr.Precondition("cursor: it is ahead of this database, which was restored or exchanged")
	}
	return rpcerr.Final(err, pg.Unavailable)
}
