package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/e2e/deployment"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/sim"
)

// hookStories are about events that go to merchants' own systems.
func hookStories() []story {
	return []story{{"a merchant's system gets every event signed", hooksSigned}, {"a merchant's system that is gone", hooksGone},
		{"webhooks go to nobody's inside", hooksInside}}
}

// notice is a webhook as a merchant's system got it.
type notice struct {
	id, at, signature string
	body              []byte
	Type              string
	Data              frame
}

// system is a merchant's own.
type system struct {
	shop   *shop
	id     string // of its endpoint
	secret string
	code   atomic.Int32 // what it answers; 0 is 204
	hold   func(notice) // what it does before; nil is nothing
	server *httptest.Server

	mu  sync.Mutex
	got []notice
}

// openSystem starts a receiver and makes an endpoint of it.
func (s *shop) openSystem(t *testing.T, hold func(notice)) *system {
	t.Helper()
	y := &system{shop: s, hold: hold}
	y.server = httptest.NewServer(http.HandlerFunc(y.take))
	t.Cleanup(y.server.Close)
	resp := &notifierv1.PutEndpointResponse{}
	s.operator.Must("POST", "/v1/endpoints", &notifierv1.PutEndpointRequest{MerchantId: s.id, Url: y.server.URL + "/hooks"}, resp) // a loopback address is an operator's to say
	y.id, y.secret = resp.GetEndpoint().GetId(), resp.GetSecret()
	s.d.Canary(y.secret)
	return y
}

func (y *system) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h := notice{id: r.Header.Get("Webhook-Id"), at: r.Header.Get("Webhook-Timestamp"), signature: r.Header.Get("Webhook-Signature"), body: body}
	if err != nil || json.Unmarshal(body, &h) != nil { // it is not counted, and the test waits in vain
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	y.mu.Lock()
	y.got = append(y.got, h)
	y.mu.Unlock()
	if y.hold != nil {
		y.hold(h)
	}
	code := int(y.code.Load())
	if code == 0 {
		code = http.StatusNoContent
	}
	w.WriteHeader(code)
}

func (y *system) hooks(sale, kind string) (out []notice) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, h := range y.got {
		if h.Data.BaixaPaymentID == sale && h.Type == kind {
			out = append(out, h)
		}
	}
	return out
}

// await waits for an event of a sale, however often it comes.
func (y *system) await(t *testing.T, sale, kind string) notice {
	t.Helper()
	deployment.Eventually(t, lease+deployment.Within, "the merchant's system gets "+kind, func() bool { return len(y.hooks(sale, kind)) > 0 }, func() string {
		y.mu.Lock()
		defer y.mu.Unlock()
		text := ""
		for _, h := range y.got {
			text += " " + h.Type + " " + h.Data.BaixaPaymentID
		}
		return text
	})
	return y.hooks(sale, kind)[0]
}

// signed reports whether one of a webhook's signatures is by a secret, as the specification says.
func (h notice) signed(secret string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", h.id, h.at, h.body)
	return err == nil && slices.Contains(strings.Fields(h.signature), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// everyEvent are the events of a sale that goes as it should.
var everyEvent = []string{"payment_update", "delivery_sent", "delivery_opened", "purchase_sent"}

// check compares all four events of a sale with what the owner's screen got.
func (y *system) check(t *testing.T, screen *owner, s *sale, secrets ...string) {
	t.Helper()
	for _, kind := range everyEvent {
		h, f := y.await(t, s.id, kind), screen.awaitOnce(t, deployment.Within, s.id, kind)
		if h.id != h.Data.ID || h.id != f.ID {
			t.Errorf("%s: webhook-id %s, id %s, and %s on the screen", kind, h.id, h.Data.ID, f.ID)
		}
		for _, secret := range secrets {
			if !h.signed(secret) {
				t.Errorf("%s: no signature by each secret", kind)
			}
		}
		if h.signed("whsec_AAAA") {
			t.Fatal("the check of signatures takes anything")
		}
		for _, other := range y.hooks(s.id, kind) {
			if other.id != h.id || string(other.body) != string(h.body) {
				t.Errorf("%s came as %s and as %s", kind, h.body, other.body)
			}
		}
	}
}

func hooksSigned(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	screen, system := shop.watch(t), shop.openSystem(t, nil)
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	system.check(t, screen, s, system.secret)

	h := system.await(t, s.id, "purchase_sent")
	again := &notifierv1.RedeliverResponse{}
	shop.api.Must("POST", "/v1/endpoints/"+system.id+":redeliver", &notifierv1.RedeliverRequest{EventId: h.id}, again)
	if again.GetEvents() != 1 {
		t.Errorf("%d events are sent again", again.GetEvents())
	}
	deployment.Eventually(t, deployment.Within, "the event comes again", func() bool { return len(system.hooks(s.id, "purchase_sent")) == 2 })
	if second := system.hooks(s.id, "purchase_sent")[1]; second.id != h.id || string(second.body) != string(h.body) || !second.signed(system.secret) {
		t.Errorf("sent again as %s %s, first %s %s", second.id, second.body, h.id, h.body)
	}

	rotated := &notifierv1.RotateSecretResponse{}
	shop.api.Must("POST", "/v1/endpoints/"+system.id+":rotateSecret", &notifierv1.RotateSecretRequest{Overlap: durationpb.New(lease * 60)}, rotated)
	d.Canary(rotated.GetSecret())
	next := shop.sell(t, sim.Paradise)
	next.pay(t)
	next.awaitSettled(t, deployment.Within)
	system.check(t, screen, next, system.secret, rotated.GetSecret())
}

// endpoint is what the merchant is told of the system's.
func (y *system) endpoint(t *testing.T) *notifierv1.Endpoint {
	t.Helper()
	list := &notifierv1.ListEndpointsResponse{}
	y.shop.api.Must("GET", "/v1/endpoints", nil, list)
	for _, e := range list.GetEndpoints() {
		if e.GetId() == y.id {
			return e
		}
	}
	t.Fatalf("the endpoint is not listed: %v", list)
	return nil
}

// hooksGone: 410 ends an endpoint at once, the owner is told, and put again it gets what it missed.
func hooksGone(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	screen, system, other := shop.watch(t), shop.openSystem(t, nil), shop.openSystem(t, nil)
	system.code.Store(http.StatusGone)
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	deployment.Eventually(t, deployment.Within, "the endpoint is disabled", func() bool {
		e := system.endpoint(t)
		return e.GetState() == notifierv1.EndpointState_ENDPOINT_STATE_DISABLED && e.GetReason() == "gone"
	}, func() string { return system.endpoint(t).String() })
	told := func() (n int) {
		screen.mu.Lock()
		defer screen.mu.Unlock()
		for _, f := range screen.seen {
			if f.Type == "alert" && f.Status == "webhook_disabled" {
				n++
			}
		}
		return n
	}
	deployment.Eventually(t, deployment.Within, "the owner is told", func() bool { return told() > 0 })
	for _, kind := range everyEvent {
		other.await(t, s.id, kind)
	}
	if n := told(); n != 1 {
		t.Errorf("the owner was told %d times", n)
	}
	shop.prints(t, []string{"doctor", "--lang", "en"}, "webhook endpoints that are disabled: 1")
	system.code.Store(0)
	shop.operator.Must("POST", "/v1/endpoints", &notifierv1.PutEndpointRequest{MerchantId: shop.id, EndpointId: system.id, Url: system.server.URL + "/hooks"},
		&notifierv1.PutEndpointResponse{})
	shop.api.Must("POST", "/v1/endpoints/"+system.id+":redeliver", &notifierv1.RedeliverRequest{Since: timestamppb.New(minutesAgo(60))}, &notifierv1.RedeliverResponse{})
	system.check(t, screen, s, system.secret)
}

func hooksInside(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	for _, url := range []string{"https://10.0.0.1/x", "https://[::ffff:127.0.0.1]/x", "https://169.254.169.254/latest", "http://127.0.0.1:1/x", "https://localhost/x", d.URL()} {
		a := shop.api.REST("POST", "/v1/endpoints", &notifierv1.PutEndpointRequest{Url: url}, nil)
		if fields := a.Problem().Fields; a.Code != http.StatusBadRequest || len(fields) != 1 || fields[0].Field != "url" || fields[0].Expected == "" {
			t.Errorf("an endpoint at %s: %d %s, want 400 that names url", url, a.Code, a.Body)
		}
	}
	list := &notifierv1.ListEndpointsResponse{}
	if shop.api.Must("GET", "/v1/endpoints", nil, list); len(list.GetEndpoints()) != 0 {
		t.Errorf("refused endpoints are listed: %v", list)
	}
}

// TestHook_killed: notifier dies while a merchant's system has an event in its hands and does not answer. The event comes again
// under its id, and no other is lost or comes under another.
func TestHook_killed(t *testing.T) {
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		must(t, d.World().SetBuyers(openAtOnce))
		shop := openShop(t, d)
		screen := shop.watch(t)
		var later atomic.Bool
		held, release := make(chan struct{}), make(chan struct{})
		system := shop.openSystem(t, func(notice) {
			if later.CompareAndSwap(false, true) {
				close(held)
				<-release
			}
		})
		t.Cleanup(func() { close(release) }) // before the receiver is closed, which waits for its requests
		s := shop.sell(t, sim.Atomopay)
		s.pay(t)
		<-held
		s.awaitMessage(t, lease+retried, "sent") // a message on its way could only be "maybe sent" after the kill
		d.Kill(t, deployment.Notifier)
		d.Start(t, deployment.Notifier)
		<-screen.done // the socket went with the process
		screen.connect(t)
		s.openAgain(t)
		s.awaitSettled(t, lease+retried)
		system.check(t, screen, s, system.secret)
		deployment.Eventually(t, lease+deployment.Within, "nothing waits any more", func() bool { return system.endpoint(t).GetWaiting() == 0 },
			func() string { return system.endpoint(t).String() })
		system.mu.Lock()
		defer system.mu.Unlock()
		if again := slices.ContainsFunc(system.got[1:], func(h notice) bool { return h.id == system.got[0].id }); !again {
			t.Error("the event that was not answered did not come again")
		}
	})
}
