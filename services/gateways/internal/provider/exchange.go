package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

func (c *Client) exchange(ctx context.Context, request Request, target *url.URL, endpoint string, red redactor) (*Response, error) {
	failed := func(kind Kind, reason string, err error) *Error {
		return &Error{Kind: kind, Provider: request.Provider, Op: request.Op, Endpoint: endpoint, Reason: reason, Err: err}
	}
	header := make(http.Header, 3+len(request.Header))
	header["Accept"], header["User-Agent"] = c.accept, c.agent
	var body io.Reader
	if request.Body != nil {
		text, err := json.Marshal(request.Body)
		if err != nil {
			return nil, failed(KindInvalidRequest, "request cannot be written as json", nil)
		}
		body = bytes.NewReader(text)
		header["Content-Type"] = c.accept
	}
	for name, value := range request.Header {
		header.Set(name, value)
	}
	req, err := http.NewRequestWithContext(ctx, request.method(), "", body)
	if err != nil {
		return nil, failed(KindInvalidRequest, "request cannot be made", nil)
	}
	req.URL, req.Host, req.Header = target, target.Host, header
	res, err := c.send(req)
	if err != nil {
		return nil, failed(KindTransient, "no answer", safeCause(ctx, err, red))
	}
	defer res.Body.Close()
	response := &Response{Provider: request.Provider, Op: request.Op, Endpoint: endpoint, HTTPStatus: res.StatusCode,
		Header: res.Header, red: red}
	response.Body, err = readAll(res, c.maxBody+1)
	if int64(len(response.Body)) > c.maxBody {
		response.Body, response.oversized = response.Body[:c.maxBody], true
		return response, nil
	}
	if err != nil {
		e := failed(KindTransient, "answer broke off", safeCause(ctx, err, red))
		e.HTTPStatus = res.StatusCode
		return response, e
	}
	return response, nil
}

func readAll(res *http.Response, limit int64) ([]byte, error) {
	size := int64(2 << 10)
	if res.ContentLength > 0 {
		size = min(res.ContentLength+1, limit)
	}
	buffer := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := buffer.ReadFrom(io.LimitReader(res.Body, limit))
	return buffer.Bytes(), err
}

// safeCause keeps what callers branch on (cancelled, deadline) and turns the rest into text without the URL.
func safeCause(ctx context.Context, err error, red redactor) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return context.DeadlineExceeded
	}
	text := red.line(err.Error(), 200)
	if strings.Contains(text, "://") {
		text = "connection to the provider failed"
	}
	return errors.New(text)
}

// send performs a request and follows a read's redirects within one origin, so that no secret travels elsewhere; any
// other redirect is the answer itself and becomes, with that, a contract error. http.Client would do the same at twice
// the price: it copies the headers of every call in case a redirect comes.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	for hops := 0; ; hops++ {
		res, err := c.transport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		next := nextHop(req, res)
		if next == nil || hops == maxRedirects {
			return res, nil
		}
		_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection is kept
		_ = res.Body.Close()
		next.Host, req = req.Host, next
	}
}

// nextHop is the request that a redirect asks for, nil where none is followed.
func nextHop(req *http.Request, res *http.Response) *http.Request {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	to, err := req.URL.Parse(res.Header.Get("Location"))
	if err != nil || req.Method != http.MethodGet || res.Header.Get("Location") == "" || to.Host != req.URL.Host || to.Scheme != req.URL.Scheme {
		return nil
	}
	next := req.Clone(req.Context())
	next.URL = to
	return next
}
