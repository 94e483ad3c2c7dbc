package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	postWithin = 30 * time.Second
	postIdle   = 30 * time.Second // after which a connection is made anew; the server keeps one for a minute
)

// poster is one HTTP client that posts webhooks over a connection that it keeps. It writes a request and reads its answer in the goroutine of its
// caller, one after the other: what net/http's own client does beside that (a pool, two goroutines a connection, a timer a request) costs as much as
// the request, on the processors of what is measured.
type poster struct {
	conn net.Conn
	host string
	in   *bufio.Reader
	out  *bufio.Writer
	used time.Time
}

func newPoster() *poster { return &poster{} }

func (p *poster) close() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}

// dial connects where the last connection leads elsewhere, or is none that the server surely keeps.
func (p *poster) dial(ctx context.Context, host string) error {
	if p.conn != nil && p.host == host && time.Since(p.used) < postIdle {
		return nil
	}
	p.close()
	conn, err := (&net.Dialer{Timeout: postWithin}).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	p.conn, p.host, p.in, p.out = conn, host, bufio.NewReader(conn), bufio.NewWriter(conn)
	return nil
}

// receipt is the answer to a webhook.
type receipt struct {
	Received, Duplicate bool
	took                time.Duration
}

// post sends one webhook; anything but 200 is an error. One that is under way when ctx ends is waited for.
func (p *poster) post(ctx context.Context, to, contentType string, body []byte) (r receipt, err error) {
	defer func() {
		if err != nil {
			p.close()
			err = fmt.Errorf("post webhook: %w", err)
		}
	}()
	u, err := url.Parse(to)
	if err != nil {
		return r, err
	}
	if u.Scheme != "http" || u.Port() == "" {
		return r, fmt.Errorf("%s: expected http with a port", u.Redacted())
	}
	req := &http.Request{Method: http.MethodPost, URL: u, Host: u.Host, Header: http.Header{"Content-Type": {contentType}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
	start := time.Now()
	if err = p.dial(ctx, u.Host); err != nil {
		return r, err
	}
	if err = p.conn.SetDeadline(start.Add(postWithin)); err != nil {
		return r, err
	}
	if err = req.Write(p.out); err != nil {
		return r, err
	}
	if err = p.out.Flush(); err != nil {
		return r, err
	}
	resp, err := http.ReadResponse(p.in, req)
	if err != nil {
		return r, err
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return r, err
	}
	p.used = time.Now()
	r.took = p.used.Sub(start)
	if resp.StatusCode != http.StatusOK {
		return r, fmt.Errorf("answered %s", resp.Status)
	}
	if err = json.Unmarshal(raw, &r); err != nil {
		return r, err
	}
	if !r.Received {
		return r, fmt.Errorf("not received")
	}
	if resp.Close {
		p.close()
	}
	return r, nil
}
