package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/notifier/internal/store"
)

func direct(t *testing.T, s *store.Store, d store.Direct, intents ...store.Intent) ([]store.Recorded, []store.Message) {
	t.Helper()
	if d.Claim == uuid.Nil {
		d.Claim = uuid.New()
	}
	d.Lease = time.Minute
	out, rows, err := s.RecordAndClaim(t.Context(), intents, d)
	if err != nil {
		t.Fatal(err)
	}
	return out, rows
}

var atWill = store.Direct{Most: 100, Pace: fast}

func TestRecordAndClaim_isRecordAndClaim(t *testing.T) {
	s, db := open(t)
	x := newSale(5)
	putBot(t, s, x)
	e := x.event("payment_update:paid")
	m := x.message("delivery")
	out, rows := direct(t, s, atWill, e, m)
	if !out[0].Created || !out[1].Created || out[1].State != store.Queued || len(rows) != 1 {
		t.Fatalf("recorded %+v, claimed %+v", out, rows)
	}
	got := rows[0]
	if got.ID != m.ID || got.PaymentID != m.PaymentID || got.ChatID != 5 || string(got.Content) != "sealed" || got.Attempt != 1 ||
		got.BotVersion != 1 || got.Traceparent != m.Traceparent || !got.CreatedAt.Equal(out[1].CreatedAt) {
		t.Errorf("claimed %+v", got)
	}
	if more := claim(t, s, 10, fast); len(more) != 0 {
		t.Fatalf("claimed again: %+v", more)
	}
	// Recorded again it is not claimed again, on its way or sent.
	for range 2 {
		if out, rows := direct(t, s, atWill, m); out[0].Created || out[0].ID != m.ID || len(rows) != 0 {
			t.Fatalf("recorded %+v, claimed %+v", out, rows)
		}
		settle(t, s, nil, result(got, store.Sent))
	}
	if text := states(t, s, out[1]); text[:6] != "2/7/1 " {
		t.Errorf("states %q", text)
	}
	// One that nobody answers for is as doubtful as any other.
	y := newSale(6)
	putBot(t, s, y)
	out, _ = direct(t, s, atWill, y.message("delivery"))
	exec(t, db, `UPDATE notifier.telegram_queue SET lease_until = now() - interval '1 second' WHERE state = 1`)
	if n, err := s.Interrupted(t.Context(), 10); n != 1 || err != nil {
		t.Fatalf("interrupted %d, %v", n, err)
	}
	if text := states(t, s, out[0]); text != "4interrupted/0/1 " {
		t.Errorf("states %q", text)
	}
}

// What was told before undoes what was written beside it, once: the batch is written again, and its messages are claimed once.
func TestRecordAndClaim_amongWhatWasTold(t *testing.T) {
	s, db := open(t)
	x := newSale(1)
	putBot(t, s, x)
	old := x.event("paid")
	record(t, s, old)
	for i := range 2 { // the second time the store knows that there may be repeats
		x.chat = int64(10 + i)
		fresh, again := x.message(fmt.Sprint(i)), old
		again.ID = uuid.New()
		out, going := direct(t, s, atWill, fresh, again)
		if !out[0].Created || out[1].Created || out[1].ID != old.ID || len(going) != 1 || going[0].ID != fresh.ID {
			t.Fatalf("%d: recorded %+v, claimed %+v", i, out, going)
		}
	}
	var events, sending int
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT (SELECT count(*) FROM notifier.notifications WHERE channel = 2),
		(SELECT count(*) FROM notifier.telegram_queue WHERE state = 1)`).Scan(&events, &sending); err != nil || events != 1 || sending != 2 {
		t.Errorf("%d events and %d messages on their way, %v: want 1 and 2", events, sending, err)
	}
}

func TestRecordAndClaim_undone(t *testing.T) {
	s, _ := open(t)
	x := newSale(5)
	putBot(t, s, x)
	d := atWill
	d.Claim = uuid.New()
	if _, rows := direct(t, s, d, x.message("delivery")); len(rows) != 1 {
		t.Fatalf("claimed %+v", rows)
	}
	if err := s.Unclaim(t.Context(), []uuid.UUID{d.Claim}); err != nil {
		t.Fatal(err)
	}
	if rows := claim(t, s, 10, fast); len(rows) != 1 || rows[0].Attempt != 1 {
		t.Errorf("claimed %+v, want it as if for the first time", rows)
	}
}

func TestRecordAndClaim_leavesToTheQueue(t *testing.T) {
	chats := func(x sale, n int) (all []store.Intent) {
		for i := range n {
			x.chat = int64(100 + i)
			all = append(all, x.message(fmt.Sprint(i)))
		}
		return all
	}
	for _, c := range []struct {
		name string
		// prepare has a bot, and maybe something of it; what it returns is recorded.
		prepare func(*testing.T, *store.Store, sale) []store.Intent
		direct  store.Direct
		want    int // claimed
	}{
		{"more than the caller can send", func(_ *testing.T, _ *store.Store, x sale) []store.Intent { return chats(x, 5) }, store.Direct{Most: 2, Pace: fast}, 2},
		{"more than the bot may send", func(_ *testing.T, _ *store.Store, x sale) []store.Intent { return chats(x, 5) },
			store.Direct{Most: 100, Pace: store.Pace{Interval: time.Hour, Burst: 3, InFlight: 100}}, 3},
		{"more than the bot may have on its way", func(t *testing.T, s *store.Store, x sale) []store.Intent {
			direct(t, s, atWill, x.message("before"))
			return chats(x, 5)
		}, store.Direct{Most: 100, Pace: store.Pace{Interval: time.Microsecond, Burst: 1000, InFlight: 3}}, 2},
		{"what a bot sent before counts", func(t *testing.T, s *store.Store, x sale) []store.Intent {
			direct(t, s, store.Direct{Most: 1, Pace: store.Pace{Interval: time.Hour, Burst: 3, InFlight: 100}}, x.message("before"))
			return chats(x, 5)
		}, store.Direct{Most: 100, Pace: store.Pace{Interval: time.Hour, Burst: 3, InFlight: 100}}, 2},
		{"the second of a chat", func(_ *testing.T, _ *store.Store, x sale) []store.Intent {
			return []store.Intent{x.message("a"), x.message("b")}
		}, atWill, 1},
		{"a chat that is being told something", func(t *testing.T, s *store.Store, x sale) []store.Intent {
			direct(t, s, atWill, x.message("a"))
			return []store.Intent{x.message("b")}
		}, atWill, 0},
		{"a chat that must be quiet", func(t *testing.T, s *store.Store, x sale) []store.Intent {
			_, rows := direct(t, s, atWill, x.message("a"))
			r := result(rows[0], store.Sent)
			r.Wait = time.Hour
			settle(t, s, nil, r)
			return []store.Intent{x.message("b")}
		}, atWill, 0},
		{"a bot for which something waits", func(t *testing.T, s *store.Store, x sale) []store.Intent {
			y := x
			y.chat = 77
			record(t, s, y.message("a"))
			return []store.Intent{x.message("b")}
		}, atWill, 0},
		{"a bot that is refused", func(t *testing.T, s *store.Store, x sale) []store.Intent {
			settle(t, s, []store.BotNotice{{MerchantID: x.merchant, BotID: x.bot, Version: 1, Refused: true}})
			return []store.Intent{x.message("b")}
		}, atWill, 0},
		{"a bot that must wait", func(t *testing.T, s *store.Store, x sale) []store.Intent {
			settle(t, s, []store.BotNotice{{MerchantID: x.merchant, BotID: x.bot, Version: 1, Wait: time.Hour}})
			return []store.Intent{x.message("b")}
		}, atWill, 0},
		{"a bot that is not known", func(_ *testing.T, _ *store.Store, x sale) []store.Intent {
			return []store.Intent{sale{x.merchant, uuid.New(), 9}.message("b")}
		}, atWill, 0},
		{"what has no chat", func(_ *testing.T, _ *store.Store, x sale) []store.Intent {
			return []store.Intent{sale{x.merchant, x.bot, 0}.message("b")}
		}, atWill, 0},
		{"what the merchant has no text for", func(_ *testing.T, _ *store.Store, x sale) []store.Intent {
			m := x.message("in_review:1")
			m.Kind, m.Optional = "in_review", true
			return []store.Intent{m}
		}, atWill, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := open(t)
			x := newSale(5)
			putBot(t, s, x)
			intents := c.prepare(t, s, x)
			out, rows := direct(t, s, c.direct, intents...)
			if len(rows) != c.want {
				t.Errorf("claimed %d, want %d: %+v", len(rows), c.want, rows)
			}
			for i, m := range rows {
				if m.ID != intents[i].ID {
					t.Errorf("claimed %s, want the caller's order", m.ID)
				}
			}
			for i, r := range out {
				if !r.Created {
					t.Errorf("%d was not recorded", i)
				}
			}
		})
	}
}

// Whoever records, claims and settles at the same moment: a chat has one message on its way, and a bot what it may have.
func TestRecordAndClaim_concurrently(t *testing.T) {
	s, db := open(t)
	x := newSale(0)
	putBot(t, s, x)
	const chats, each, burst = 4, 30, 7
	pace := store.Pace{Interval: time.Hour, Burst: burst, InFlight: 1000}
	var mu sync.Mutex
	claimed := map[uuid.UUID]bool{}
	note := func(rows []store.Message) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range rows {
			if claimed[m.ID] {
				t.Errorf("%s was claimed twice", m.ID)
			}
			claimed[m.ID] = true
		}
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for i := range each {
				y := x
				y.chat = int64(1 + i%chats)
				_, rows, err := s.RecordAndClaim(context.Background(), []store.Intent{y.message(fmt.Sprint(i))},
					store.Direct{Claim: uuid.New(), Most: 1, Pace: pace, Lease: time.Minute})
				if err != nil {
					t.Error(err)
				}
				note(rows)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range each {
				rows, err := s.Claim(context.Background(), uuid.New(), 10, pace, time.Minute)
				if err != nil {
					t.Error(err)
				}
				note(rows)
			}
		})
	}
	wg.Wait()
	var busiest, sending int
	err := db.Admin(t).QueryRow(t.Context(), `SELECT max(n), sum(n) FROM (SELECT count(*) AS n FROM notifier.telegram_queue WHERE state = 1 GROUP BY chat_id) c`).Scan(&busiest, &sending)
	if err != nil {
		t.Fatal(err)
	}
	if busiest != 1 || sending != len(claimed) || sending == 0 || sending > burst {
		t.Errorf("%d on their way, %d of one chat, %d told: want at most one of each of %d chats and %d in all", sending, busiest, len(claimed), chats, burst)
	}
}

// A message that was recorded first and committed last is before one that has gone already: it waits for that one's answer and the quiet after it.
func TestClaim_behindWhatOvertookIt(t *testing.T) {
	s, db := open(t)
	x := newSale(5)
	putBot(t, s, x)
	record(t, s, x.message("slow"))
	exec(t, db, `UPDATE notifier.telegram_queue SET due_at = now() + interval '1 hour'`) // as if it were not seen yet
	exec(t, db, `INSERT INTO notifier.telegram_queue (merchant_id, notification_id, payment_id, bot_id, chat_id, state, content, attempt, lease_until)
		SELECT merchant_id, gen_random_uuid(), payment_id, bot_id, chat_id, 1, content, 1, now() + interval '1 hour' FROM notifier.telegram_queue`)
	exec(t, db, `UPDATE notifier.telegram_queue SET due_at = now() WHERE state = 0`)
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Fatalf("claimed %+v beside one that is on its way", rows)
	}
	var id, payment uuid.UUID
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT notification_id, payment_id FROM notifier.telegram_queue WHERE state = 1`).Scan(&id, &payment); err != nil {
		t.Fatal(err)
	}
	settle(t, s, nil, store.Result{MerchantID: x.merchant, ID: id, PaymentID: payment, BotID: x.bot, Attempt: 1, State: store.Sent, ChatID: 5, Wait: time.Hour})
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Fatalf("claimed %+v while the chat must be quiet", rows)
	}
}
