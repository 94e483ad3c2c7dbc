package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

func TestSender_deliversSignedEvents(t *testing.T) {
	d, x, v := newDesk(t, nil), newShop(), newReceiver(t, nil)
	before := d.event(x, uuid.New(), "payment_update", "before") // nobody wanted it yet
	pool := d.db.Pool(t, store.Schema)
	d.until("the feed passes the first event", func() (passed bool) {
		err := pool.QueryRow(t.Context(), `
SELECT EXISTS (SELECT FROM webhook_feed f JOIN notifications n ON (f.xid, f.seq) >= (n.xid, n.seq) WHERE n.id = $1)`, before).Scan(&passed)
		return err == nil && passed
	})
	_, secret := d.endpoint(x, v.URL+"/hook")
	payment := uuid.New()
	id := d.event(x, payment, "payment_update", "paid")
	g := v.next(t)
	if err := verify(t, secret, g); err != nil {
		t.Error(err)
	}
	var p struct {
		Type      string         `json:"type"`
		Timestamp time.Time      `json:"timestamp"`
		Data      map[string]any `json:"data"`
	}
	if err := json.Unmarshal(g.body, &p); err != nil {
		t.Fatal(err)
	}
	if g.id() != id.String() || p.Type != "payment_update" || p.Data["id"] != id.String() || p.Data["baixa_payment_id"] != payment.String() ||
		p.Data["status"] != "paid" || p.Data["customer_name"] != "Ana é <b>" || time.Since(p.Timestamp) > time.Hour {
		t.Errorf("got %s with %v", g.body, g.header)
	}
	if g.header.Get("Content-Type") != "application/json" || g.header.Get("User-Agent") == "" {
		t.Errorf("headers %v", g.header)
	}
}

func TestSender_filtersAndTenancy(t *testing.T) {
	d, x, y := newDesk(t, nil), newShop(), newShop()
	all, alerts, others := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
	d.endpoint(x, all.URL)
	d.endpoint(x, alerts.URL, "alert")
	d.endpoint(y, others.URL)
	for _, kind := range []string{"payment_update", "alert", "delivery_sent"} {
		d.event(x, uuid.New(), kind, kind)
	}
	d.event(y, uuid.New(), "payment_update", "theirs")
	seen := map[string]bool{}
	for range 3 {
		seen[all.next(t).status()] = true
	}
	if len(seen) != 3 || seen["theirs"] {
		t.Errorf("all: %v", seen)
	}
	if got := alerts.next(t).status(); got != "alert" {
		t.Errorf("alerts: %s", got)
	}
	if got := others.next(t).status(); got != "theirs" {
		t.Errorf("others: %s", got)
	}
	d.stop()
	if n := len(all.requests) + len(alerts.requests) + len(others.requests); n != 0 {
		t.Errorf("%d requests too many", n)
	}
}

// What a receiver does wrong is tried again with the same id and body, in its own class.
func TestSender_retriesEverythingThatIsNot2xx(t *testing.T) {
	redirected := newReceiver(t, nil)
	release := make(chan struct{})
	defer close(release)
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		status int
		reason string
	}{
		"500 html": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); fmt.Fprint(w, "<html>oops</html>") }, 500, ReasonStatus},
		"404":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, ReasonStatus},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, redirected.URL, http.StatusTemporaryRedirect)
		}, 307, ReasonRedirect},
		"redirect elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		}, 302, ReasonRedirect},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				conn.Close()
			}
		}, 0, ReasonBroken},
		"hang": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-release:
			}
		}, 0, ReasonTimeout},
		"endless header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
		}, 0, ReasonBroken},
	} {
		t.Run(name, func(t *testing.T) {
			d, x := newDesk(t, func(c *Config) { c.Timeout = 5 * time.Second }), newShop()
			v := newReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if n == 1 {
					c.answer(w, r)
				}
			})
			endpoint, secret := d.endpoint(x, v.URL)
			id := d.event(x, uuid.New(), "payment_update", "paid")
			first, second := v.next(t), v.next(t)
			if first.id() != id.String() || second.id() != id.String() || string(first.body) != string(second.body) {
				t.Errorf("ids %s and %s of %s", first.id(), second.id(), id)
			}
			if err := verify(t, secret, second); err != nil {
				t.Error(err)
			}
			d.until("both attempts are listed", func() bool { return len(d.attempts(x, endpoint)) == 2 })
			list := d.attempts(x, endpoint)
			if a := list[1]; a.HTTPStatus != c.status || a.Reason != c.reason || a.Number != 1 || a.EventID != id {
				t.Errorf("first attempt %+v", a)
			}
			if a := list[0]; a.HTTPStatus != 200 || a.Reason != "" || a.Number != 2 || a.NextAt != nil {
				t.Errorf("second attempt %+v", a)
			}
			if e, err := d.store.Endpoint(t.Context(), x.merchant, endpoint); err != nil || e.FailingSince != nil || e.Waiting != 0 {
				t.Errorf("endpoint %+v, %v", e, err)
			}
		})
	}
	if len(redirected.requests) != 0 {
		t.Error("a redirect was followed")
	}
}

// A body that never ends costs nothing but its own connection: the status has said everything.
func TestSender_endlessBodyIsDelivered(t *testing.T) {
	d, x := newDesk(t, nil), newShop()
	v := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	endpoint, _ := d.endpoint(x, v.URL)
	d.event(x, uuid.New(), "payment_update", "paid")
	v.next(t)
	d.until("delivered", func() bool { l := d.attempts(x, endpoint); return len(l) == 1 && l[0].Reason == "" })
}

func TestSender_ordersTheEventsOfASale(t *testing.T) {
	d, x := newDesk(t, func(c *Config) { c.Schedule = make([]time.Duration, 50) }), newShop()
	v := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n%3 == 1 {
			w.WriteHeader(500)
		}
	})
	d.endpoint(x, v.URL)
	sales := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	for i := range 8 {
		for _, sale := range sales {
			d.event(x, sale, "payment_update", fmt.Sprint(i))
		}
	}
	last := map[string]int{}
	for done := 0; done < 8*len(sales); {
		g := v.next(t)
		var p struct {
			Data struct {
				Sale   string `json:"baixa_payment_id"`
				Status int    `json:"status,string"`
			} `json:"data"`
		}
		if err := json.Unmarshal(g.body, &p); err != nil {
			t.Fatal(err)
		}
		switch n := last[p.Data.Sale]; p.Data.Status {
		case n: // the next, or again after a failure
			done++
			last[p.Data.Sale]++
		case n - 1: // the one before was refused: it comes again
		default:
			t.Fatalf("sale %s: %d came when %d was due", p.Data.Sale, p.Data.Status, n)
		}
	}
}

// A process that dies after it claimed, or after it sent, leaves a lease: the message comes again, with the same id.
func TestSender_killedWhileSending(t *testing.T) {
	d, x := newDesk(t, nil), newShop()
	d.stop()
	v := newReceiver(t, nil)
	endpoint, secret := d.endpoint(x, v.URL)
	id := d.event(x, uuid.New(), "payment_update", "paid")
	d.until("fed", func() bool {
		_, n, err := d.store.FeedWebhooks(t.Context(), 10)
		return err == nil && n == 1
	})
	claimed, err := d.store.ClaimWebhooks(t.Context(), 10, store.WebhookPace{InFlight: 8, Failing: 8, Hold: time.Minute}, time.Hour)
	if err != nil || len(claimed) != 1 || claimed[0].EventID != id {
		t.Fatalf("claimed %+v, %v", claimed, err)
	}
	if again, err := d.store.ClaimWebhooks(t.Context(), 10, store.WebhookPace{InFlight: 8, Failing: 8, Hold: time.Minute}, time.Minute); err != nil || len(again) != 0 {
		t.Errorf("claimed twice: %+v, %v", again, err)
	}
	if a := d.sender.post(t.Context(), claimed[0]); a.reason != "" { // sent, and then it dies
		t.Fatalf("answer %+v", a)
	}
	if _, err := d.db.Admin(t).Exec(t.Context(), `UPDATE notifier.webhook_messages SET lease_until = clock_timestamp()`); err != nil { // time passes
		t.Fatal(err)
	}
	d.start()
	first, second := v.next(t), v.next(t)
	if first.id() != id.String() || second.id() != id.String() || verify(t, secret, second) != nil || string(first.body) != string(second.body) {
		t.Errorf("%s and %s", first.id(), second.id())
	}
	d.until("delivered", func() bool { l := d.attempts(x, endpoint); return len(l) == 1 && l[0].Number == 2 })
	// The dead one's late result changes nothing of the second attempt.
	if err := d.store.SettleWebhook(t.Context(), store.WebhookResult{MerchantID: x.merchant, EndpointID: endpoint, EventID: id, Attempt: 1,
		At: time.Now(), Reason: ReasonTimeout, Wait: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if e, err := d.store.Endpoint(t.Context(), x.merchant, endpoint); err != nil || e.Waiting != 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

// Whoever asks for an event again while an attempt of it is on its way gets another one, whatever came of the first.
func TestStore_redeliverDuringAnAttempt(t *testing.T) {
	d, x, v := newDesk(t, nil), newShop(), newReceiver(t, nil)
	d.stop()
	endpoint, _ := d.endpoint(x, v.URL)
	id := d.event(x, uuid.New(), "payment_update", "paid")
	d.until("fed", func() bool {
		_, n, err := d.store.FeedWebhooks(t.Context(), 10)
		return err == nil && n == 1
	})
	claim := func() []store.WebhookMessage {
		t.Helper()
		list, err := d.store.ClaimWebhooks(t.Context(), 10, store.WebhookPace{InFlight: 8, Failing: 8, Hold: time.Minute}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := claim(); len(list) != 1 || list[0].Attempt != 1 {
		t.Fatalf("claimed %+v", list)
	}
	if err := d.store.Redeliver(t.Context(), x.merchant, endpoint, id); err != nil {
		t.Fatal(err)
	}
	if err := d.store.SettleWebhook(t.Context(), store.WebhookResult{MerchantID: x.merchant, EndpointID: endpoint, EventID: id, Attempt: 1,
		At: time.Now(), HTTPStatus: 200}); err != nil {
		t.Fatal(err)
	}
	if list := d.attempts(x, endpoint); len(list) != 1 || list[0].HTTPStatus != 200 {
		t.Errorf("attempts %+v, want the one under way", list)
	}
	if list := claim(); len(list) != 1 || list[0].Attempt != 2 {
		t.Errorf("afterwards %+v is claimed, want the second attempt", list)
	}
}

func TestStore_rotationOverlaps(t *testing.T) {
	d, x, v := newDesk(t, nil), newShop(), newReceiver(t, nil)
	endpoint, old := d.endpoint(x, v.URL)
	rotate := func(overlap time.Duration) string {
		id, secret := uuid.Must(uuid.NewV7()), NewSecret()
		sealed, err := SealSecret(d.sealer, x.merchant, endpoint, id, secret)
		if err == nil {
			_, err = d.store.RotateSecret(t.Context(), x.merchant, endpoint, id, sealed, overlap)
		}
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	lost, third := rotate(time.Hour), rotate(time.Hour)
	d.event(x, uuid.New(), "payment_update", "paid")
	g := v.next(t)
	for name, secret := range map[string]string{"old": old, "lost": lost, "new": third} {
		if err := verify(t, secret, g); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	last := rotate(0)
	d.event(x, uuid.New(), "payment_update", "paid")
	g = v.next(t)
	if verify(t, last, g) != nil || verify(t, old, g) == nil || verify(t, third, g) == nil {
		t.Errorf("after a rotation without overlap: %s", g.header.Get("webhook-signature"))
	}
	for range store.MaxSecrets - 1 {
		rotate(time.Hour)
	}
	if _, err := d.store.RotateSecret(t.Context(), x.merchant, endpoint, uuid.New(), []byte("x"), time.Hour); err == nil {
		t.Error("a sixth secret was taken")
	}
	if _, err := d.store.RotateSecret(t.Context(), uuid.New(), endpoint, uuid.New(), []byte("x"), time.Hour); err == nil {
		t.Error("another merchant rotated the secret")
	}
}

func TestStore_feedInTheFutureIsSaid(t *testing.T) {
	d := newDesk(t, nil)
	d.stop()
	if _, err := d.db.Admin(t).Exec(t.Context(), `UPDATE notifier.webhook_feed SET xid = '900000000'`); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.store.FeedWebhooks(t.Context(), 10); !errors.Is(err, eventlog.ErrCursorAhead) {
		t.Errorf("restored from a dump: %v", err)
	}
}

func TestStore_sweepsWhatEndedLongAgo(t *testing.T) {
	d, x, v := newDesk(t, nil), newShop(), newReceiver(t, nil)
	endpoint, _ := d.endpoint(x, v.URL)
	d.event(x, uuid.New(), "payment_update", "paid")
	d.until("delivered", func() bool { return len(d.attempts(x, endpoint)) == 1 })
	if n, err := d.store.SweepWebhooks(t.Context(), time.Hour, 10); err != nil || n != 0 {
		t.Errorf("swept %d, %v", n, err)
	}
	if _, err := d.db.Admin(t).Exec(t.Context(), `UPDATE notifier.webhook_messages SET ended_at = now() - interval '2 hours'`); err != nil {
		t.Fatal(err)
	}
	if n, err := d.store.SweepWebhooks(t.Context(), time.Hour, 10); err != nil || n != 1 || len(d.attempts(x, endpoint)) != 0 {
		t.Errorf("swept %d, %v, %d attempts left", n, err, len(d.attempts(x, endpoint)))
	}
}
