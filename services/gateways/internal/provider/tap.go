package provider

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/baixapay/baixa/services/gateways/internal/document"
)

// Exchange is one call as a person may see it: no secret and no personal data is in it.
type Exchange struct {
	Provider Name
	Op       Op
	Method   string
	// URL has every secret replaced; identifiers are shown.
	URL string
	// RequestBody and Body are JSON or text, at most 4 KiB.
	RequestBody string
	// HTTPStatus is 0 when no answer came.
	HTTPStatus int
	Body       string
	// Err is nil for a 2xx that could be read.
	Err error
}

type tapKey struct{}

// WithTap makes every call below ctx report itself to see, in the calling goroutine, after the answer was read. The
// workbench shows calls with it.
func WithTap(ctx context.Context, see func(Exchange)) context.Context {
	return context.WithValue(ctx, tapKey{}, see)
}

func tap(ctx context.Context, request Request, target *url.URL, response *Response, err error, red redactor) {
	see, ok := ctx.Value(tapKey{}).(func(Exchange))
	if !ok {
		return
	}
	x := Exchange{Provider: request.Provider, Op: request.Op, Method: request.method(), URL: shownURL(request, target, red), Err: err}
	if request.Body != nil {
		if text, err := json.Marshal(request.Body); err == nil {
			if doc, err := document.Parse(text); err == nil {
				x.RequestBody = red.excerpt(text, doc)
			}
		}
	}
	if response != nil {
		x.HTTPStatus, x.Body = response.HTTPStatus, response.Evidence()
	}
	see(x)
}

func shownURL(request Request, target *url.URL, red redactor) string {
	shown := *target
	if len(request.SecretQuery) > 0 {
		var parts []string
		for part := range strings.SplitSeq(shown.RawQuery, "&") {
			name, _, _ := strings.Cut(part, "=")
			if _, secret := request.SecretQuery[name]; secret {
				part = name + "=" + redacted
			}
			parts = append(parts, part)
		}
		shown.RawQuery = strings.Join(parts, "&")
	}
	return red.secrets(shown.String())
}
