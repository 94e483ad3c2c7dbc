package providertest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// testIdentifiers: none is refused before a call, odd ones stay within their place, each kind is accepted alone.
func (s Subject) testIdentifiers(t *testing.T) {
	var calls atomic.Int64
	var requestURI atomic.Value
	b := s.newBench(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		requestURI.Store(r.RequestURI)
		answer(404, `{}`)(w, r)
	})
	for _, ref := range []provider.Ref{{}, {ID: "  ", Hash: "\t", Reference: " "}} {
		if _, err := b.adapter.GetStatus(context.Background(), b.account, ref); provider.KindOf(err) != provider.KindInvalidRequest {
			t.Errorf("ref %+v: got %v, want invalid_request", ref, err)
		}
	}
	if calls.Load() != 0 {
		t.Errorf("%d calls without an identifier", calls.Load())
	}
	for _, id := range b.adapter.Capabilities().Identifiers {
		before := calls.Load()
		if _, err := b.adapter.GetStatus(context.Background(), b.account, s.only(id.Kind)); provider.KindOf(err) != provider.KindNotFound {
			t.Errorf("by %s: got %v, want not_found", id.Kind, err)
		}
		if calls.Load() == before {
			t.Errorf("by %s: nothing was asked", id.Kind)
		}
		for _, odd := range []string{"../../admin", "a/b", "x?y=1&z=2", "q#f", "çã 1", "%2e%2e"} {
			_, err := b.adapter.GetStatus(context.Background(), b.account, provider.Ref{}.With(id.Kind, odd))
			uri, _ := requestURI.Load().(string)
			if provider.KindOf(err) != provider.KindNotFound || !strings.HasPrefix(uri, "/sub/path/") ||
				strings.Contains(uri, "/../") || strings.Contains(uri, "#") {
				t.Errorf("by %s %q: asked %q, got %v", id.Kind, odd, strings.ReplaceAll(uri, url.QueryEscape(Canary), "*"), err)
			}
		}
		for _, wrong := range []string{"..", ".", "a\nb", strings.Repeat("x", 300)} {
			if _, err := b.adapter.GetStatus(context.Background(), b.account, provider.Ref{}.With(id.Kind, wrong)); provider.KindOf(err) != provider.KindInvalidRequest {
				t.Errorf("by %s %.10q: got %v, want invalid_request", id.Kind, wrong, err)
			}
		}
	}
	calls.Store(0)
	_, _ = b.adapter.GetStatus(context.Background(), b.account, s.Ref)
	if want := int64(len(b.adapter.Capabilities().Identifiers)); calls.Load() != want {
		t.Errorf("with every identifier unknown, %d calls: want one for each of %d", calls.Load(), want)
	}
}

// testCanary makes the fake provider echo everything that it was sent, in every answer of the table, and looks for
// the secret in errors, readings, spans and exchanges.
func (s Subject) testCanary(t *testing.T) {
	for _, o := range append(outcomes(), outcome{name: "good", code: 200, body: fillWord(s.Status, "paid")}) {
		b := s.newBench(t, func(w http.ResponseWriter, r *http.Request) {
			sent, _ := io.ReadAll(r.Body)
			text := r.RequestURI + " " + fmt.Sprint(r.Header) + " " + string(sent) + " " + Canary + " " + html.EscapeString(Canary)
			quoted, _ := json.Marshal(text)
			body := o.body
			switch {
			case strings.HasSuffix(body, "}"):
				body = strings.TrimSuffix(body, "}")
				if !strings.HasSuffix(body, "{") {
					body += ","
				}
				body += `"message":` + string(quoted) + `,"error":` + string(quoted) + `,"payment_note":` + string(quoted) + `,"status_reason":` + string(quoted) + `}`
			case body == "" || strings.HasPrefix(body, "<"):
				body += text
			}
			answer(o.code, body, o.header...)(w, r)
		})
		ctx := provider.WithTap(context.Background(), func(x provider.Exchange) { b.seen = append(b.seen, x) })
		reading, err1 := b.adapter.GetStatus(ctx, b.account, s.Ref)
		charge, err2 := b.adapter.CreateCharge(ctx, b.account, s.Request)
		info, err3 := b.adapter.VerifyAccount(ctx, b.account)
		var all strings.Builder
		for _, v := range []any{reading, err1, charge, err2, info, err3, b.seen, b.account} {
			fmt.Fprintf(&all, "%v %+v %#v ", v, v, v)
			if text, err := json.Marshal(v); err == nil {
				all.Write(text)
			}
			if e, ok := v.(*provider.Error); ok {
				fmt.Fprintf(&all, "%+v", *e)
			}
		}
		for _, span := range b.spans.Ended() {
			fmt.Fprintf(&all, "%s %v %v %v", span.Name(), span.Attributes(), span.Events(), span.Status())
		}
		if len(b.spans.Ended()) == 0 || len(b.seen) == 0 {
			t.Errorf("%s: %d spans and %d exchanges: the test looked at nothing", o.name, len(b.spans.Ended()), len(b.seen))
		}
		for _, form := range canaryForms() {
			if at := strings.Index(all.String(), form); at >= 0 {
				t.Errorf("%s: the secret (%q) is in what came out: …%.120q", o.name, form, all.String()[max(0, at-60):])
			}
		}
	}
}

func canaryForms() []string {
	return []string{Canary, url.QueryEscape(Canary), url.PathEscape(Canary), "7/f9+secret", "7%2Ff9%2Bsecret", html.EscapeString(Canary),
		base64.StdEncoding.EncodeToString([]byte(Canary))}
}

// testRedirect: a redirect to another host is never followed, so nothing is sent there.
func (s Subject) testRedirect(t *testing.T) {
	var strayed atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		strayed.Add(1)
		answer(200, fillWord(s.Status, "paid"))(w, r)
	}))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		b := s.newBench(t, answer(code, "", "Location", other.URL+"/transactions/1"))
		if reading, err := b.adapter.GetStatus(context.Background(), b.account, s.Ref); provider.KindOf(err) != provider.KindContract {
			t.Errorf("%d: got %+v, %v; want contract", code, reading, err)
		}
		if _, err := b.adapter.CreateCharge(context.Background(), b.account, s.Request); err == nil {
			t.Errorf("%d: a charge was created by a redirect", code)
		}
	}
	if strayed.Load() != 0 {
		t.Errorf("%d requests went to another host", strayed.Load())
	}
}

// testConnections: calls one after the other use one connection, and calls side by side are safe.
func (s Subject) testConnections(t *testing.T) {
	var mu sync.Mutex
	peers := map[string]bool{}
	b := s.newBench(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		peers[r.RemoteAddr] = true
		mu.Unlock()
		answer(200, fillWord(s.Status, "pending"))(w, r)
	})
	_, ref := s.first(b.adapter.Capabilities())
	for range 10 {
		if _, err := b.adapter.GetStatus(context.Background(), b.account, ref); provider.KindOf(err) == provider.KindTransient {
			t.Fatalf("get status: %v", err)
		}
	}
	if len(peers) != 1 {
		t.Errorf("10 calls used %d connections, want 1", len(peers))
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5 {
				_, _ = b.adapter.GetStatus(context.Background(), b.account, ref)
			}
		})
	}
	group.Wait()
}
