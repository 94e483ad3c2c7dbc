// Package purchase tells Meta of a sale through the Conversions API: it makes the event to the letter of the documentation,
// sends it, understands the answer and works the queue of what is to be sent.
//
// It refuses to put a token into a URL, an error or a log, to send more than one sale in a request, to send what is older
// than Meta takes, and to follow redirects.
package purchase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultBaseURL is the Graph API.
const DefaultBaseURL = "https://graph.facebook.com"

// DefaultVersion is the Graph API version of the documentation's examples. Versions end; it is a setting for that reason.
const DefaultVersion = "v21.0"

const (
	maxAnswer   = 64 << 10
	dialTimeout = 5 * time.Second
)

// ClientConfig says how Meta is reached. The zero value is ready.
type ClientConfig struct {
	BaseURL     string        // for pixels without their own; empty means DefaultBaseURL
	Version     string        // for pixels without their own; empty means DefaultVersion
	Timeout     time.Duration // of one request; 0 means 10 s
	Connections int           // kept open to a host; 0 means 64
}

// Client makes requests. It is safe for concurrent use; Close ends its idle connections.
type Client struct {
	cfg  ClientConfig
	http *http.Client
}

// NewClient checks c.
func NewClient(c ClientConfig) (*Client, error) {
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	if c.Version == "" {
		c.Version = DefaultVersion
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Connections == 0 {
		c.Connections = 64
	}
	if err := CheckBaseURL(c.BaseURL); err != nil {
		return nil, fmt.Errorf("meta base URL: %w", err)
	}
	if !ValidVersion(c.Version) {
		return nil, fmt.Errorf("graph API version %q: expected a form such as v21.0", c.Version)
	}
	if c.Timeout < 0 || c.Connections < 0 {
		return nil, errors.New("meta client: a limit is negative")
	}
	transport := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext, TLSHandshakeTimeout: dialTimeout,
		MaxIdleConns: 4 * c.Connections, MaxIdleConnsPerHost: c.Connections, IdleConnTimeout: 90 * time.Second,
		ForceAttemptHTTP2: true,
	}
	return &Client{cfg: c, http: &http.Client{
		Transport: transport, Timeout: c.Timeout,
		// The body holds a token: it goes where it was meant to go, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// send posts one body and always returns an answer: a request that got none is one to repeat.
func (c *Client) send(ctx context.Context, baseURL, version, pixel string, body []byte) answer {
	if baseURL == "" {
		baseURL = c.cfg.BaseURL
	}
	if version == "" {
		version = c.cfg.Version
	}
	target := strings.TrimRight(baseURL, "/") + "/" + version + "/" + pixel + "/events"
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { written.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return answer{verdict: refused, reason: "the pixel's base URL or version makes no address"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{verdict: again, reason: describe(err), unsure: written.Load()}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{verdict: again, reason: "answer broken off", unsure: true}
	}
	return read(resp.StatusCode, resp.Header, text)
}

// describe names the class of a transport error; its text would hold addresses.
func describe(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "name not resolved"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "stopped before the answer"
	case errors.As(err, &op) && op.Op == "dial":
		return "connection refused"
	}
	return "connection broken"
}

// CheckBaseURL accepts https addresses, and http on loopback only; without user, query or fragment.
func CheckBaseURL(s string) error {
	const want = "expected an https:// address, or http:// on loopback"
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return errors.New(want)
	}
	if u.Scheme == "https" {
		return nil
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "http" || (u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return errors.New(want)
	}
	return nil
}

// ValidVersion reports whether s has the form of a Graph API version, such as v21.0.
func ValidVersion(s string) bool {
	major, minor, ok := strings.Cut(strings.TrimPrefix(s, "v"), ".")
	return ok && strings.HasPrefix(s, "v") && digits(major) && digits(minor)
}

// ValidPixelID reports whether s can be a pixel: 5 to 20 digits.
func ValidPixelID(s string) bool { return len(s) >= 5 && len(s) <= 20 && digits(s) }

func digits(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}
