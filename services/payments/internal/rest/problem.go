package rest

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/internal/rpcerr"
)

// retryAfter is what who must come again is told when nobody said how long to wait, in seconds.
const retryAfter = 2

// problem is the body of every answer that is not 2xx.
type problem struct {
	// Code is the gRPC code's name, such as INVALID_ARGUMENT.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Fields are what is wrong with the request; absent when nothing in it is.
	Fields []field `json:"fields,omitempty"`
	// RetryAfterSeconds is set when coming again helps; the same as the Retry-After header.
	RetryAfterSeconds int64 `json:"retry_after_seconds,omitempty"`
	// TraceID finds the request in logs and traces.
	TraceID string `json:"trace_id,omitempty"`
}

type field struct {
	Field    string `json:"field"`
	Expected string `json:"expected"`
}

// problemOf is what a status says, and its HTTP status as grpc-gateway maps it.
func problemOf(err error) (int, problem) {
	st := status.Convert(err)
	p := problem{Code: code.Code(st.Code()).String(), Message: st.Message()}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				p.Fields = append(p.Fields, field{v.GetField(), v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			p.RetryAfterSeconds = int64(math.Ceil(d.GetRetryDelay().AsDuration().Seconds()))
		}
	}
	if p.RetryAfterSeconds == 0 && (st.Code() == codes.Unavailable || st.Code() == codes.ResourceExhausted) {
		p.RetryAfterSeconds = retryAfter
	}
	return runtime.HTTPStatusFromCode(st.Code()), p
}

// faultsOf makes a problem of what is wrong with a request.
func faultsOf(faults rpcerr.Fields) (int, problem) { return problemOf(faults.Err()) }

func writeProblem(w http.ResponseWriter, r *http.Request, httpStatus int, p problem) {
	if p.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(p.RetryAfterSeconds, 10))
	}
	if httpStatus == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="baixa"`)
	}
	if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
		p.TraceID = sc.TraceID().String()
	}
	writeJSON(w, httpStatus, p)
}

func refuseMethod(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	writeProblem(w, r, http.StatusMethodNotAllowed, problem{Code: "UNIMPLEMENTED", Message: "the method is not allowed here; allowed are " + allowed})
}

func refuseSize(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close") // the rest of it is not read
	writeProblem(w, r, http.StatusRequestEntityTooLarge, problem{Code: "INVALID_ARGUMENT", Message: "the body is too large",
		Fields: []field{{"body", "at most " + strconv.Itoa(MaxBody) + " bytes"}}})
}

func writeJSON(w http.ResponseWriter, httpStatus int, v any) {
	raw, err := json.Marshal(v)
	if err != nil { // our own structs of texts and numbers
		httpStatus, raw = http.StatusInternalServerError, []byte(`{"code":"INTERNAL","message":"internal error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(raw)+1))
	w.WriteHeader(httpStatus)
	_, _ = w.Write(append(raw, '\n')) // the client may be gone
}

func serveReady(w http.ResponseWriter, r *http.Request, ready func(context.Context) error) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	if err := ready(ctx); err != nil {
		slog.WarnContext(ctx, "not ready", slog.Any("error", err))
		writeProblem(w, r, http.StatusServiceUnavailable, problem{Code: "UNAVAILABLE", Message: "not ready; the log says why", RetryAfterSeconds: retryAfter})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}
