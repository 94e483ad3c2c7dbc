package bench

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const okay = `{"received":true,"id":"0193805c-0000-7000-8000-000000000001","duplicate":false}` + "\n"

func TestPoster_keepsItsConnection(t *testing.T) {
	var peers, got []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		peers = append(peers, r.RemoteAddr)
		got = append(got, r.Method+" "+r.RequestURI+" "+r.Host+" "+r.Header.Get("Content-Type")+" "+string(body))
		if r.URL.Path == "/last" {
			w.Header().Set("Connection", "close")
		}
		_, _ = io.WriteString(w, strings.Replace(okay, "false", map[bool]string{true: "true", false: "false"}[r.URL.Path == "/again"], 1))
	}))
	defer web.Close()
	p := newPoster()
	defer p.close()
	for _, path := range []string{"/a%2Fb/?x=1", "/again", "/last", "/a"} {
		r, err := p.post(t.Context(), web.URL+path, form, []byte("b"+path))
		if err != nil || !r.Received || r.Duplicate != (path == "/again") || r.took <= 0 {
			t.Errorf("%s: got %+v, %v", path, r, err)
		}
	}
	host := strings.TrimPrefix(web.URL, "http://")
	for i, path := range []string{"/a%2Fb/?x=1", "/again", "/last", "/a"} {
		if want := "POST " + path + " " + host + " " + form + " b" + path; got[i] != want {
			t.Errorf("the server read %q, want %q", got[i], want)
		}
	}
	if len(peers) != 4 || peers[0] != peers[1] || peers[1] != peers[2] || peers[2] == peers[3] {
		t.Errorf("connections %v: want one until the server ends it", peers)
	}
}

// TestPoster_takesWholeAnswersOnly has a server write bytes as they are.
func TestPoster_takesWholeAnswersOnly(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nX-A: b\r\n"
	const length = "content-length: 80\r\n"
	for name, c := range map[string]struct {
		parts []string
		wrong string
	}{
		"whole":                  {[]string{head + length + "\r\n" + okay}, ""},
		"in parts":               {[]string{"HTTP/1.", "1 200 OK\r", "\n" + length + "\r\n{", okay[1:20], okay[20:]}, ""},
		"ended in the head":      {[]string{head}, "unexpected EOF"},
		"ended in the body":      {[]string{head + length + "\r\n" + okay[:70]}, "unexpected EOF"},
		"nothing":                {nil, "EOF"},
		"longer than it says":    {[]string{head + length + "\r\n" + okay + "x"}, "where"},
		"without a length":       {[]string{head + "\r\n" + okay}, "expected a Content-Length"},
		"two lengths":            {[]string{head + length + length + "\r\n" + okay}, "once"},
		"a length below nothing": {[]string{head + "Content-Length: -1\r\n\r\n"}, "expected one number"},
		"a huge length":          {[]string{head + "Content-Length: 100000\r\n\r\n"}, "were told"},
		"chunked":                {[]string{head + "Transfer-Encoding: chunked\r\n\r\n50\r\n" + okay + "\r\n0\r\n\r\n"}, "Transfer-Encoding"},
		"a head without end":     {[]string{head + strings.Repeat("X-A: b\r\n", maxAnswer/8)}, "longer than"},
		"no header":              {[]string{"HTTP/1.1 200 OK\r\nabc\r\n" + length + "\r\n" + okay}, "expected a header"},
		"another status":         {[]string{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"}, "answered 503 Service Unavailable"},
		"another version":        {[]string{"HTTP/1.0 200 OK\r\n" + length + "\r\n" + okay}, "HTTP/1.1"},
		"not received":           {[]string{head + "Content-Length: 18\r\n\r\n" + `{"received":false}`}, "not received"},
		"not JSON":               {[]string{head + length + "\r\n" + strings.Replace(okay, "}", "]", 1)}, "invalid character"},
		"JSON of another order":  {[]string{head + "Content-Length: 36\r\n\r\n" + `{"duplicate":false, "received":true}`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if r, err := http.ReadRequest(bufio.NewReader(conn)); err != nil || r.ContentLength != 1 {
					return
				}
				for _, part := range c.parts {
					_, _ = io.WriteString(conn, part)
				}
			}()
			p := newPoster()
			defer p.close()
			_, err = p.post(t.Context(), "http://"+l.Addr().String()+"/", form, []byte("b"))
			if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("error %v, want %q", err, c.wrong)
			}
			if (err != nil) != (p.conn == nil) {
				t.Error("a connection is kept after a whole answer, and only then")
			}
		})
	}
}

func TestPoster_refusesOtherAddresses(t *testing.T) {
	for _, to := range []string{"https://127.0.0.1:1/", "http://127.0.0.1/", "127.0.0.1:1"} {
		if _, err := newPoster().post(t.Context(), to, form, nil); err == nil {
			t.Errorf("%s: want an error", to)
		}
	}
}

// TestFresh_isWhatEncodeWrites: every webhook is new, and as a form is written.
func TestFresh_isWhatEncodeWrites(t *testing.T) {
	var before []byte
	for range 3 {
		body := fresh(nil)
		v, err := url.ParseQuery(string(body))
		if err != nil || v.Encode() != string(body) {
			t.Fatalf("%s: %v; want it as url.Values writes it", body, err)
		}
		if len(v.Get("id")) != 36 || len(v.Get("end_to_end_id")) != 29 || v.Get("status") != "paid" || v.Get("value") != "1990" || len(v) != 6 {
			t.Errorf("got %v", v)
		}
		if slices.Equal(before, body) || before != nil && len(before) != len(body) {
			t.Errorf("%s after %s: want another of the same length", body, before)
		}
		before = body
	}
}

func BenchmarkPoster(b *testing.B) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, okay)
	}))
	defer web.Close()
	p := newPoster()
	defer p.close()
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = fresh(body[:0])
		if _, err := p.post(b.Context(), web.URL, form, body); err != nil {
			b.Fatal(err)
		}
	}
}
