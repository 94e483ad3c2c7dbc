package provider

import (
	"bytes"
	"context"
	"net/url"
)

// Recording holds the answers to one status question, as they came, so that another adapter can read them too. The zero value
// is ready; it is used by one goroutine at a time.
type Recording struct {
	answers []recorded
	next    int
}

type recorded struct {
	response *Response // nil when none came
	err      error
}

type (
	recordKey struct{}
	replayKey struct{}
)

// WithRecording keeps every answer to a status question below ctx in r.
func WithRecording(ctx context.Context, r *Recording) context.Context {
	return context.WithValue(ctx, recordKey{}, r)
}

// WithReplay answers status questions below ctx with what was recorded, in its order, and makes no call. What was not
// recorded is a transient error, and so is every call of another kind.
func WithReplay(ctx context.Context, r *Recording) context.Context {
	return context.WithValue(ctx, replayKey{}, r)
}

func record(ctx context.Context, request Request, response *Response, err error) {
	r, ok := ctx.Value(recordKey{}).(*Recording)
	if !ok || request.Op != OpStatus {
		return
	}
	if response != nil {
		kept := *response
		kept.Body, kept.Header = bytes.Clone(response.Body), response.Header.Clone()
		response = &kept
	}
	r.answers = append(r.answers, recorded{response, err})
}

// replay is the recorded answer to a request, ok when ctx has a recording to replay.
func replay(ctx context.Context, request Request, endpoint string, red redactor) (response *Response, err error, ok bool) {
	r, ok := ctx.Value(replayKey{}).(*Recording)
	if !ok {
		return nil, nil, false
	}
	if request.Op != OpStatus || r.next >= len(r.answers) {
		return nil, &Error{Kind: KindTransient, Provider: request.Provider, Op: request.Op, Endpoint: endpoint, Reason: "the deciding adapter made no such call"}, true
	}
	a := r.answers[r.next]
	r.next++
	if a.response == nil {
		return nil, a.err, true
	}
	return &Response{Provider: request.Provider, Op: request.Op, Endpoint: endpoint, HTTPStatus: a.response.HTTPStatus,
		Header: a.response.Header, Body: a.response.Body, oversized: a.response.oversized, red: red}, a.err, true
}

// answer performs a request, or replays it.
func (c *Client) answer(ctx context.Context, request Request, target *url.URL, endpoint string, red redactor) (*Response, error) {
	if response, err, ok := replay(ctx, request, endpoint, red); ok {
		return response, err
	}
	response, err := c.exchange(ctx, request, target, endpoint, red)
	record(ctx, request, response, err)
	return response, err
}
