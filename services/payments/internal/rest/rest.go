// Package rest is the payments service's HTTP side: the API as JSON under /v1, the URLs to which providers post, the
// description of both, and the probes of whoever runs the process.
//
// The API goes through the service's own gRPC door, so that authentication, limits and errors are the same either way. What
// providers post is not JSON to us but bytes: it never meets the gateway that translates JSON.
//
// It refuses what it does not understand, a misspelt field or query parameter included, and names it; it decides nothing.
package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"google.golang.org/grpc"

	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/door"
)

// MaxBody is the size of the largest request, in bytes; above it the answer is 413.
const MaxBody = 1 << 20

const readyWithin = 2 * time.Second

// Config describes the HTTP side. Conn, Webhooks and Ready are required.
type Config struct {
	// Conn reaches the payments service's own gRPC door; in this process, so that the door believes who is calling.
	Conn *grpc.ClientConn
	// Webhooks stores what providers post.
	Webhooks *door.Webhooks
	// Headers are the names of the headers to hand to Webhooks; required. A call that gives the same slice again names the same.
	Headers func() []string
	// Ready tells whether the service can work; its error is logged and not shown.
	Ready func(ctx context.Context) error
	// Proxies may say for whom they ask, in X-Forwarded-For. Nobody else may.
	Proxies visitor.Proxies
	// Pay serves /pay/…, Go serves /go/…: pages for people. Nil: they are 404. They make their own spans, for their URLs are secrets.
	Pay, Go http.Handler
	// Version is told by the API's description. Empty: "development".
	Version string
}

// New returns the handler of /v1/…, /webhook/payment/…, /pay/…, /go/…, /openapi.json, /docs, /healthz and /readyz; all else is 404. The paths
// are absolute: mount it where the others are at the root.
func New(c Config) (http.Handler, error) {
	if c.Conn == nil || c.Webhooks == nil || c.Ready == nil {
		return nil, errors.New("rest: Conn, Webhooks and Ready are required")
	}
	api, err := newAPI(c.Conn, c.Proxies)
	if err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	doc, err := newDocument(c.Version)
	if err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	hooks, err := newTraced(webhookPath+"/{provider}", newWebhooks(c.Webhooks, c.Headers, c.Proxies))
	if err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/v1/"):
			api.ServeHTTP(w, r)
		case path == "/openapi.json":
			read(w, r, doc.serveJSON)
		case path == "/docs":
			read(w, r, doc.servePage)
		default:
			writeProblem(w, r, http.StatusNotFound, problem{Code: "NOT_FOUND", Message: "no such path; /docs lists what there is"})
		}
	})
	others := otelhttp.NewHandler(inner, "payments.rest", otelhttp.WithSpanNameFormatter(spanName))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch path := r.URL.Path; {
		case path == webhookPath || strings.HasPrefix(path, webhookPath+"/"):
			hooks.ServeHTTP(w, r)
		case c.Pay != nil && strings.HasPrefix(path, "/pay/"):
			c.Pay.ServeHTTP(w, r)
		case c.Go != nil && strings.HasPrefix(path, "/go/"):
			c.Go.ServeHTTP(w, r)
		case path == "/healthz": // probes are not worth a span
			read(w, r, func(w http.ResponseWriter, r *http.Request) {
				writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
			})
		case path == "/readyz":
			read(w, r, func(w http.ResponseWriter, r *http.Request) { serveReady(w, r, c.Ready) })
		default:
			others.ServeHTTP(w, r)
		}
	}), nil
}

// spanName has no ids in it. The API's spans are renamed when their route is known.
func spanName(_ string, r *http.Request) string {
	if path := r.URL.Path; path == "/openapi.json" || path == "/docs" {
		return r.Method + " " + path
	}
	return "HTTP " + r.Method
}

// read lets GET and HEAD through.
func read(w http.ResponseWriter, r *http.Request, h http.HandlerFunc) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuseMethod(w, r, "GET, HEAD")
		return
	}
	h(w, r)
}
