package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestDocument_describesWhatIsServed(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	a := h.do(t, "GET", "/openapi.json", nil)
	var doc struct {
		Info                struct{ Title, Version string }
		SecurityDefinitions map[string]any
		Tags                []struct{ Name string }
		Paths               map[string]map[string]struct {
			Tags      []string
			Responses map[string]any
		}
	}
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil || a.status != 200 {
		t.Fatalf("%d, %v", a.status, err)
	}
	if doc.Info.Title != "Baixa" || doc.Info.Version != "1.2.3" || len(doc.SecurityDefinitions) != 1 {
		t.Errorf("info %+v, security %v", doc.Info, doc.SecurityDefinitions)
	}
	tags := map[string]bool{}
	for _, tag := range doc.Tags {
		tags[tag.Name] = true
	}
	if !tags["PaymentsService"] || !tags["WebhookService"] || tags["DeliveryService"] {
		t.Errorf("services %v", tags)
	}
	page := h.do(t, "GET", "/docs", nil)
	if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") ||
		strings.Contains(page.body, "<script") || strings.Contains(page.body, "ZgotmplZ") {
		t.Errorf("docs: %d %v", page.status, page.header)
	}
	for path, operations := range doc.Paths {
		if !strings.Contains(page.body, strings.ReplaceAll(path, "'", "&#39;")) {
			t.Errorf("%s is not on the page", path)
		}
		for method, o := range operations {
			if _, ok := o.Responses["default"]; !ok || len(o.Tags) != 1 || !tags[o.Tags[0]] {
				t.Errorf("%s %s: %+v", method, path, o)
			}
			// What is described is there: anybody is asked for a key, or for a webhook.
			served := h.do(t, strings.ToUpper(method), strings.NewReplacer("{provider}", "atomopay", "{", "", "}", "").Replace(path), strings.NewReader(`{}`))
			if served.status != http.StatusUnauthorized && served.status != http.StatusOK {
				t.Errorf("%s %s: %d %s", method, path, served.status, served.body)
			}
		}
	}
}

func TestNew_pagesForPeople(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	for path, want := range map[string]int{"/pay/x": 200, "/pay/x/events": 200, "/go/x": 200, "/pay": 404, "/go": 404, "/payx": 404} {
		if a := h.do(t, "GET", path, nil); a.status != want || want == 200 && a.body != "a page under "+path || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestNew_answersProbes(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200} {
		if a := h.do(t, "GET", path, nil); a.status != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if a := h.do(t, "POST", path, nil); a.status != 405 || a.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d %s", path, a.status, a.body)
		}
	}
	h.ready = func(context.Context) error { return errors.New("password=hunter2 refused") }
	if a := h.do(t, "GET", "/readyz", nil); a.status != 503 || strings.Contains(a.body, "hunter2") || a.header.Get("Retry-After") == "" {
		t.Errorf("not ready: %d %s", a.status, a.body)
	}
	if a := h.do(t, "GET", "/healthz", nil); a.status != 200 {
		t.Errorf("alive while not ready: %d", a.status)
	}
}

// Whatever is posted: what protojson refuses is explained by a field, and what it takes is taken.
func FuzzExplain(f *testing.F) {
	for _, seed := range []string{`{}`, `{"requests":[{"amount":{"centavos":"x"}}]}`, `{"requests":[[],{"tracking":{"x":{}}}]}`, `{"requests":[{"buyer":null,"x":[1,[2,{"a":{}}]]}]}`, `[{]}`, "\"\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, msg := newBody(raw), &paymentsv1.BatchRegisterPaymentsRequest{}
		err := newMarshaler().NewDecoder(b).Decode(msg)
		want := protojson.Unmarshal(raw, &paymentsv1.BatchRegisterPaymentsRequest{})
		if strings.TrimSpace(string(raw)) == "" {
			return
		}
		if (err == nil) != (want == nil) {
			t.Fatalf("got %v, protojson says %v", err, want)
		}
		if err != nil && (len(b.faults) != 1 || b.faults[0].Path == "" || b.faults[0].Expected == "") {
			t.Fatalf("explained as %+v", b.faults)
		}
	})
}
