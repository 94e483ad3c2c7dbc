// Package rpcerr is the vocabulary of errors that leave a service: each kind is one gRPC code (and, through grpc-gateway,
// one HTTP status), and a bad request names every field with what was expected.
//
// It refuses to pass on what it does not know: any other error becomes Internal with a fixed text, so that driver errors,
// addresses and secrets never leave. Domain and store packages never import it; only server packages do.
package rpcerr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Field is one thing wrong with a request: the field's path as in the contract ("charge.id") and what was expected. The
// text must not repeat the value when the value may be a secret.
type Field struct {
	Path     string
	Expected string
}

// Fields collects what is wrong with a request; the zero value is ready to use.
type Fields []Field

// Require adds a violation unless ok.
func (f *Fields) Require(ok bool, path, expected string) {
	if !ok {
		*f = append(*f, Field{path, expected})
	}
}

// Err is nil when nothing was collected, otherwise an InvalidArgument status that names every field.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	bad := &errdetails.BadRequest{}
	var text []string
	for _, v := range f {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: v.Path, Description: v.Expected})
		text = append(text, v.Path+": "+v.Expected)
	}
	st, err := status.New(codes.InvalidArgument, strings.Join(text, "; ")).WithDetails(bad)
	if err != nil { // details of our own type always marshal; keep the text if they ever do not
		return status.Error(codes.InvalidArgument, strings.Join(text, "; "))
	}
	return st.Err()
}

// Invalid is InvalidArgument for one field.
func Invalid(path, expected string) error { return Fields{{path, expected}}.Err() }

// NotFound says that a thing does not exist for this caller; what belongs to someone else does not exist.
func NotFound(thing string) error { return status.Error(codes.NotFound, thing+" not found") }

// Exists says that an idempotency key was used before with other content.
func Exists(text string) error { return status.Error(codes.AlreadyExists, text) }

// Precondition says that the thing is not in a state that allows it.
func Precondition(text string) error { return status.Error(codes.FailedPrecondition, text) }

// Denied says that the caller is known and may not.
func Denied(text string) error { return status.Error(codes.PermissionDenied, text) }

// Unauthenticated says that the caller is not known.
func Unauthenticated(text string) error { return status.Error(codes.Unauthenticated, text) }

// Unavailable says that nothing was done and the same call may be sent again.
func Unavailable(text string) error { return status.Error(codes.Unavailable, text) }

// Exhausted says that the caller must wait, and how long.
func Exhausted(text string, wait time.Duration) error {
	st, err := status.New(codes.ResourceExhausted, text).WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	if err != nil {
		return status.Error(codes.ResourceExhausted, text)
	}
	return st.Err()
}

// Final makes any error fit to leave a service. A status made here, or received from another service, passes; a cancelled
// or late context keeps its code; an error for which unavailable says true becomes Unavailable; everything else is Internal
// with a fixed text. unavailable may be nil.
func Final(err error, unavailable func(error) bool) error {
	if err == nil {
		return nil
	}
	var st interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &st):
		return st.GRPCStatus().Err()
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the caller went away")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "not done within the deadline")
	case unavailable != nil && unavailable(err):
		return status.Error(codes.Unavailable, "the store is not reachable; nothing was changed, try again")
	}
	return status.Error(codes.Internal, "internal error; the log has it under this trace")
}

// Text is the message of a status without its code, and the plain text of any other error; for people.
func Text(err error) string {
	if st, ok := status.FromError(err); ok && err != nil {
		return st.Message()
	}
	return fmt.Sprint(err)
}
