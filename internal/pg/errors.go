package pg

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// ErrPoolTimeout means that no connection of the pool became free in time. Nothing was done.
var ErrPoolTimeout = errors.New("no database connection became free in time")

// IsUnique reports whether err is the violation of the unique, primary key or exclusion constraint (or unique index) of
// that name. An empty constraint means any.
func IsUnique(err error, constraint string) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) || (e.Code != "23505" && e.Code != "23P01") {
		return false
	}
	return constraint == "" || e.ConstraintName == constraint
}

// Unavailable reports whether err says that the database cannot serve now though the request was right: refused or broken
// connection, server starting, stopping or out of resources, pool timeout, statement or lock timeout, or a transaction
// that kept conflicting. Servers answer UNAVAILABLE (503) and the caller may retry with its idempotency key: when the
// connection broke during a commit, the commit may have happened.
//
// A context that the caller itself cancelled or let expire is not the database's fault and is false; so are refused
// passwords and missing databases or roles, which no retry repairs.
func Unavailable(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, ErrPoolTimeout) || errors.Is(err, puddle.ErrClosedPool) {
		return true
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return unavailableState(server.Code)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return !errors.Is(err, context.Canceled)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var network net.Error
	return errors.As(err, &network) ||
		errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) ||
		pgconn.SafeToRetry(err)
}

// unavailableState knows the SQLSTATEs of https://www.postgresql.org/docs/current/errcodes-appendix.html.
func unavailableState(code string) bool {
	switch code {
	case "57P01", "57P02", "57P03", // admin shutdown, crash shutdown, cannot connect now
		"57P05", "25P03", // idle session and idle in transaction timeouts: the session is gone
		"57014", "55P03", // statement timeout, lock not available
		"40001", "40P01": // serialisation failure and deadlock, after InTx gave up
		return true
	}
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "58")
}

// conflicting reports whether the same transaction, run again, may succeed.
func conflicting(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// IsForeignKey reports whether err says that a row refers to one that does not exist.
func IsForeignKey(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23503"
}
