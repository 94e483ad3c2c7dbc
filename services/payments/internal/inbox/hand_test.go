package inbox

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// hands keeps what it is handed.
type hands struct {
	full bool

	mu    sync.Mutex
	taken []store.Webhook
	woken int
}

func (h *hands) Until(now time.Time, _ int64) (time.Time, bool) {
	return now.Add(time.Minute).Truncate(time.Microsecond), !h.full
}

func (h *hands) Take(rows []store.Webhook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken = append(h.taken, rows...)
}

func (h *hands) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.woken++
}

// leased counts the webhooks that nobody else may claim now.
func leased(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	if err := s.Pool().QueryRow(within(t), `SELECT count(*) FROM webhooks WHERE leased_until > now()`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHand_whatIsTakenReadsAsTheRowDoes(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	h := &hands{}
	b := open(t, s, func(c *Config) { c.Hand, c.Wake = h, h.wake })
	w := Webhook{Provider: "atomopay", AccountKey: "acc", Body: []byte(`{"hash":"h1"}`), ContentType: "application/json",
		Headers: map[string]string{"user-agent": "p/1", "x-webhook-secret": "s3cr3t", "x-other": "1"}, RemoteAddr: "192.0.2.1"}
	if _, err := b.Put(within(t), w); err != nil {
		t.Fatal(err)
	}
	if len(h.taken) != 1 || h.woken != 0 || leased(t, s) != 1 {
		t.Fatalf("%d taken, woken %d times, %d leased", len(h.taken), h.woken, leased(t, s))
	}
	got := h.taken[0]
	row := claim(t, s)[0]
	if got.Lease.IsZero() {
		t.Error("handed over without a lease")
	}
	gotBody, err := b.Open(got)
	if err != nil {
		t.Fatal(err)
	}
	rowBody, err := b.Open(row)
	if err != nil {
		t.Fatal(err)
	}
	if string(gotBody) != string(w.Body) || string(rowBody) != string(w.Body) {
		t.Errorf("bodies: handed %q, of the row %q", gotBody, rowBody)
	}
	got.Opened, got.Lease, row.Lease, row.Body = nil, time.Time{}, time.Time{}, nil
	got.ReceivedAt = got.ReceivedAt.Truncate(time.Microsecond)
	row.ReceivedAt = row.ReceivedAt.UTC()
	if d := cmp.Diff(row, got); d != "" {
		t.Errorf("handed over (-row +handed):\n%s", d)
	}
}

func TestHand_copiesAreTheTables(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	h := &hands{}
	b := open(t, s, func(c *Config) { c.Hand, c.Wake = h, h.wake })
	for range 2 {
		if _, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: []byte("a")}); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.taken) != 1 || h.woken != 1 {
		t.Errorf("%d taken, woken %d times: a copy may ask for another look", len(h.taken), h.woken)
	}
}

func TestHand_fullLeavesItToTheTable(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	h := &hands{full: true}
	b := open(t, s, func(c *Config) { c.Hand, c.Wake = h, h.wake })
	if _, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	if len(h.taken) != 0 || h.woken != 1 || leased(t, s) != 0 {
		t.Errorf("%d taken, woken %d times, %d leased", len(h.taken), h.woken, leased(t, s))
	}
}

// readers say of each webhook what its body says.
type readers struct {
	asked int
	says  map[string]*store.Said
}

func (r *readers) read(_ context.Context, hooks []store.Webhook) []*store.Said {
	r.asked++
	out := make([]*store.Said, len(hooks))
	for i, h := range hooks {
		out[i] = r.says[string(h.Opened)]
	}
	return out
}

func TestRead_beforeStoringWhilePressed(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	h := &hands{}
	parked := func() *store.Said {
		return &store.Said{Verdict: store.Verdict{State: "parked", Ref: store.Charge{ID: "x"}}}
	}
	r := &readers{says: map[string]*store.Said{"early": parked(), "parked": parked()}}
	now := time.Now()
	b := open(t, s, func(c *Config) {
		c.Hand, c.Wake, c.Read, c.Now = h, h.wake, r.read, func() time.Time { return now }
	})
	put := func(body string) {
		t.Helper()
		if _, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	put("early")
	if r.asked != 0 || len(h.taken) != 1 {
		t.Fatalf("nothing presses: asked %d times, %d handed over", r.asked, len(h.taken))
	}
	b.press.mu.Lock()
	b.press.began, b.press.full = now, pressSlots
	b.press.mu.Unlock()
	put("parked")
	if r.asked != 1 || len(h.taken) != 1 || h.woken != 0 {
		t.Errorf("what needs no reading: asked %d times, %d handed over, woken %d times", r.asked, len(h.taken)-1, h.woken)
	}
	put("unread")
	if len(h.taken) != 2 || string(h.taken[1].Opened) != "unread" {
		t.Errorf("what is still to be read is not handed over: %d", len(h.taken)-1)
	}
}
