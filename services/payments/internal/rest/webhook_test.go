package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func (h *house) hooks(t testing.TB) []store.Webhook {
	t.Helper()
	now := time.Now().Add(time.Hour)
	out, err := h.store.ClaimWebhooks(within(t), now, now.Add(time.Minute), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWebhook_bytesAreKeptAsTheyCame(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	for name, c := range map[string]struct{ path, contentType, body, provider, account, sale string }{
		"JSON that any encoder would change":  {"/atomopay", "application/json", "{\"id\" :1,\"b\":2, \"a\":1e2}\n", "atomopay", "", ""},
		"a form":                              {"/pushynpay/acc1", "application/x-www-form-urlencoded", "id=ABC%2D1&value=2990&status=paid&&x", "pushinpay", "acc1", ""},
		"a form that says it is JSON":         {"/pushinpay/acc1/", "application/json", "id=ABC&status=paid", "pushinpay", "acc1", ""},
		"JSON that says it is a form":         {"/pushinpay/acc1/sale1", "application/x-www-form-urlencoded", `{"id":"A B+C%20"}`, "pushinpay", "acc1", "sale1"},
		"not UTF-8, of no type":               {"/Atomopay/acc1/sale1/", "", "\xff\x00\xfe", "atomopay", "acc1", "sale1"},
		"a type that does not parse":          {"/atomopay/a%2Fb/s%20t", ";;;", "<xml/>", "atomopay", "a/b", "s t"},
		"a query string is not a part of it":  {"/atomopay?token=abc&_method=GET", "text/plain", "paid", "atomopay", "", ""},
		"who overrides the method is not one": {"/atomopay/x", "application/x-www-form-urlencoded", "_method=DELETE", "atomopay", "x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.do(t, "POST", webhookPath+c.path, strings.NewReader(c.body), "Content-Type", c.contentType, "X-HTTP-Method-Override", "GET",
				"X-Webhook-Secret", "one", "X-Webhook-Secret", "two", "X-Forwarded-For", "198.51.100.1, 203.0.113.9")
			var said struct {
				Received, Duplicate bool
				ID                  string
			}
			if err := json.Unmarshal([]byte(a.body), &said); err != nil || a.status != 200 || !said.Received || said.Duplicate || said.ID == "" {
				t.Fatalf("answer %d %s", a.status, a.body)
			}
			hooks := h.hooks(t)
			if len(hooks) != 1 {
				t.Fatalf("%d rows", len(hooks))
			}
			w := hooks[0]
			raw, err := h.inbox.Open(w)
			must(t, err)
			if d := cmp.Diff([]string{c.body, c.provider, c.account, c.sale, "203.0.113.9", "one, two"},
				[]string{string(raw), w.Provider, w.AccountKey, w.SaleKey, w.RemoteAddr, w.Headers["x-webhook-secret"]}); d != "" {
				t.Errorf("stored (-want +got):\n%s", d)
			}
			if w.ContentType != c.contentType || w.Headers["traceparent"] == "" {
				t.Errorf("content type %q, traceparent %q", w.ContentType, w.Headers["traceparent"])
			}
			if _, err := h.store.Pool().Exec(within(t), `UPDATE webhooks SET due_at = NULL`); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestWebhook_badInput(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	big := bytes.Repeat([]byte("x"), MaxBody+1)
	for name, c := range map[string]struct {
		method, path string
		body         io.Reader
		status       int
		says, allow  string
	}{
		"unknown provider":          {"POST", "/fakepay", strings.NewReader("{}"), 404, "atomopay, pushinpay", ""},
		"no provider":               {"POST", "", strings.NewReader("{}"), 404, "{provider}", ""},
		"no provider, slash":        {"POST", "/", strings.NewReader("{}"), 404, "{provider}", ""},
		"no name":                   {"POST", "/%3Cscript%3E", strings.NewReader("{}"), 400, "provider", ""},
		"too many parts":            {"POST", "/atomopay/a/b/c", strings.NewReader("{}"), 404, "{sale_key}", ""},
		"an empty part":             {"POST", "/atomopay//b", strings.NewReader("{}"), 404, "{sale_key}", ""},
		"a key with a newline":      {"POST", "/atomopay/a%0Ab", strings.NewReader("{}"), 400, "account_key", ""},
		"a key that is too long":    {"POST", "/atomopay/a/" + strings.Repeat("k", 201), strings.NewReader("{}"), 400, "sale_key", ""},
		"empty body":                {"POST", "/atomopay", nil, 400, "body", ""},
		"too large, and says so":    {"POST", "/atomopay", bytes.NewReader(big), 413, "1048576", ""},
		"too large, in chunks":      {"POST", "/atomopay", struct{ io.Reader }{bytes.NewReader(big)}, 413, "1048576", ""},
		"PUT":                       {"PUT", "/atomopay", strings.NewReader("{}"), 405, "POST", "POST, GET, HEAD"},
		"DELETE":                    {"DELETE", "/atomopay", nil, 405, "POST", "POST, GET, HEAD"},
		"OPTIONS":                   {"OPTIONS", "/atomopay", nil, 405, "POST", "POST, GET, HEAD"},
		"a probe of another's name": {"GET", "/fakepay", nil, 404, "atomopay", ""},
	} {
		a := h.do(t, c.method, webhookPath+c.path, c.body)
		p := a.problem(t)
		if a.status != c.status || !strings.Contains(a.body, c.says) || a.header.Get("Allow") != c.allow || p.Code == "" || p.Message == "" {
			t.Errorf("%s: got %d %s (Allow %q), want %d with %q", name, a.status, a.body, a.header.Get("Allow"), c.status, c.says)
		}
	}
	for _, method := range []string{"GET", "HEAD"} { // probes of panels
		if a := h.do(t, method, webhookPath+"/pushynpay/acc", nil); a.status != 200 {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
	}
	if n := len(h.hooks(t)); n != 0 {
		t.Errorf("%d rows of what was refused or asked", n)
	}
	if a := h.do(t, "POST", webhookPath+"/atomopay", bytes.NewReader(big[:MaxBody])); a.status != 200 {
		t.Errorf("exactly 1 MiB: %d %s", a.status, a.body)
	}
}

func TestWebhook_copiesTogether(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	const sales, copies = 100, 8
	var all sync.WaitGroup
	var firsts atomic.Int64
	gate := make(chan struct{})
	for sale := range sales {
		for range copies {
			all.Go(func() {
				<-gate
				resp, err := http.Post(h.url+webhookPath+"/atomopay/acc", "application/json", strings.NewReader(fmt.Sprintf(`{"sale":%d}`, sale)))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				var said struct{ Received, Duplicate bool }
				if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || resp.StatusCode != 200 || !said.Received {
					t.Errorf("answer %d, %v", resp.StatusCode, err)
				}
				if !said.Duplicate {
					firsts.Add(1)
				}
			})
		}
	}
	close(gate)
	all.Wait()
	if n := len(h.hooks(t)); n != sales || firsts.Load() != sales {
		t.Errorf("%d rows, %d answers that were the first, want %d of both", n, firsts.Load(), sales)
	}
}

func TestWebhook_databaseAwayAndBack(t *testing.T) {
	server := pgtest.Server(t, store.Schema)
	h := build(t, store.New(server.Pool(t, store.Schema)))
	post := func() answer { return h.do(t, "POST", webhookPath+"/atomopay", strings.NewReader(`{"id":1}`)) }
	server.Stop(t)
	a := post()
	if p := a.problem(t); a.status != 503 || a.header.Get("Retry-After") == "" || p.Code != "UNAVAILABLE" || strings.Contains(a.body, "connect") {
		t.Errorf("database away: %d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
	}
	server.Start(t)
	if n := len(h.hooks(t)); n != 0 {
		t.Errorf("%d rows of what was refused", n)
	}
	if a := post(); a.status != 200 || !strings.Contains(a.body, `"duplicate":false`) {
		t.Errorf("database back: %d %s", a.status, a.body)
	}
}
