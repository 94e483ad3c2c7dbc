package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

const dsnForms = "postgres://user:password@host:5432/database or host=… port=… user=… password=… dbname=…"

// refusal is a connection that could not be had. Its text is ours alone, since a driver's text may quote the DSN; the
// driver's error stays reachable for errors.As.
type refusal struct {
	text  string
	cause error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.cause }

// dsnError never quotes the DSN nor wraps the parser's error: of a malformed string nobody can tell which part of it is
// the password, and pgconn.ParseConfigError carries the whole of it.
func dsnError(err error) error {
	text := "database DSN is not valid"
	for _, known := range []struct{ in, say string }{
		{"port", "its port is not a number between 1 and 65535 (or the password needs percent-encoding)"},
		{"sslmode", "its sslmode is unknown"},
		{"sslrootcert", "its sslrootcert cannot be read"},
		{"sslcert", "its client certificate cannot be read"},
		{"service", "its service is not in the service file"},
		{"pool_", "one of its pool_ settings is not valid"},
		{"in password", "the password needs percent-encoding"},
	} {
		if parse := (*pgconn.ParseConfigError)(nil); errors.As(err, &parse) && mentions(parse, known.in) {
			text += ": " + known.say
			break
		}
	}
	return errors.New(text + "; expected " + dsnForms)
}

// mentions looks into the parser's own words only: the quoted DSN is cut out first.
func mentions(e *pgconn.ParseConfigError, word string) bool {
	text := e.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i:]
	}
	return strings.Contains(text, word)
}

// connectError turns what a first connection met into one sentence.
func connectError(err error, cfg *pgconn.Config) error {
	return &refusal{
		text:  fmt.Sprintf("connect to database %q at %s as user %q: %s", cfg.Database, address(cfg), cfg.User, reason(err, cfg)),
		cause: err,
	}
}

func address(cfg *pgconn.Config) string {
	if strings.HasPrefix(cfg.Host, "/") {
		return cfg.Host
	}
	return net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port))
}

func reason(err error, cfg *pgconn.Config) string {
	var (
		server *pgconn.PgError
		dns    *net.DNSError
	)
	switch {
	case errors.As(err, &server):
		return serverReason(server, cfg)
	case errors.As(err, &dns):
		return "the host is not known"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return "nothing listens there"
	case errors.Is(err, syscall.EACCES):
		return "the socket may not be opened by this user"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", connectTimeout)
	}
	return "the connection was refused or broken: " + plain(err)
}

func serverReason(e *pgconn.PgError, cfg *pgconn.Config) string {
	switch e.Code {
	case "28P01":
		return "the password was refused"
	case "28000":
		return "the server does not admit this user, host or encryption (pg_hba.conf)"
	case "3D000":
		return "the database does not exist"
	case "53300":
		return "the server has no connection left"
	case "57P03":
		return "the server is starting or stopping"
	case "22023", "42501":
		if role := cfg.RuntimeParams["role"]; role != "" {
			return fmt.Sprintf("role %q does not exist or this user may not become it: apply the migrations first", role)
		}
	}
	return fmt.Sprintf("the server refused (SQLSTATE %s)", e.Code)
}

// plain is the innermost text of a connection error: TLS and network errors, which hold no secrets.
func plain(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
