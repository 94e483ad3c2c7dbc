package webhook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestPublic_addresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "200.160.2.3": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"10.1.2.3": false, "127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.1.1": false, "100.64.0.1": false, "100.127.255.255": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"240.0.0.1": false, "192.0.2.1": false, "192.88.99.1": false, "192.0.0.8": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false,
		"64:ff9b::a00:1": false, "64:ff9b:1::1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "::127.0.0.1": false, "3fff::1": false,
		"fe80::1%eth0": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("public(%s) = %v", text, got)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// names is a resolver whose answers a test changes: the address that a name has at this moment.
func names(t *testing.T, answer func(name string) string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.RecursionAvailable = true, true
			m.Additionals = nil
			address, err := netip.ParseAddr(answer(strings.TrimSuffix(q.Name.String(), ".")))
			header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0}
			switch {
			case err != nil:
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA && address.Is4():
				m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: address.As4()}}}
			case q.Type == dnsmessage.TypeAAAA && address.Is6():
				m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestCheck_refusesWhatIsNotPublic(t *testing.T) {
	resolver := names(t, func(name string) string {
		return map[string]string{"good.example": "93.184.215.14", "inside.example": "10.0.0.7", "six.example": "fd00::1", "mapped.example": "::ffff:127.0.0.1"}[name]
	})
	for url, want := range map[string]error{
		"https://good.example/hook":          nil,
		"https://good.example:8443/hook?a=b": nil,
		"https://nowhere.example/hook":       nil, // it may be made later; every connection is checked
		"https://93.184.215.14/hook":         nil,
		"https://inside.example/":            ErrPrivate,
		"https://six.example/":               ErrPrivate,
		"https://mapped.example/":            ErrPrivate,
		"https://127.0.0.1/":                 ErrPrivate,
		"https://[::1]/":                     ErrPrivate,
		"https://[::ffff:10.0.0.1]/":         ErrPrivate,
		"https://[64:ff9b::a00:1]/":          ErrPrivate,
		"https://169.254.169.254/latest":     ErrPrivate,
		"https://sub.localhost/":             ErrPrivate,
		"http://good.example/":               ErrLoopback,
		"http://127.0.0.1:80/":               ErrLoopback,
		"https://user:pw@good.example/":      ErrURL,
		"https://good.example/#x":            ErrURL,
		"ftp://good.example/":                ErrURL,
		"good.example":                       ErrURL,
		"":                                   ErrURL,
		"https://":                           ErrURL,
		"https://good.example/" + strings.Repeat("x", maxURL): ErrURL,
	} {
		if got, err := check(t.Context(), resolver, url, false); !errors.Is(err, want) || got.loopback {
			t.Errorf("%.60s: %v, want %v", url, err, want)
		}
	}
	for url, want := range map[string]bool{"http://127.0.0.1:80/": true, "http://[::1]:80/": true, "http://localhost/": true, "http://10.0.0.1/": false} {
		if got, err := check(t.Context(), resolver, url, true); (err == nil) != want || got.loopback != want {
			t.Errorf("%s by an operator: %v, %v", url, got, err)
		}
	}
}

// A name that was public when it was checked and is private when it is dialled reaches nobody.
func TestClient_rebindingReachesNobody(t *testing.T) {
	hits := atomic.Int64{}
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer inside.Close()
	var address atomic.Value // the resolver asks of goroutines that outlive a question
	address.Store("93.184.215.14")
	d := newDesk(t, func(c *Config) { c.Resolver = names(t, func(string) string { return address.Load().(string) }) })
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	url := "https://rebind.example:" + port + "/"
	if loopback, err := d.sender.CheckURL(t.Context(), url, false); err != nil || loopback {
		t.Fatalf("while it is public: %v", err)
	}
	for _, private := range []string{"127.0.0.1", "::ffff:127.0.0.1", "::1"} {
		address.Store(private)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := d.sender.public.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if reasonOf(err) != ReasonRefused {
			t.Errorf("%s: %v", private, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests came through", hits.Load())
	}
}
