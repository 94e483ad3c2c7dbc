package rest

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/door"
)

const webhookPath = "/webhook/payment"

// webhooks serves POST /webhook/payment/{provider}[/{account_key}[/{sale_key}]]. It is a handler of its own and not a route of
// the gateway, which would parse a form before it were read, decode a body it cannot know, and redirect nobody but refuse a
// trailing slash.
type webhooks struct {
	server  *door.Webhooks
	names   func() []string
	known   atomic.Pointer[headers]
	clients visitor.Proxies
}

// headers are names as they were given, and what they were made into.
type headers struct {
	names []string
	all   []header
}

// header is a name as net/http keeps it and as the inbox does.
type header struct{ canonical, lower string }

func newWebhooks(server *door.Webhooks, names func() []string, clients visitor.Proxies) *webhooks {
	return &webhooks{server: server, names: names, clients: clients}
}

// kept are the headers to hand on; they are made anew only when others are named.
func (h *webhooks) kept() []header {
	names := h.names()
	if k := h.known.Load(); k != nil && len(k.names) == len(names) && (len(names) == 0 || &k.names[0] == &names[0]) {
		return k.all
	}
	k := &headers{names: names, all: make([]header, len(names))}
	for i, name := range names {
		k.all[i] = header{http.CanonicalHeaderKey(name), strings.ToLower(name)}
	}
	h.known.Store(k)
	return k.all
}

// ServeHTTP answers 200 once the webhook is durable, whatever it says and whoever sent it; 503 with Retry-After when it is not.
// GET and HEAD, with which panels probe the URL, answer 200 without effect.
func (h *webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	part, ok := webhookParts(r.URL.EscapedPath())
	if !ok {
		writeProblem(w, r, http.StatusNotFound, problem{Code: "NOT_FOUND",
			Message: "the path of a webhook is " + webhookPath + "/{provider}, /{provider}/{account_key} or /{provider}/{account_key}/{sale_key}"})
		return
	}
	switch r.Method {
	case http.MethodPost:
		h.receive(w, r, part)
	case http.MethodGet, http.MethodHead:
		if _, err := h.server.Resolve(part[0]); err != nil {
			httpStatus, p := problemOf(err)
			writeProblem(w, r, httpStatus, p)
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"received": false, "expects": "POST"})
	default:
		refuseMethod(w, r, "POST, GET, HEAD")
	}
}

func (h *webhooks) receive(w http.ResponseWriter, r *http.Request, part [3]string) {
	body, err := readBody(w, r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		refuseSize(w, r)
		return
	case err != nil:
		writeProblem(w, r, http.StatusBadRequest, problem{Code: "INVALID_ARGUMENT", Message: "the body did not arrive whole"})
		return
	}
	req := &paymentsv1.ReceiveWebhookRequest{Provider: part[0], AccountKey: part[1], SaleKey: part[2], Body: body,
		ContentType: r.Header.Get("Content-Type"), Headers: make(map[string]string, 4)}
	for _, name := range h.kept() {
		if values := r.Header[name.canonical]; len(values) > 0 {
			req.Headers[name.lower] = strings.Join(values, ", ")
		}
	}
	if a := h.clients.Client(r); a.IsValid() {
		req.RemoteAddr = a.String()
	}
	resp, err := h.server.ReceiveWebhook(r.Context(), req)
	if err != nil {
		httpStatus, p := problemOf(err)
		if status.Code(err) != codes.InvalidArgument && status.Code(err) != codes.NotFound {
			httpStatus, p.RetryAfterSeconds = http.StatusServiceUnavailable, retryAfter // whatever it was: it is not stored
		}
		writeProblem(w, r, httpStatus, p)
		return
	}
	out := make([]byte, 0, 96)
	out = append(out, `{"received":true,"id":"`...)
	out = append(out, resp.GetReceiptId()...)
	out = append(out, `","duplicate":`...)
	out = strconv.AppendBool(out, resp.GetDuplicate())
	out = append(out, "}\n"...)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out) // the provider may be gone; the webhook is stored
}

// webhookParts takes provider, account key and sale key out of a path that may end in a slash.
func webhookParts(escaped string) (part [3]string, ok bool) {
	rest := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(escaped, webhookPath), "/"), "/")
	n := 0
	for text := range strings.SplitSeq(rest, "/") {
		plain, err := url.PathUnescape(text)
		if err != nil || plain == "" || n == len(part) {
			return part, false
		}
		part[n] = plain
		n++
	}
	return part, true
}

// readBody reads the bytes as they are, at most MaxBody; above that it is *http.MaxBytesError.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, &http.MaxBytesError{Limit: MaxBody}
	}
	limited := http.MaxBytesReader(w, r.Body, MaxBody)
	if r.ContentLength <= 0 {
		return io.ReadAll(limited)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(limited, body)
	return body, err
}
