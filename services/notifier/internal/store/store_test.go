package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// fast lets every bot send at will.
var fast = store.Pace{Interval: time.Microsecond, Burst: 1000, InFlight: 1000}

func open(t *testing.T) (*store.Store, *pgtest.DB) {
	t.Helper()
	db := pgtest.New(t, store.Schema)
	s, err := store.New(db.Pool(t, store.Schema))
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

// sale is one bot's chat with a new payment each time.
type sale struct {
	merchant, bot uuid.UUID
	chat          int64
}

func newSale(chat int64) sale { return sale{uuid.New(), uuid.New(), chat} }

func (s sale) message(key string) store.Intent {
	return store.Intent{MerchantID: s.merchant, ID: uuid.Must(uuid.NewV7()), PaymentID: uuid.New(), BotID: s.bot, Key: key, Kind: "delivery",
		Channel: store.Telegram, ChatID: s.chat, Content: []byte("sealed"), Traceparent: "trace of " + key}
}

func (s sale) event(key string) store.Intent {
	return store.Intent{MerchantID: s.merchant, ID: uuid.Must(uuid.NewV7()), PaymentID: uuid.New(), BotID: s.bot, Key: key, Kind: "payment_update",
		Channel: store.WebSocket, Event: []byte(`{"id":"` + key + `"}`)}
}

func record(t *testing.T, s *store.Store, intents ...store.Intent) []store.Recorded {
	t.Helper()
	out, err := s.Record(t.Context(), intents)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func putBot(t *testing.T, s *store.Store, x sale) store.Bot {
	t.Helper()
	b, _, err := s.PutBot(t.Context(), store.Bot{MerchantID: x.merchant, BotID: x.bot, Token: []byte("sealed"), TokenHash: []byte("hash")})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func claim(t *testing.T, s *store.Store, limit int, p store.Pace) []store.Message {
	t.Helper()
	rows, err := s.Claim(t.Context(), uuid.New(), limit, p, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func result(m store.Message, state store.State) store.Result {
	return store.Result{MerchantID: m.MerchantID, ID: m.ID, PaymentID: m.PaymentID, BotID: m.BotID, Attempt: m.Attempt, State: state, ChatID: m.ChatID, MessageID: 7}
}

func settle(t *testing.T, s *store.Store, notices []store.BotNotice, results ...store.Result) {
	t.Helper()
	if err := s.Settle(t.Context(), results, notices); err != nil {
		t.Fatal(err)
	}
}

func states(t *testing.T, s *store.Store, r store.Recorded) string {
	t.Helper()
	list, err := s.List(t.Context(), r.MerchantID, r.PaymentID)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, n := range list {
		text += fmt.Sprintf("%d%s/%d/%d ", n.State, n.Reason, n.MessageID, n.Attempts)
	}
	return text
}

func TestRecord_sameKeyReturnsTheFirst(t *testing.T) {
	s, _ := open(t)
	x := newSale(5)
	m, e := x.message("delivery"), x.event("payment_update:paid")
	e.PaymentID = m.PaymentID
	first := record(t, s, m, e)
	if !first[0].Created || !first[1].Created || first[0].State != store.Queued || first[0].Reason != "no_bot" || first[1].State != store.Sent {
		t.Fatalf("first: %+v", first)
	}
	// The same keys again, with other ids and other contents, in another order and twice in one batch, under the other channel, too.
	again, clash, more := m, e, x.event("alert")
	again.ID, clash.ID = uuid.New(), uuid.New()
	clash.Channel, clash.ChatID, clash.Content, clash.Event = store.Telegram, 9, []byte("x"), nil
	twice := more
	twice.ID = uuid.New()
	got := record(t, s, clash, again, more, twice)
	for i, want := range []uuid.UUID{e.ID, m.ID, more.ID, more.ID} {
		if got[i].ID != want || got[i].Created != (i == 2) {
			t.Errorf("%d: got id %s created %v, want %s", i, got[i].ID, got[i].Created, want)
		}
	}
	putBot(t, s, x)
	if rows := claim(t, s, 10, fast); len(rows) != 1 || rows[0].ID != m.ID || rows[0].ChatID != 5 || string(rows[0].Content) != "sealed" {
		t.Errorf("queue holds %+v, want the first message alone", rows)
	}
}

func TestRecord_concurrentBatchesMakeEachOnce(t *testing.T) {
	s, _ := open(t)
	x := newSale(5)
	var batch []store.Intent
	for i := range 40 {
		batch = append(batch, x.message(fmt.Sprint("k", i)), x.event(fmt.Sprint("k", i)))
	}
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		created = map[string]int{}
	)
	for worker := range 4 {
		wg.Go(func() {
			mine := make([]store.Intent, len(batch))
			for i := range batch {
				from := batch[i]
				if worker%2 == 1 {
					from = batch[len(batch)-1-i]
				}
				mine[i] = from
				mine[i].ID = uuid.New()
			}
			out, err := s.Record(context.Background(), mine)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for i, r := range out {
				if r.Created {
					created[mine[i].PaymentID.String()]++
				}
			}
		})
	}
	wg.Wait()
	if len(created) != len(batch) {
		t.Errorf("%d of %d notifications were made", len(created), len(batch))
	}
	for id, n := range created {
		if n != 1 {
			t.Errorf("payment %s: made %d times", id, n)
		}
	}
}

func TestRecord_noChatIsUndeliverableAtOnce(t *testing.T) {
	s, _ := open(t)
	x := newSale(0)
	m := x.message("delivery")
	m.Content = nil
	got := record(t, s, m)[0]
	if got.State != store.Undeliverable || got.Reason != "no_chat" || got.NextAt != nil {
		t.Errorf("got %+v", got.Notification)
	}
	out, _, err := s.OutcomesAfter(t.Context(), zero, 10)
	if err != nil || len(out) != 1 || out[0].Reason != "no_chat" || out[0].State != store.Undeliverable || out[0].PaymentID != m.PaymentID {
		t.Errorf("outcomes %+v, %v", out, err)
	}
	putBot(t, s, x)
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Errorf("claimed %+v", rows)
	}
}
