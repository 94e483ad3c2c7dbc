package deployment

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const callLimit = Within

// Client speaks to a deployment with one API key, or with none. It looks into every answer for canaries and for words that only
// programmers should see, and fails the test when there are any.
type Client struct {
	t    testing.TB
	d    Deployment
	key  string
	http *http.Client
	conn *grpc.ClientConn
}

// NewClient makes a client; it is closed with the test. An empty key sends none.
func NewClient(t testing.TB, d Deployment, key string) *Client {
	t.Helper()
	return newClient(t, d, key, d.GRPC())
}

// NewLeafClient speaks to a service behind the front door, without being anybody.
func NewLeafClient(t testing.TB, d Deployment, address string) *Client {
	t.Helper()
	return newClient(t, d, "", address)
}

func newClient(t testing.TB, d Deployment, key, address string) *Client {
	t.Helper()
	c := &Client{t: t, d: d, key: key, http: &http.Client{Timeout: callLimit, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	var err error
	c.conn, err = grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUnaryInterceptor(c.intercept))
	if err != nil {
		t.Fatalf("make gRPC client: %v", err)
	}
	t.Cleanup(func() {
		c.http.CloseIdleConnections()
		_ = c.conn.Close() // nothing is in flight
	})
	return c
}

// Conn is for generated gRPC clients.
func (c *Client) Conn() *grpc.ClientConn { return c.conn }

// Invoke calls a method by its full name.
func (c *Client) Invoke(method string, in, out proto.Message) error {
	return c.conn.Invoke(context.Background(), method, in, out)
}

// Ask is Invoke for what must be answered and may be asked again, as Must is REST.
func (c *Client) Ask(method string, in, out proto.Message) error {
	c.t.Helper()
	for began := time.Now(); ; {
		err := c.Invoke(method, in, out)
		if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.Unavailable || time.Since(began) > Within {
			return err
		}
		c.t.Logf("%s: too late, and asked again: %v", method, err)
	}
}

func (c *Client) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	c.t.Helper()
	if c.key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.key)
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err := invoke(ctx, method, req, reply, cc, opts...)
	said := status.Convert(err).Message()
	for _, detail := range status.Convert(err).Proto().GetDetails() {
		said += "\n" + detail.String()
	}
	if m, ok := reply.(proto.Message); ok && err == nil {
		raw, _ := protojson.Marshal(m) // an answer that was decoded encodes
		said += string(raw)
	}
	c.look(method, said)
	return err
}

// look fails the test when an answer tells what it must not.
func (c *Client) look(what, said string) {
	c.t.Helper()
	if wrong := canaries(c.d).InAnswer(said); wrong != "" {
		c.t.Errorf("answer to %s: %s", what, wrong)
	}
}

func canaries(d Deployment) *Canaries {
	switch d := d.(type) {
	case *one:
		return d.canaries
	case *separate:
		return d.canaries
	}
	return &Canaries{}
}

// Answer is what HTTP answered.
type Answer struct {
	Code   int
	Header http.Header
	Body   string
}

// Problem is the body of an answer that is not 2xx.
type Problem struct {
	Code    string
	Message string
	Fields  []struct{ Field, Expected string }
}

// Problem reads the body as one; empty when it is none.
func (a Answer) Problem() (p Problem) {
	_ = json.Unmarshal([]byte(a.Body), &p) // whoever looks sees that it is empty
	return p
}

// Do makes a request to a path of the API, or to a whole URL, and reads the answer; err is set when there was none. Headers come
// in pairs.
func (c *Client) Do(method, path string, body []byte, headers ...string) (Answer, error) {
	c.t.Helper()
	url := path
	if strings.HasPrefix(path, "/") {
		url = c.d.URL() + path
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, err
	}
	c.look(method+" "+path, string(raw))
	return Answer{resp.StatusCode, resp.Header, string(raw)}, nil
}

// REST makes a call with JSON made of in (nil for none) and reads a 200 answer into out. The answer is returned whatever it is;
// no answer at all fails the test.
func (c *Client) REST(method, path string, in, out proto.Message) Answer {
	c.t.Helper()
	var body []byte
	if in != nil {
		var err error
		if body, err = (protojson.MarshalOptions{UseProtoNames: true}).Marshal(in); err != nil {
			c.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	a, err := c.Do(method, path, body, "Content-Type", "application/json")
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.Code == http.StatusOK && out != nil {
		if err := protojson.Unmarshal([]byte(a.Body), out); err != nil {
			c.t.Fatalf("%s %s answers what the contract does not know: %v\n%s", method, path, err, a.Body)
		}
	}
	return a
}

// Must is REST that must be answered 200. It is for calls that may be repeated: where a busy machine was too slow for one, which is answered 504
// or 503 and may have been done, it is made again, as whoever calls is told to. late says that this happened.
func (c *Client) Must(method, path string, in, out proto.Message) (late bool) {
	c.t.Helper()
	for began := time.Now(); ; late = true {
		a := c.REST(method, path, in, out)
		if a.Code == http.StatusOK {
			return late
		}
		if a.Code != http.StatusGatewayTimeout && a.Code != http.StatusServiceUnavailable || time.Since(began) > Within {
			c.t.Fatalf("%s %s: got %d, want 200: %s", method, path, a.Code, a.Body)
		}
		c.t.Logf("%s %s: too late, and made again: %s", method, path, a.Body)
	}
}
