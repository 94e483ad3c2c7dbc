package websocket

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// replica is one process's hub behind its own HTTP server.
type replica struct {
	*httptest.Server
	hub   *Hub
	store *store.Store
}

func newReplica(t *testing.T, db *pgtest.DB, c Config) *replica {
	t.Helper()
	st, err := store.New(db.Pool(t, store.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c.Store = st
	h, err := NewHub(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = st.Events().Run(ctx) }()
	r := &replica{Server: httptest.NewServer(h.Handler()), hub: h, store: st}
	t.Cleanup(func() {
		h.Close()
		r.Close()
		cancel()
		<-done
	})
	return r
}

func (r *replica) ticket(t *testing.T, merchant uuid.UUID, bots ...uuid.UUID) string {
	t.Helper()
	text, hash := NewTicket(merchant)
	if _, err := r.store.PutTicket(t.Context(), merchant, hash, bots, time.Minute); err != nil {
		t.Fatal(err)
	}
	return text
}

// dial opens a socket; cursor may be empty.
func (r *replica) dial(t *testing.T, ticket, cursor string) *websocket.Conn {
	t.Helper()
	conn, resp, err := websocket.Dial(t.Context(), r.URL+"/ws?ticket="+ticket+"&cursor="+cursor, nil)
	if err != nil {
		status := 0
		if resp != nil {
			status = resp.StatusCode
		}
		t.Fatalf("dial: %v (HTTP %d)", err, status)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

type received struct {
	Cursor, ID, Type string
	Status           string
	PaymentID        any `json:"payment_id"`
}

func next(t *testing.T, conn *websocket.Conn) (received, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	_, body, err := conn.Read(ctx)
	if err != nil {
		return received{}, err
	}
	var f received
	if err := json.Unmarshal(body, &f); err != nil {
		t.Fatalf("frame %s: %v", body, err)
	}
	return f, nil
}

func want(t *testing.T, conn *websocket.Conn, status string) received {
	t.Helper()
	f, err := next(t, conn)
	if err != nil || f.Status != status && f.Type != status {
		t.Fatalf("got %+v, %v; want %s", f, err, status)
	}
	return f
}

func intent(merchant, bot uuid.UUID, status string) store.Intent {
	e := Event{ID: uuid.Must(uuid.NewV7()), Type: "payment_update", PaymentID: uuid.New(), BotID: bot, Status: status, At: time.Now()}
	body, err := e.JSON()
	if err != nil {
		panic(err)
	}
	return store.Intent{MerchantID: merchant, ID: e.ID, PaymentID: e.PaymentID, BotID: bot, Key: "e", Kind: e.Type, Channel: store.WebSocket, Event: body}
}

func (r *replica) write(t *testing.T, intents ...store.Intent) {
	t.Helper()
	if _, err := r.store.Record(context.Background(), intents); err != nil {
		t.Error(err)
	}
}

func TestSocket_itsMerchantsBotsAlone(t *testing.T) {
	r := newReplica(t, pgtest.New(t, store.Schema), Config{})
	merchant, bot, sibling := uuid.New(), uuid.New(), uuid.New()
	all, one := r.dial(t, r.ticket(t, merchant), ""), r.dial(t, r.ticket(t, merchant, bot), "")
	want(t, all, "hello")
	want(t, one, "hello")
	r.write(t, intent(uuid.New(), bot, "foreign"), intent(merchant, sibling, "sibling"), intent(merchant, bot, "mine"))
	got := map[string]bool{}
	for range 2 {
		f, err := next(t, all)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Status] = true
	}
	if !got["sibling"] || !got["mine"] {
		t.Errorf("the merchant's socket got %v", got)
	}
	want(t, one, "mine")
	r.write(t, intent(merchant, bot, "last"))
	want(t, all, "last")
	want(t, one, "last")
	if n, mine := r.hub.Open(nil), r.hub.Open(&bot); n != 2 || mine != 0 {
		t.Errorf("%d open streams, %d of a stranger", n, mine)
	}
}

func TestSocket_resumesOverReplicasWithoutLossOrDoubles(t *testing.T) {
	const writers, each = 4, 500
	db := pgtest.New(t, store.Schema)
	replicas := []*replica{newReplica(t, db, Config{Buffer: 32}), newReplica(t, db, Config{Buffer: 32})}
	merchant, bot := uuid.New(), uuid.New()
	conn := replicas[0].dial(t, replicas[0].ticket(t, merchant), "")
	cursor := want(t, conn, "hello").Cursor
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; i < each; {
				var batch []store.Intent
				for range min(1+rand.IntN(20), each-i) {
					batch = append(batch, intent(merchant, bot, fmt.Sprint(w, "-", i)))
					i++
				}
				replicas[w%2].write(t, batch...)
			}
		})
	}
	seen := map[string]int{}
	reconnects, slow := 0, 0
	for left := 1 + rand.IntN(60); len(seen) < writers*each; left-- {
		f, err := next(t, conn)
		if err != nil && websocket.CloseStatus(err) == websocket.StatusTryAgainLater {
			slow++
		} else if err != nil {
			t.Fatalf("after %d events: %v", len(seen), err)
		}
		if err == nil && f.Type != "hello" {
			seen[f.ID]++
			cursor = f.Cursor
		}
		if err != nil || left == 0 {
			_ = conn.CloseNow()
			reconnects++
			left = 1 + rand.IntN(60)
			at := replicas[rand.IntN(2)]
			conn = at.dial(t, at.ticket(t, merchant), cursor)
		}
	}
	wg.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
	t.Logf("%d events, %d reconnects, %d of them as a slow reader", len(seen), reconnects, slow)
	replicas[0].write(t, intent(merchant, bot, "last"))
	want(t, replicas[1].dial(t, replicas[1].ticket(t, merchant), cursor), "hello")
	for f := (received{}); f.Status != "last"; {
		var err error
		if f, err = next(t, conn); err != nil {
			t.Fatal(err)
		}
		if seen[f.ID] > 0 {
			t.Errorf("event %s came again", f.ID)
		}
	}
}

func TestSocket_slowReaderIsDroppedAndResumes(t *testing.T) {
	db := pgtest.New(t, store.Schema)
	strict, r := newReplica(t, db, Config{Buffer: 4, Write: 2 * time.Second}), newReplica(t, db, Config{})
	merchant, bot := uuid.New(), uuid.New()
	slow, quick := strict.dial(t, strict.ticket(t, merchant), ""), r.dial(t, r.ticket(t, merchant), "")
	slow.SetReadLimit(-1)
	quick.SetReadLimit(-1)
	cursor := want(t, slow, "hello").Cursor
	want(t, quick, "hello")
	const events = 300
	wide := strings.Repeat("x", 100_000) // so that the system's own buffers fill, too
	for i := range events {
		in := intent(merchant, bot, fmt.Sprint(i))
		in.Event = []byte(strings.Replace(string(in.Event), "{", `{"pad":"`+wide+`",`, 1))
		r.write(t, in)
		want(t, quick, fmt.Sprint(i))
	}
	last, n := "", 0
	for {
		f, err := next(t, slow)
		if err != nil {
			if code := websocket.CloseStatus(err); code != websocket.StatusTryAgainLater && code != -1 {
				t.Errorf("closed with %d", code)
			}
			break
		}
		cursor, last, n = f.Cursor, f.Status, n+1
	}
	if n >= events {
		t.Fatalf("the slow reader got all %d events", n)
	}
	again := r.dial(t, r.ticket(t, merchant), cursor)
	again.SetReadLimit(-1)
	want(t, again, "hello")
	for i := n; i < events; i++ {
		want(t, again, fmt.Sprint(i))
	}
	t.Logf("dropped after %d events, the last was %q", n, last)
}

func TestSocket_closesTellTheClientToResume(t *testing.T) {
	r := newReplica(t, pgtest.New(t, store.Schema), Config{})
	merchant := uuid.New()
	conn := r.dial(t, r.ticket(t, merchant), "")
	want(t, conn, "hello")
	ahead := r.dial(t, r.ticket(t, merchant), "999999999-1")
	if _, err := next(t, ahead); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("a cursor from the future: %v", err)
	}
	r.hub.mu.Lock()
	tailing := r.hub.tail != nil
	r.hub.mu.Unlock()
	if !tailing {
		t.Error("nobody reads the log for the open socket")
	}
	closed := make(chan struct{})
	go func() { r.hub.Close(); close(closed) }()
	if _, err := next(t, conn); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("at the stop: %v", err)
	}
	<-closed
	if r.hub.tail != nil || r.hub.Open(nil) != 0 {
		t.Errorf("%d streams after the stop, tail %v", r.hub.Open(nil), r.hub.tail != nil)
	}
	late := r.dial(t, r.ticket(t, merchant), "")
	if _, err := next(t, late); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("after the stop: %v", err)
	}
}

func TestSocket_deadPeerIsNoticed(t *testing.T) {
	r := newReplica(t, pgtest.New(t, store.Schema), Config{Ping: 20 * time.Millisecond, Write: 2 * time.Second})
	conn := r.dial(t, r.ticket(t, uuid.New()), "")
	want(t, conn, "hello") // and never reads again, so no pong
	gone := make(chan struct{})
	go func() { r.hub.open.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-time.After(90 * time.Second):
		t.Fatal("a peer that answers no ping stays connected")
	}
}

func TestSocket_goesOnAfterADatabaseRestart(t *testing.T) {
	db := pgtest.Server(t, store.Schema)
	r := newReplica(t, &db.DB, Config{})
	merchant, bot := uuid.New(), uuid.New()
	conn := r.dial(t, r.ticket(t, merchant), "")
	want(t, conn, "hello")
	r.write(t, intent(merchant, bot, "before"))
	want(t, conn, "before")
	db.Stop(t)
	db.Start(t)
	after := []store.Intent{intent(merchant, bot, "after")}
	for { // a pooled connection may still be a broken one
		if _, err := r.store.Record(t.Context(), after); err == nil {
			break
		} else if !pg.Unavailable(err) {
			t.Fatal(err)
		}
	}
	want(t, conn, "after")
}

func get(t *testing.T, method, url string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Allow")
}

func TestEnter_refusals(t *testing.T) {
	db := pgtest.New(t, store.Schema)
	r := newReplica(t, db, Config{MaxSockets: 1})
	merchant := uuid.New()
	up := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	good := r.ticket(t, merchant)
	expired := r.ticket(t, merchant)
	_, expiredHash, _ := parseTicket(expired)
	if _, err := db.Admin(t).Exec(t.Context(), `UPDATE notifier.stream_tickets SET expires_at = now() WHERE hash = $1`, expiredHash); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, path string
		header       http.Header
		want         int
	}{
		"no ticket":           {"GET", "/ws", up, 401},
		"garbage":             {"GET", "/ws?ticket=bxt_zz_x", up, 401},
		"unknown":             {"GET", "/ws?ticket=bxt_" + strings.ReplaceAll(merchant.String(), "-", "") + "_" + strings.Repeat("a", 43), up, 401},
		"expired":             {"GET", "/ws?ticket=" + expired, up, 401},
		"expired, SSE":        {"GET", "/events?ticket=" + expired, nil, 401},
		"bad cursor":          {"GET", "/ws?cursor=abc&ticket=" + good, up, 400},
		"bad last event":      {"GET", "/events?ticket=" + good, http.Header{"Last-Event-Id": {"x-y"}}, 400},
		"not a WebSocket":     {"GET", "/ws?ticket=" + good, nil, 426},
		"HEAD":                {"HEAD", "/events?ticket=" + good, nil, 405},
		"POST":                {"POST", "/events?ticket=" + good, nil, 405},
		"merchant in another": {"GET", "/ws?ticket=bxt_" + strings.ReplaceAll(uuid.NewString(), "-", "") + good[strings.LastIndex(good, "_"):], up, 401},
	} {
		if got, _ := get(t, c.method, r.URL+c.path, c.header); got != c.want {
			t.Errorf("%s: HTTP %d, want %d", name, got, c.want)
		}
	}
	// After all of these the good ticket is still good, once.
	conn := r.dial(t, good, "")
	want(t, conn, "hello")
	if got, _ := get(t, "GET", r.URL+"/ws?ticket="+r.ticket(t, merchant), up); got != 503 {
		t.Errorf("beyond the bound: HTTP %d", got)
	}
	_ = conn.Close(websocket.StatusNormalClosure, "")
	r.hub.open.Wait()
	if got, _ := get(t, "GET", r.URL+"/ws?ticket="+good, up); got != 401 {
		t.Errorf("the ticket was good twice: HTTP %d", got)
	}
}
