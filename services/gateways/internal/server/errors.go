package server

import (
	"errors"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

// Status is the one map from this service's errors to gRPC codes; internal/rpc applies it to every answer. What providers say
// never comes here: it is data in the answers.
func Status(err error) error {
	switch {
	case errors.Is(err, account.ErrNotFound):
		return rpcerr.NotFound("account")
	case errors.Is(err, store.ErrTaken):
		return rpcerr.Unavailable("the account is being changed by another call; nothing was changed, try again")
	}
	return rpcerr.Final(err, pg.Unavailable)
}
