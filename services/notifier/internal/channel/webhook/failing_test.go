package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

func (d *desk) alerts(x shop) (statuses []string) {
	d.t.Helper()
	events, _, err := d.store.MerchantEventsAfter(d.t.Context(), x.merchant, nil, eventlog.Cursor{}, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range events {
		var p struct{ Type, Status string }
		if err := json.Unmarshal(e.JSON, &p); err != nil {
			d.t.Fatal(err)
		}
		if p.Type == "alert" {
			statuses = append(statuses, p.Status)
		}
	}
	return statuses
}

func TestSender_goneDisablesAndTellsTheOwner(t *testing.T) {
	d, x := newDesk(t, nil), newShop()
	v := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	other := newReceiver(t, nil)
	endpoint, _ := d.endpoint(x, v.URL, "payment_update")
	d.endpoint(x, other.URL, "alert")
	lost := d.event(x, uuid.New(), "payment_update", "paid")
	v.next(t)
	if got := other.next(t).status(); got != "webhook_disabled" {
		t.Errorf("the other endpoint was told %q", got)
	}
	d.until("disabled", func() bool {
		e, err := d.store.Endpoint(t.Context(), x.merchant, endpoint)
		return err == nil && e.DisabledReason == DisabledGone
	})
	missed := d.event(x, uuid.New(), "payment_update", "missed")
	d.event(x, uuid.New(), "alert", "passed")
	if got := other.next(t).status(); got != "passed" { // so the event before has passed the feed as well
		t.Errorf("then %q", got)
	}
	if diff := cmp.Diff([]string{"webhook_disabled", "passed"}, d.alerts(x)); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	if n := len(v.requests); n != 0 {
		t.Errorf("%d requests after 410", n)
	}
	if h, err := d.store.Health(t.Context(), &x.merchant); err != nil || h.Disabled != 1 || h.FailingLong != 0 {
		t.Errorf("health %+v, %v", h, err)
	}
	// Enabled again, what was lost and what was missed can be asked for.
	v.answer = nil
	if _, err := d.store.PutEndpoint(t.Context(), store.Endpoint{MerchantID: x.merchant, ID: endpoint, URL: v.URL, Loopback: true,
		EventTypes: []string{"payment_update"}, BotIDs: []uuid.UUID{}}, uuid.New(), []byte("unused")); err != nil {
		t.Fatal(err)
	}
	n, err := d.store.RedeliverSince(t.Context(), x.merchant, endpoint, time.Now().Add(-time.Hour), 100)
	if err != nil || n != 2 {
		t.Fatalf("%d events again, %v", n, err)
	}
	d.sender.Wake()
	seen := map[string]bool{v.next(t).id(): true}
	seen[v.next(t).id()] = true
	if !seen[lost.String()] || !seen[missed.String()] {
		t.Errorf("redelivered %v", seen)
	}
	d.until("nothing waits", func() bool {
		e, err := d.store.Endpoint(t.Context(), x.merchant, endpoint)
		return err == nil && e.Waiting == 0
	})
	if n, err := d.store.RedeliverSince(t.Context(), x.merchant, endpoint, time.Now().Add(-time.Hour), 100); err != nil || n != 0 {
		t.Errorf("what was delivered is sent again: %d, %v", n, err)
	}
	if err := d.store.Redeliver(t.Context(), x.merchant, endpoint, lost); err != nil { // unless it is named
		t.Fatal(err)
	}
	d.sender.Wake()
	if g := v.next(t); g.id() != lost.String() {
		t.Errorf("redelivered %s instead of %s", g.id(), lost)
	}
}

func TestSender_givesUpAndTellsOnce(t *testing.T) {
	d, x := newDesk(t, nil), newShop()
	v := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	endpoint, _ := d.endpoint(x, v.URL, "payment_update")
	payment := uuid.New()
	d.event(x, payment, "payment_update", "paid")
	d.until("given up", func() bool { return len(d.alerts(x)) == 1 })
	d.until("settled", func() bool {
		e, err := d.store.Endpoint(t.Context(), x.merchant, endpoint)
		return err == nil && e.Waiting == 0
	})
	if n := len(d.attempts(x, endpoint)); n != len(d.config.Schedule)+1 {
		t.Errorf("%d attempts", n)
	}
	d.event(x, uuid.New(), "payment_update", "paid")
	d.until("the second is given up", func() bool { return len(d.attempts(x, endpoint)) == 2*(len(d.config.Schedule)+1) })
	// A second sale is a second place for the news, but of one failure the first says enough to each sale once.
	if got := d.alerts(x); len(got) > 2 {
		t.Errorf("alerts %v", got)
	}
}

func TestSender_failingForLongDisables(t *testing.T) {
	d, x := newDesk(t, func(c *Config) { c.DisableAfter = 30 * time.Millisecond; c.Schedule = make([]time.Duration, 1000) }), newShop()
	v := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	endpoint, _ := d.endpoint(x, v.URL, "payment_update")
	d.event(x, uuid.New(), "payment_update", "paid")
	d.until("disabled", func() bool {
		e, err := d.store.Endpoint(t.Context(), x.merchant, endpoint)
		return err == nil && e.DisabledReason == DisabledFailing
	})
	if got := d.alerts(x); len(got) != 1 || got[0] != "webhook_disabled" {
		t.Errorf("alerts %v", got)
	}
}

// One endpoint that never answers, with a thousand messages, costs the others nothing.
func TestSender_deadEndpointDelaysNobody(t *testing.T) {
	d, x, y := newDesk(t, func(c *Config) { c.InFlight = 8; c.PerEndpoint = 3; c.Timeout = time.Hour }), newShop(), newShop()
	release := make(chan struct{})
	dead := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	well := newReceiver(t, nil)
	d.endpoint(x, dead.URL)
	d.endpoint(y, well.URL)
	for range 200 {
		d.event(x, uuid.New(), "payment_update", "paid")
	}
	for range 3 {
		dead.next(t)
	}
	for i := range 200 {
		d.event(y, uuid.New(), "payment_update", fmt.Sprint(i))
	}
	for range 200 {
		well.next(t)
	}
	if n := len(dead.requests); n != 0 {
		t.Errorf("%d requests beyond the limit of one endpoint", n)
	}
	close(release)
	d.stop()
}
