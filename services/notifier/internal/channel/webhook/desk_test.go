package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/channel/websocket"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// desk is a database with a sender that runs until stop.
type desk struct {
	t      testing.TB
	db     *pgtest.DB
	store  *store.Store
	sealer *seal.Sealer
	sender *Sender
	config Config
	stop   func()
}

func newDesk(t testing.TB, change func(*Config)) *desk {
	t.Helper()
	d := &desk{t: t, db: pgtest.New(t, store.Schema)}
	keys, err := seal.Generate()
	if err == nil {
		d.sealer, err = seal.New(keys)
	}
	if err == nil {
		d.store, err = store.New(d.db.Pool(t, store.Schema))
	}
	if err != nil {
		t.Fatal(err)
	}
	d.config = Config{Store: d.store, Sealer: d.sealer, Idle: 20 * time.Millisecond, Timeout: 10 * time.Second, Pause: time.Millisecond,
		Schedule: []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}}
	if change != nil {
		change(&d.config)
	}
	d.start()
	t.Cleanup(func() { d.stop() })
	return d
}

func (d *desk) start() {
	d.t.Helper()
	var err error
	if d.sender, err = NewSender(d.config); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- d.store.Events().Run(ctx) }()
	go func() { done <- d.sender.Run(ctx) }()
	var once sync.Once
	d.stop = func() {
		once.Do(func() {
			cancel()
			for range 2 {
				if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
					d.t.Errorf("stop: %v", err)
				}
			}
		})
	}
}

type shop struct{ merchant, bot uuid.UUID }

func newShop() shop { return shop{uuid.New(), uuid.New()} }

// endpoint makes one at a test receiver and returns its secret.
func (d *desk) endpoint(x shop, url string, types ...string) (uuid.UUID, string) {
	d.t.Helper()
	id, secretID, secret := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), NewSecret()
	sealed, err := SealSecret(d.sealer, x.merchant, id, secretID, secret)
	if err == nil {
		_, err = d.store.PutEndpoint(d.t.Context(), store.Endpoint{MerchantID: x.merchant, ID: id, URL: url, Loopback: true,
			EventTypes: append([]string{}, types...), BotIDs: []uuid.UUID{}}, secretID, sealed)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return id, secret
}

// event writes one into the owner log and returns its id.
func (d *desk) event(x shop, payment uuid.UUID, kind, status string) uuid.UUID {
	d.t.Helper()
	id := uuid.Must(uuid.NewV7())
	body, err := websocket.Event{ID: id, Type: kind, PaymentID: payment, BotID: x.bot, Status: status, At: time.Now(), CustomerName: "Ana é <b>"}.JSON()
	if err == nil {
		_, err = d.store.Record(context.Background(), []store.Intent{{MerchantID: x.merchant, ID: id, PaymentID: payment, BotID: x.bot,
			Key: kind + ":" + id.String(), Kind: kind, Channel: store.WebSocket, Event: body}})
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}

func (d *desk) attempts(x shop, endpoint uuid.UUID) []store.WebhookAttempt {
	d.t.Helper()
	list, err := d.store.WebhookAttempts(context.Background(), x.merchant, endpoint, nil, false, 1<<62, 500)
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// until waits for what a reader of the database sees; the database's own notifications are not for that.
func (d *desk) until(what string, so func() bool) {
	d.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); !so(); <-tick.C {
		if time.Since(start) > time.Minute {
			d.t.Fatalf("never: %s", what)
		}
	}
}

// got is one request as a receiver saw it.
type got struct {
	header http.Header
	body   []byte
}

func (g got) id() string { return g.header.Get("webhook-id") }

func (g got) status() string {
	var p struct {
		Data struct {
			Status string `json:"status"`
		} `json:"data"`
	}
	_ = json.Unmarshal(g.body, &p) // an empty status fails the test that asks
	return p.Data.Status
}

// receiver is a merchant's own system. answer decides about the n-th request; nil takes everything.
type receiver struct {
	*httptest.Server
	requests chan got
	mu       sync.Mutex
	n        int
	answer   func(n int, w http.ResponseWriter, r *http.Request)
}

func newReceiver(t testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	v := &receiver{requests: make(chan got, 10_000), answer: answer}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

func (v *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	v.n++
	n := v.n
	v.mu.Unlock()
	v.requests <- got{r.Header.Clone(), body}
	if v.answer != nil {
		v.answer(n, w, r)
	}
}

func (v *receiver) next(t testing.TB) got {
	t.Helper()
	select {
	case g := <-v.requests:
		return g
	case <-time.After(time.Minute):
		t.Fatal("no request came")
		return got{}
	}
}

// verify is the specification's algorithm, written from its text: base64(HMAC-SHA256(secret, id.timestamp.body)) must be one of the
// signatures behind "v1,".
func verify(t testing.TB, secret string, g got) error {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", g.header.Get("webhook-id"), g.header.Get("webhook-timestamp"), g.body)
	want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, s := range strings.Fields(g.header.Get("webhook-signature")) {
		if version, text, _ := strings.Cut(s, ","); version == "v1" && hmac.Equal([]byte(text), []byte(want)) {
			return nil
		}
	}
	return fmt.Errorf("none of %q is %q", g.header.Get("webhook-signature"), want)
}
