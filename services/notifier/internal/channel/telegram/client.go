// Package telegram sends buyers' messages through the Telegram Bot API: it claims them from the store, keeps the limits of bots
// and chats, reads what Telegram answers, and writes the results in groups.
//
// It refuses to send a message twice when the first may have arrived, to say anything of Telegram's descriptions (they quote
// addresses) or of a token in logs, errors and spans, and to decide about sales: what became of a message is an outcome, and
// others follow it.
package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/baixapay/baixa/services/notifier/internal/message"
)

const (
	maxAnswer = 64 << 10 // bytes of an answer that are read
	maxCalls  = 4        // of one Send: HTML, moved chat, plain, moved again
)

// client speaks sendMessage. It is safe for concurrent use; its connections are shared by all bots.
type client struct {
	transport *http.Transport
	base      string
}

// newClient keeps up to conns idle connections. HTTP/1.1 on purpose: whether a request was written is then a clear question.
func newClient(base string, conns int) *client {
	h1 := new(http.Protocols)
	h1.SetHTTP1(true)
	return &client{base: strings.TrimRight(base, "/"), transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		MaxIdleConns:          conns,
		MaxIdleConnsPerHost:   conns,
		IdleConnTimeout:       30 * time.Second, // shorter than the servers', so that we do not write into a closing one
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
		Protocols:             h1,
	}}
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// letter is one message with the credentials to send it.
type letter struct {
	base, token string // base empty: the client's own
	chat        int64
	text        message.Text
}

// send hands the letter over and says what Telegram made of it, following a chat that moved and falling back to plain text
// when the HTML or the button is refused. The context bounds all of it.
func (c *client) send(ctx context.Context, l letter) answer {
	plain := false
	a := answer{}
	for range maxCalls {
		a = c.call(ctx, l, plain)
		a.chat = l.chat
		switch {
		case a.kind == moved && a.movedTo != 0 && a.movedTo != l.chat:
			l.chat = a.movedTo
		case a.kind == malformed && !plain:
			plain = true
		default:
			return a.final()
		}
	}
	return a.final()
}

type sendMessage struct {
	ChatID    int64        `json:"chat_id"`
	Text      string       `json:"text"`
	ParseMode string       `json:"parse_mode,omitempty"`
	Preview   *linkPreview `json:"link_preview_options,omitempty"`
	Markup    *keyboard    `json:"reply_markup,omitempty"`
}

type linkPreview struct {
	Disabled bool `json:"is_disabled"`
}

type keyboard struct {
	Rows [][]button `json:"inline_keyboard"`
}

type button struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// noPreview keeps Telegram from fetching the delivery page for a preview.
var noPreview = &linkPreview{Disabled: true}

func (l letter) body(plain bool) ([]byte, error) {
	m := sendMessage{ChatID: l.chat, Text: l.text.Plain, Preview: noPreview}
	if !plain {
		m.Text, m.ParseMode = l.text.HTML, "HTML"
		if l.text.Button != "" {
			m.Markup = &keyboard{[][]button{{{Text: l.text.Button, URL: l.text.Link}}}}
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(m)
	return b.Bytes(), err
}

// call is one HTTP request. Errors of the transport hold the address with the token, so they become an answer here and go no
// further.
func (c *client) call(ctx context.Context, l letter, plain bool) answer {
	body, err := l.body(plain)
	if err != nil {
		return answer{kind: refused, reason: ReasonRejected}
	}
	base := c.base
	if l.base != "" {
		base = strings.TrimRight(l.base, "/")
	}
	// Written is noticed by the transport's own goroutine, which may outlive Do.
	written := new(atomic.Bool)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(w httptrace.WroteRequestInfo) {
		if w.Err == nil {
			written.Store(true)
		}
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/bot"+l.token+"/sendMessage", bytes.NewReader(body))
	if err != nil {
		return answer{kind: badToken, reason: ReasonUnauthorized}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.transport.RoundTrip(req) // follows no redirect, and copies no headers in case one comes
	switch {
	case err != nil && written.Load():
		return answer{kind: unknown, reason: reasonOf(err)}
	case err != nil:
		return answer{kind: again, reason: ReasonUnreachable}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return read(resp, raw, err)
}

func reasonOf(err error) string {
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		return ReasonTimeout
	}
	return ReasonBroken
}

// retryAfter reads the header of that name for answers whose body is not Telegram's.
func retryAfter(h http.Header) (seconds int) {
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil {
		return n
	}
	return 0
}

// CheckBase says whether an address may replace Telegram's: https, or http on loopback; no user, query or fragment.
func CheckBase(base string) error {
	u, err := http.NewRequest(http.MethodGet, base, nil)
	if err != nil || u.URL.Host == "" || u.URL.User != nil || u.URL.RawQuery != "" || u.URL.Fragment != "" {
		return fmt.Errorf("expected an https address without user, query and fragment")
	}
	host := u.URL.Hostname()
	ip := net.ParseIP(host)
	if u.URL.Scheme == "https" || u.URL.Scheme == "http" && (host == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("expected https, or http on loopback only")
}
