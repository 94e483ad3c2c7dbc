package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Reasons why an attempt did not deliver: classes, never the receiver's own text. They are part of the contract's vocabulary.
const (
	ReasonStatus      = "status"          // an answer that is not 2xx
	ReasonRedirect    = "redirect"        // 3xx, which is never followed
	ReasonGone        = "gone"            // 410: the receiver wants no more
	ReasonTimeout     = "timeout"         // no answer in time
	ReasonRefused     = "refused_address" // the name leads to an address that is not public
	ReasonUnreachable = "unreachable"     // no connection
	ReasonTLS         = "tls"             // a certificate or handshake that is not good
	ReasonDNS         = "dns"             // the name does not resolve
	ReasonBroken      = "broken"          // the connection ended before the answer
	ReasonUnprepared  = "not_prepared"    // of our own making: the database was away, or the keyset is another one
)

const (
	dialTime   = 5 * time.Second
	maxHeader  = 16 << 10
	maxRead    = 8 << 10        // bytes of an answer's body that are read, and thrown away
	readTime   = time.Second    // for that
	maxPostpon = 24 * time.Hour // of a Retry-After that is obeyed
	agent      = "Baixa-Webhooks/1"
)

// newClient never uses a proxy of the environment, never follows a redirect, and connects to what ok admits alone.
func newClient(c Config, d net.Dialer) *http.Client {
	d.Timeout, d.Resolver = dialTime, c.Resolver
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            d.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
			TLSHandshakeTimeout:    dialTime,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConns:           c.InFlight,
			MaxIdleConnsPerHost:    c.PerEndpoint,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// payload is the specification's recommended body. Data is the event as the owner's socket has it, byte for byte the same on every
// attempt.
type payload struct {
	Type      string          `json:"type"`
	Timestamp string          `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

func body(m store.WebhookMessage) ([]byte, error) {
	var event struct {
		At string `json:"at"`
	}
	if err := json.Unmarshal(m.JSON, &event); err != nil {
		return nil, fmt.Errorf("event %s: %w", m.EventID, err)
	}
	return json.Marshal(payload{m.Type, event.At, m.JSON})
}

// answer is what one request came to. The reason is empty when it was delivered.
type answer struct {
	status int
	reason string
	wait   time.Duration // that the receiver asked for
}

// post makes the one request of an attempt; ctx bounds it.
func (s *Sender) post(ctx context.Context, m store.WebhookMessage) answer {
	raw, err := body(m)
	if err != nil {
		return answer{reason: ReasonUnprepared}
	}
	secrets, err := s.secrets(ctx, m)
	if err != nil {
		return answer{reason: ReasonUnprepared}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(raw))
	if err != nil {
		return answer{reason: ReasonUnprepared}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", agent)
	if err := sign(req.Header, secrets, m.EventID.String(), time.Now(), raw); err != nil {
		return answer{reason: ReasonUnprepared}
	}
	client := s.public
	if m.Loopback {
		client = s.loopback
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{reason: reasonOf(err)}
	}
	defer resp.Body.Close()
	discard(resp.Body)
	a := answer{status: resp.StatusCode}
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
	case resp.StatusCode == http.StatusGone:
		a.reason = ReasonGone
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		a.reason = ReasonRedirect
	default:
		a.reason = ReasonStatus
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
			a.wait = min(time.Duration(n)*time.Second, maxPostpon)
		}
	}
	return a
}

// discard reads a little so that the connection can be used again; an answer that trickles or never ends costs a second.
func discard(body io.ReadCloser) {
	stop := time.AfterFunc(readTime, func() { _ = body.Close() })
	defer stop.Stop()
	_, _ = io.CopyN(io.Discard, body, maxRead) // the status has said everything
}

// reasonOf classifies a transport's error, whose text may hold the address.
func reasonOf(err error) string {
	var (
		name    *net.DNSError
		network net.Error
		op      *net.OpError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.Is(err, ErrPrivate):
		return ReasonRefused
	case errors.As(err, &name) && !name.IsTimeout:
		return ReasonDNS
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return ReasonTimeout
	case errors.As(err, &cert), errors.As(err, &record), errors.As(err, &alert):
		return ReasonTLS
	case errors.As(err, &op) && op.Op == "dial":
		return ReasonUnreachable
	}
	return ReasonBroken
}
