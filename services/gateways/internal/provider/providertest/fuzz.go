package providertest

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/document"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Fuzz feeds any bytes to the status mapping and to the webhook parser. Neither may panic, and neither may say paid
// unless the body holds, as a whole string, a word that the vocabulary maps to paid. The golden cases of the calling
// package (testdata/*.txt) are where it begins.
func Fuzz(f *testing.F, s Subject) {
	transport := &canned{intercept: s.Intercept}
	client, err := provider.NewClient(provider.ClientConfig{Transport: transport})
	if err != nil {
		f.Fatal(err)
	}
	adapter, err := s.New(provider.Deps{Client: client})
	if err != nil {
		f.Fatal(err)
	}
	c := adapter.Capabilities()
	account := s.account(c)
	_, ref := s.first(c)
	for _, word := range []string{"paid", "approved", "COMPLETED", "unpaid", "refunded", "success", ""} {
		f.Add([]byte(fillWord(s.Status, word)))
		f.Add([]byte(fillWord(s.Webhook, word)))
	}
	for _, seed := range []string{"", "null", "[]", `{"data":{"data":[{"status":"paid"}]}}`, "status=paid&id=1", "data[id]=1&data[status]=paid", "<html>", `{"amount":1e400,"status":"paid"}`} {
		f.Add([]byte(seed))
	}
	for _, body := range goldenBodies(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		transport.body = body
		before := string(body)
		reading, err := adapter.GetStatus(context.Background(), account, ref)
		if err == nil && reading.Status == provider.StatusPaid && !holdsPaidWord(body, c.Words) {
			t.Errorf("paid without a paid word: %+v", reading)
		}
		if err == nil && (!reading.Status.Valid() || len(reading.Evidence) > 512 || reading.Amount != nil && *reading.Amount < 0) {
			t.Errorf("reading that cannot be: %+v", reading)
		}
		hints, err := adapter.ParseWebhook(provider.Webhook{Body: body})
		for _, h := range hints {
			if h.Status == provider.StatusPaid && !holdsPaidWord(body, c.AllWords()) {
				t.Errorf("paid claim without a paid word: %+v", h)
			}
			if h.Identifiers.IsZero() || err != nil {
				t.Errorf("hint without a name, or beside an error: %+v, %v", h, err)
			}
		}
		if string(body) != before {
			t.Error("the body was changed")
		}
	})
}

func goldenBodies(f *testing.F) [][]byte {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	var bodies [][]byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "-->") {
				bodies = append(bodies, []byte(strings.ReplaceAll(line, "$CODE", ValidCode())))
			}
		}
	}
	return bodies
}

func holdsPaidWord(body []byte, words []provider.Word) bool {
	doc, err := document.Sniff(body)
	if err != nil {
		return false
	}
	for v := range doc.Strings {
		for _, w := range words {
			if w.Status == provider.StatusPaid && provider.Fold(w.Raw) == provider.Fold(v.Text()) {
				return true
			}
		}
	}
	return false
}

// canned answers every request with body, without a network.
type canned struct {
	body      []byte
	intercept func(http.ResponseWriter, *http.Request) bool
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &recorder{header: http.Header{}, code: 200}
	if c.intercept == nil || !c.intercept(w, r) {
		w.body.Write(c.body)
	}
	return &http.Response{StatusCode: w.code, Header: w.header, Body: readCloser{strings.NewReader(w.body.String())}, Request: r,
		ContentLength: int64(w.body.Len()), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

type recorder struct {
	header http.Header
	code   int
	body   strings.Builder
}

func (r *recorder) Header() http.Header            { return r.header }
func (r *recorder) WriteHeader(code int)           { r.code = code }
func (r *recorder) Write(text []byte) (int, error) { return r.body.Write(text) }

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// Bench measures GetStatus without a network: the client, the mapping and the evidence.
func Bench(b *testing.B, s Subject) {
	transport := &canned{intercept: s.Intercept, body: []byte(fillWord(s.Status, "paid"))}
	client, err := provider.NewClient(provider.ClientConfig{Transport: transport})
	if err != nil {
		b.Fatal(err)
	}
	adapter, err := s.New(provider.Deps{Client: client})
	if err != nil {
		b.Fatal(err)
	}
	account := s.account(adapter.Capabilities())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := adapter.GetStatus(context.Background(), account, s.Ref); err != nil {
			b.Fatal(err)
		}
	}
}
