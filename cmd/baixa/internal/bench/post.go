package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	postWithin = 30 * time.Second
	postIdle   = 30 * time.Second // after which a connection is made anew; the server keeps one for a minute
	postRenew  = 5 * time.Second  // how old a connection's deadline may be: setting one costs as much as writing a header
	maxAnswer  = 4 << 10          // bytes of a whole answer
)

// poster is one HTTP client that posts webhooks over a connection that it keeps. It writes a request and reads its answer in the goroutine of its
// caller, one after the other, and makes what does not differ between two requests once per address, as load generators do: what net/http's own
// client does beside that (a pool, two goroutines a connection, a timer, headers in maps) costs as much as the request, on the processors of what is
// measured. It takes no answer but one whole HTTP/1.1 message with a Content-Length.
type poster struct {
	conn      net.Conn
	host      string    // where conn leads
	used      time.Time // when it last answered
	until     time.Time // its deadline
	in        []byte    // an answer, from its first byte
	out       []byte    // a request
	to, kind  string    // which address and content type head is for
	head      []byte    // of a request, up to the length of its body
	headsHost string
}

func newPoster() *poster { return &poster{in: make([]byte, maxAnswer)} }

func (p *poster) close() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}

// dial connects where the last connection leads elsewhere, or is none that the server surely keeps.
func (p *poster) dial(ctx context.Context, host string, now time.Time) error {
	if p.conn != nil && p.host == host && now.Sub(p.used) < postIdle {
		if p.until.Sub(now) >= postWithin-postRenew {
			return nil
		}
		p.until = now.Add(postWithin)
		return p.conn.SetDeadline(p.until)
	}
	p.close()
	conn, err := (&net.Dialer{Timeout: postWithin}).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	p.conn, p.host, p.until = conn, host, now.Add(postWithin)
	return conn.SetDeadline(p.until)
}

// address makes the head of requests to an address.
func (p *poster) address(to, contentType string) error {
	if p.to == to && p.kind == contentType {
		return nil
	}
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	if u.Scheme != "http" || u.Port() == "" {
		return fmt.Errorf("%s: expected http with a port", u.Redacted())
	}
	if strings.ContainsAny(contentType, "\r\n") {
		return fmt.Errorf("content type %q: expected one line", contentType)
	}
	p.head = fmt.Appendf(p.head[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Go-http-client/1.1\r\nContent-Type: %s\r\nContent-Length: ", u.RequestURI(), u.Host, contentType)
	p.to, p.kind, p.headsHost = to, contentType, u.Host
	return nil
}

// receipt is the answer to a webhook.
type receipt struct {
	Received, Duplicate bool
	took                time.Duration
}

// post sends one webhook; anything but 200 is an error. One that is under way when ctx ends is waited for, at least 25 and at most 30 seconds.
func (p *poster) post(ctx context.Context, to, contentType string, body []byte) (r receipt, err error) {
	defer func() {
		if err != nil {
			p.close()
			err = fmt.Errorf("post webhook: %w", err)
		}
	}()
	if err = p.address(to, contentType); err != nil {
		return r, err
	}
	start := time.Now()
	if err = p.dial(ctx, p.headsHost, start); err != nil {
		return r, err
	}
	p.out = append(p.out[:0], p.head...)
	p.out = strconv.AppendInt(p.out, int64(len(body)), 10)
	p.out = append(append(p.out, "\r\n\r\n"...), body...)
	if _, err = p.conn.Write(p.out); err != nil {
		return r, err
	}
	a, err := p.read()
	if err != nil {
		return r, err
	}
	p.used = time.Now()
	r.took = p.used.Sub(start)
	if a.last {
		p.close()
	}
	if r.Duplicate, err = readReceipt(a.body); err != nil {
		return r, err
	}
	r.Received = true
	return r, nil
}

// read takes one answer in, as many reads as it needs. The bytes are good until the next.
func (p *poster) read() (answer, error) {
	n, end := 0, -1
	var a answer
	for {
		if n == len(p.in) {
			return a, fmt.Errorf("an answer longer than %d bytes", len(p.in))
		}
		m, err := p.conn.Read(p.in[n:])
		if n += m; err != nil && m == 0 {
			if errors.Is(err, io.EOF) && n > 0 {
				err = io.ErrUnexpectedEOF
			}
			return a, err
		}
		if end < 0 {
			if end = bytes.Index(p.in[:n], []byte("\r\n\r\n")); end < 0 {
				continue
			}
			if a, err = readHead(p.in[:end+2]); err != nil {
				return a, err
			}
		}
		switch whole := end + 4 + a.length; {
		case n > whole || whole > len(p.in):
			return a, fmt.Errorf("an answer of %d bytes or more, where %d were told", n, whole)
		case n == whole:
			a.body = p.in[end+4 : n]
			return a, nil
		}
	}
}

// answer is one to a request.
type answer struct {
	length int
	last   bool // the connection ends with it
	body   []byte
}

// readHead reads the status line and the header, every line with its end. It refuses a status but 200, and bodies whose length is not told by one Content-Length.
func readHead(head []byte) (a answer, err error) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		if !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
			return a, fmt.Errorf("%q: expected an answer of HTTP/1.1", line)
		}
		return a, fmt.Errorf("answered %s", line[len("HTTP/1.1 "):])
	}
	a.length = -1
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || line[0] == ' ' || line[0] == '\t' {
			return a, fmt.Errorf("%q: expected a header", line)
		}
		name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
		switch {
		case is(name, "Content-Length"):
			n, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || a.length >= 0 {
				return a, fmt.Errorf("Content-Length %q: expected one number, once", value)
			}
			a.length = int(n)
		case is(name, "Transfer-Encoding"), is(name, "Content-Encoding"):
			return a, fmt.Errorf("%s %q: expected a body as it is, with a Content-Length", name, value)
		case is(name, "Connection"):
			a.last = a.last || bytes.Contains(bytes.ToLower(value), []byte("close"))
		}
	}
	if a.length < 0 {
		return a, errors.New("expected a Content-Length")
	}
	return a, nil
}

// is compares a header's name in any case.
func is(name []byte, want string) bool {
	return len(name) == len(want) && bytes.EqualFold(name, []byte(want))
}

const (
	receiptStart = `{"received":true,"id":"`
	receiptFirst = `","duplicate":false}` + "\n"
)

// readReceipt reads the body of an answer, and errors unless the webhook was received. What a first webhook is answered with is compared, all
// else is read as JSON.
func readReceipt(body []byte) (duplicate bool, err error) {
	if n := len(body) - len(receiptFirst); n > len(receiptStart) && string(body[:len(receiptStart)]) == receiptStart && string(body[n:]) == receiptFirst &&
		isID(body[len(receiptStart):n]) {
		return false, nil
	}
	var r struct{ Received, Duplicate bool }
	if err := json.Unmarshal(body, &r); err != nil {
		return false, err
	}
	if !r.Received {
		return false, errors.New("not received")
	}
	return r.Duplicate, nil
}

func isID(text []byte) bool {
	for _, c := range text {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c == '-') {
			return false
		}
	}
	return len(text) == len("00000000-0000-0000-0000-000000000000")
}
