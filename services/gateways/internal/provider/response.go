package provider

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/document"
)

// Response is a provider's answer. Mappings are pure functions of it; a test may make one from a body alone.
type Response struct {
	Provider   Name
	Op         Op
	Endpoint   string
	HTTPStatus int
	Header     http.Header
	Body       []byte

	red       redactor
	doc       document.Value
	parsed    bool
	oversized bool
}

// Document reads the body as JSON. A body that is not JSON is an *Error: transient when the provider is ill (empty,
// HTML, plain text, truncated), contract when it speaks broken JSON.
func (r *Response) Document() (document.Value, error) {
	if r.parsed {
		return r.doc, nil
	}
	doc, err := document.Parse(r.Body)
	switch {
	case err == nil:
		r.doc, r.parsed = doc, true
		return doc, nil
	case errors.Is(err, document.ErrSyntax), errors.Is(err, document.ErrTooLarge):
		return document.Value{}, r.Fail(KindContract, err.Error())
	default:
		return document.Value{}, r.Fail(KindTransient, err.Error())
	}
}

// Fail makes the *Error of this answer, with its excerpt.
func (r *Response) Fail(kind Kind, reason string) *Error {
	return &Error{Kind: kind, Provider: r.Provider, Op: r.Op, Endpoint: r.Endpoint, HTTPStatus: r.HTTPStatus,
		Reason: reason, Excerpt: r.Evidence()}
}

// Evidence is at most 512 bytes of the body without secrets and personal data.
func (r *Response) Evidence() string {
	doc := r.doc
	if !r.parsed && !r.oversized {
		if d, err := document.Parse(r.Body); err == nil {
			doc, r.doc, r.parsed = d, d, true
		}
	}
	return r.red.excerpt(r.Body, doc)
}

// Safe makes provider text fit for a Reason: no secrets, no personal data, at most 200 bytes.
func (r *Response) Safe(text string) string { return r.red.line(text, 200) }

// classify sorts an answer by its HTTP code and, where that lies, by its body. nil means a 2xx worth reading.
func (c *Client) classify(r *Response) error {
	isHTML := document.LooksHTML(r.Body)
	var kind Kind
	var reason string
	switch code := r.HTTPStatus; {
	case code == http.StatusTooManyRequests:
		kind, reason = KindRateLimited, "asked too often"
	case code == http.StatusUnauthorized:
		kind, reason = KindCredential, "credentials refused"
	case code >= 500 || code == http.StatusRequestTimeout || code == http.StatusTooEarly:
		kind, reason = KindTransient, "provider is ill"
	case isHTML:
		// A page instead of JSON comes from whatever stands before the API (a wall, a load balancer), so its 403
		// does not speak of the credentials, nor its 404 of the charge.
		kind, reason = KindTransient, "web page instead of an answer"
	case code == http.StatusForbidden:
		kind, reason = KindCredential, "access refused"
	case code == http.StatusNotFound || code == http.StatusGone:
		kind, reason = KindNotFound, "charge not known"
	case code == http.StatusBadRequest || code == http.StatusUnprocessableEntity || code == http.StatusConflict ||
		code == http.StatusPaymentRequired || code == http.StatusRequestEntityTooLarge:
		kind, reason = KindInvalidRequest, "request refused"
	case code < 200 || code > 299:
		kind, reason = KindContract, "unexpected http code"
	case r.oversized:
		kind, reason = KindContract, "answer larger than "+strconv.FormatInt(c.maxBody, 10)+" bytes"
	default:
		return nil
	}
	e := r.Fail(kind, reason)
	e.RetryAfter = retryAfter(r, c.now())
	return e
}

// retryAfter reads the header (seconds or date), then, for 429 only, the body.
func retryAfter(r *Response, now time.Time) time.Duration {
	if header := strings.TrimSpace(r.Header.Get("Retry-After")); header != "" {
		if d, ok := seconds(header); ok {
			return d
		}
		if at, err := http.ParseTime(header); err == nil {
			return max(at.Sub(now), 0)
		}
	}
	if r.HTTPStatus != http.StatusTooManyRequests || !r.parsed {
		return 0
	}
	for _, level := range []string{"", "error.", "data.", "parameters.", "errors."} {
		for _, key := range []string{"retry_after", "retryAfter", "retry-after", "retry_after_seconds", "retryAfterSeconds", "retry_in", "seconds", "wait"} {
			if d, ok := seconds(r.doc.Get(level + key).Text()); ok {
				return d
			}
		}
		for _, key := range []string{"message", "error", "detail", "mensagem"} {
			if m := waitPattern.FindStringSubmatch(r.doc.Get(level + key).Text()); m != nil {
				d, _ := seconds(m[1])
				return d
			}
		}
	}
	return 0
}

// waitPattern finds "retry after 30 seconds", "aguarde 30 segundos", "try again in 30s".
var waitPattern = regexp.MustCompile(`(?i)\b(\d{1,6})\s*s(?:ec(?:ond)?s?|eg(?:undo)?s?)?\b`)

// seconds reads whole or decimal seconds, rounded up to the millisecond, at most a year.
func seconds(text string) (time.Duration, bool) {
	if text == "" || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	s, err := strconv.ParseFloat(text, 64)
	if err != nil || s > float64(365*24*time.Hour/time.Second) {
		return 0, false
	}
	d := time.Duration(s * float64(time.Second))
	if rest := d % time.Millisecond; rest != 0 {
		d += time.Millisecond - rest
	}
	return d, true
}
