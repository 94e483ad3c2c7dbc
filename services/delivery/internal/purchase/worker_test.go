package purchase_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/delivery/internal/purchase"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

func TestWorker_sendsToTheLetter(t *testing.T) {
	r := newRig(t)
	r.putPixel(func(p *store.Pixel) { p.APIVersion, p.TestEventCode = "v24.0", "TEST123" })
	r.run()
	k := r.opened(func(is *store.Issue) {
		is.EmailHash, is.PhoneHash = purchase.HashEmail("john_smith@gmail.com"), purchase.HashPhone("16505551212")
		is.ExternalID = purchase.HashExternalID("buyer-1")
		is.Tracking = sale.Tracking{
			UTMSource: "facebook", UTMCampaign: "natal", CampaignCode: "c77", FBP: "fb.1.1780000000000.1234567890",
			FBCLID: "IwAR0_aBcD", ClickTimeMS: 1_780_000_000_123, PageViewEventID: "pageview_1", ClientIP: "198.51.100.1",
		}
	})
	p := r.untilState(k, store.Sent)
	got := r.graph.requests()
	if len(got) != 1 {
		t.Fatalf("%d requests, want 1", len(got))
	}
	delete(got[0].Data[0], "event_time") // checked by the graph
	want := posted{Path: "/v24.0/123456789012345/events", AccessToken: accessToken, TestCode: "TEST123", Data: []map[string]any{{
		"event_name": "Purchase", "event_id": "pageview_1", "action_source": "website", "event_source_url": "https://pay.example.com/delivery/",
		"user_data": map[string]any{
			"em":                []any{"62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"},
			"ph":                []any{"e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"},
			"external_id":       []any{purchase.HashExternalID("buyer-1")},
			"client_ip_address": "203.0.113.7", "client_user_agent": "Mozilla/5.0 (invented phone)",
			"fbc": "fb.1.1780000000123.IwAR0_aBcD", "fbp": "fb.1.1780000000000.1234567890",
		},
		"custom_data": map[string]any{
			"currency": "BRL", "value": json.Number("19.90"), "order_id": k.Payment.String(), "content_name": "Curso de violão",
			"content_type": "product", "num_items": json.Number("1"), "utm_source": "facebook", "utm_campaign": "natal", "campaign_code": "c77",
		},
	}}}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if p.EventID != "pageview_1" || p.Attempts != 1 || p.SentAt == nil || p.Reason != "" {
		t.Errorf("purchase = %+v, want sent by one attempt", p)
	}
}

func TestWorker_retriesWithTheSameID(t *testing.T) {
	r := newRig(t)
	r.graph.answer = func(n int, w http.ResponseWriter) bool {
		switch n {
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"error":{"code":80004}}`)
		case 3:
			_, _ = io.WriteString(w, `<html>portal</html>`)
		case 4:
			panic(http.ErrAbortHandler) // the connection breaks off
		default:
			return false
		}
		return true
	}
	r.putPixel()
	r.run()
	k := r.opened()
	if p := r.untilState(k, store.Sent); p.Attempts != 5 {
		t.Errorf("attempts = %d, want 5", p.Attempts)
	}
	for _, q := range r.graph.requests() {
		if id := q.Data[0]["event_id"]; id != "purchase_"+k.Payment.String() {
			t.Errorf("event id = %v, want purchase_%s in every attempt", id, k.Payment)
		}
	}
}

func TestWorker_refusalIsFinalAndTellsNoSecret(t *testing.T) {
	r := newRig(t)
	r.graph.answer = func(_ int, w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"bad `+accessToken+`","code":100,"error_subcode":2804003,"fbtrace_id":"Ax"}}`)
		return true
	}
	r.putPixel()
	r.run()
	p := r.untilState(r.opened(), store.Failed)
	if p.Reason != "Meta error 100/2804003 (HTTP 400)" || p.Attempts != 1 {
		t.Errorf("purchase = %+v, want failed with Meta's numbers after one attempt", p)
	}
	var leaks int
	if err := r.pool.QueryRow(r.ctx, `
SELECT (SELECT count(*) FROM purchases p WHERE p::text LIKE '%' || $1 || '%') + (SELECT count(*) FROM outcomes o WHERE o::text LIKE '%' || $1 || '%')
  + (SELECT count(*) FROM pixels x WHERE x::text LIKE '%' || $1 || '%')`, accessToken).Scan(&leaks); err != nil || leaks != 0 {
		t.Errorf("%d rows hold the token in clear (%v)", leaks, err)
	}
	if strings.Contains(r.logged.String(), accessToken) {
		t.Error("the log holds the token")
	}
}

func TestWorker_refusedTokenPausesThePixel(t *testing.T) {
	r := newRig(t)
	var revoked atomic.Bool
	revoked.Store(true)
	r.graph.answer = func(_ int, w http.ResponseWriter) bool {
		if !revoked.Load() {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"code":190,"error_subcode":460}}`)
		return true
	}
	r.putPixel()
	r.run()
	first := r.opened()
	r.until(first, "asked", func(p store.Purchase) bool { return p.Attempts == 1 })
	list, err := r.Pixels(r.ctx, merchant)
	if err != nil || list[0].PausedBecause != "Meta error 190/460 (HTTP 400)" {
		t.Fatalf("pixels = %+v, %v; want paused by error 190", list, err)
	}
	second := r.opened() // waits without a request
	r.until(second, "waiting", func(p store.Purchase) bool { return p.State == store.Queued && p.Reason != "" })
	if n := len(r.graph.requests()); n != 1 {
		t.Errorf("%d requests with a refused token, want 1", n)
	}
	revoked.Store(false)
	r.putPixel()
	for _, k := range []sale.Key{first, second} {
		r.untilState(k, store.Sent)
	}
	if !strings.Contains(r.logged.String(), "pixel paused") {
		t.Error("the log says nothing of the pause")
	}
}

func TestWorker_neverOlderThanSevenDays(t *testing.T) {
	r := newRig(t)
	r.putPixel()
	k := r.opened()
	r.exec(`UPDATE purchases SET event_time = now() - interval '7 days 1 second'`)
	r.run()
	if p := r.untilState(k, store.Failed); !strings.Contains(p.Reason, "7 days") || p.Attempts != 0 {
		t.Errorf("purchase = %+v, want failed for its age without an attempt", p)
	}
	if n := len(r.graph.requests()); n != 0 {
		t.Errorf("%d requests for an event that Meta rejects", n)
	}
}

func TestWorker_doubtOlderThanTheWindowIsNotRepeated(t *testing.T) {
	r := newRig(t)
	r.putPixel()
	k := r.opened()
	r.exec(`UPDATE purchases SET unsure_since = now() - interval '48 hours', event_time = now() - interval '3 days'`)
	r.run()
	if p := r.untilState(k, store.Failed); !strings.Contains(p.Reason, "count it twice") {
		t.Errorf("purchase = %+v, want failed for doubt", p)
	}
	if n := len(r.graph.requests()); n != 0 {
		t.Errorf("%d requests that Meta could count twice", n)
	}
}

func TestWorker_goesOnAfterACrash(t *testing.T) {
	r := newRig(t)
	r.putPixel()
	k := r.opened()
	// Another worker claimed the row and died before it wrote a result; its lease is over.
	if lost, err := r.ClaimPurchases(r.ctx, 1, 0); err != nil || len(lost) != 1 {
		t.Fatalf("claim = %v, %v; want one", lost, err)
	}
	r.run()
	r.untilState(k, store.Sent)
	if n := len(r.graph.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// What was queued by a clock that has gone back since lies in its future.
func TestWorker_theClockWentBack(t *testing.T) {
	r := newRig(t)
	r.putPixel()
	k := r.opened()
	r.exec(`UPDATE purchases SET due_at = now() + interval '1 day'`)
	r.run()
	r.untilState(k, store.Sent)
}

func TestWorker_wrongKeysetPausesThePixel(t *testing.T) {
	r := newRig(t)
	r.putPixel()
	r.sealer = newSealer(t)
	r.run()
	k := r.opened()
	r.until(k, "waiting", func(p store.Purchase) bool { return p.State == store.Queued && p.Reason != "" })
	list, err := r.Pixels(r.ctx, merchant)
	if err != nil || !strings.Contains(list[0].PausedBecause, "keyset") {
		t.Errorf("pixels = %+v, %v; want paused for the keyset", list, err)
	}
	if n := len(r.graph.requests()); n != 0 {
		t.Errorf("%d requests without a token", n)
	}
}

func TestWorker_followsNoRedirect(t *testing.T) {
	r := newRig(t)
	var reached atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(thief.Close)
	r.graph.answer = func(n int, w http.ResponseWriter) bool {
		if n > 1 {
			return false
		}
		w.Header().Set("Location", thief.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	r.putPixel()
	r.run()
	r.untilState(r.opened(), store.Sent)
	if reached.Load() != 0 {
		t.Error("the token went to the address of a redirect")
	}
}

func TestWorker_graphDownThenUp(t *testing.T) {
	r := newRig(t)
	dead := httptest.NewServer(nil)
	dead.Close()
	r.putPixel(func(p *store.Pixel) { p.BaseURL = dead.URL })
	r.run()
	k := r.opened()
	r.until(k, "refused a connection", func(p store.Purchase) bool { return p.Reason == "connection refused" })
	r.putPixel()
	r.untilState(k, store.Sent)
}

func TestNewClient_refuses(t *testing.T) {
	for name, c := range map[string]purchase.ClientConfig{
		"plain http": {BaseURL: "http://graph.example"}, "version": {Version: "21"}, "timeout": {Timeout: -time.Second},
	} {
		if _, err := purchase.NewClient(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := purchase.NewWorker(purchase.WorkerConfig{}); err == nil {
		t.Error("empty worker: no error")
	}
}
