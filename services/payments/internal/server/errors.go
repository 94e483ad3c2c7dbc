package server

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Errors is the only map from this service's errors to codes; it is given to the gRPC server.
func Errors(err error) error {
	var st interface{ GRPCStatus() *status.Status }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &st): // said already, here or by a leaf
	case errors.Is(err, store.ErrNotFound), errors.Is(err, ledger.ErrUnknownSale):
		return rpcerr.NotFound("payment")
	case errors.Is(err, store.ErrUnreadable):
		var u store.Unreadable
		errors.As(err, &u)
		return status.Error(codes.DataLoss, u.Error()+"; `baixa doctor` says what to do")
	case errors.Is(err, store.ErrConflict):
		return rpcerr.Exists(strings.TrimPrefix(err.Error(), "record 1 sales: "))
	}
	return rpcerr.Final(err, pg.Unavailable)
}

func paymentID(text string) (payment.ID, error) {
	id, err := payment.ParseID(text)
	if err != nil {
		return id, rpcerr.Invalid("payment_id", "a UUID as CreatePayment returns it; any other id goes to payments:explain")
	}
	return id, nil
}

func merchantID(text string) (payment.MerchantID, error) {
	id, err := payment.ParseMerchantID(text)
	if err != nil {
		return id, rpcerr.Invalid("merchant_id", "a UUID as CreateMerchant returns it")
	}
	return id, nil
}

// unreachable says which leaf is away when a call to it failed for no fault of the caller.
func unreachable(leaf string, err error) error {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return rpcerr.Unavailable(leaf + " is not reachable; try again")
	}
	return err
}

// named is err, with the thing's own name when it is not there.
func named(err error, thing string) error {
	if errors.Is(err, store.ErrNotFound) {
		return rpcerr.NotFound(thing)
	}
	return err
}
