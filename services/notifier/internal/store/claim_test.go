package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

var zero eventlog.Cursor

func TestClaim_oneMessageOfAChatAtATime(t *testing.T) {
	s, _ := open(t)
	x := newSale(5)
	putBot(t, s, x)
	first, second := x.message("a"), x.message("b")
	record(t, s, first, second)
	rows := claim(t, s, 10, fast)
	if len(rows) != 1 || rows[0].ID != first.ID {
		t.Fatalf("claimed %+v, want the first alone", rows)
	}
	if more := claim(t, s, 10, fast); len(more) != 0 {
		t.Fatalf("claimed %+v beside it", more)
	}
	// Put off: the second one must not overtake.
	r := result(rows[0], store.Queued)
	r.Wait = time.Hour
	settle(t, s, nil, r)
	if more := claim(t, s, 10, fast); len(more) != 0 {
		t.Fatalf("the second message overtook the first: %+v", more)
	}
}

func TestClaim_chatIsQuietAfterAMessage(t *testing.T) {
	s, db := open(t)
	x := newSale(5)
	putBot(t, s, x)
	first, second := x.message("a"), x.message("b")
	record(t, s, first, second)
	r := result(claim(t, s, 10, fast)[0], store.Sent)
	r.Wait = time.Hour
	settle(t, s, nil, r)
	later := x.message("c")
	record(t, s, later)
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Fatalf("claimed %+v while the chat must be quiet", rows)
	}
	wait, ok, err := s.Next(t.Context(), fast)
	if err != nil || !ok || wait < 59*time.Minute || wait > time.Hour {
		t.Errorf("next in %v, %v, %v: want the end of the quiet", wait, ok, err)
	}
	// When the time has come both go, one after the other, and the mark is swept.
	exec(t, db, `UPDATE notifier.telegram_queue SET due_at = now() - interval '1 second'`)
	if n, err := s.Sweep(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	for _, want := range []uuid.UUID{second.ID, later.ID} {
		rows := claim(t, s, 10, fast)
		if len(rows) != 1 || rows[0].ID != want {
			t.Fatalf("claimed %+v, want %s", rows, want)
		}
		settle(t, s, nil, result(rows[0], store.Sent))
	}
}

func TestClaim_paceOfABot(t *testing.T) {
	s, db := open(t)
	x := newSale(0)
	putBot(t, s, x)
	var many []store.Intent
	for i := range 20 {
		x.chat = int64(100 + i)
		many = append(many, x.message(fmt.Sprint(i)))
	}
	record(t, s, many...)
	slow := store.Pace{Interval: time.Minute, Burst: 3, InFlight: 100}
	if n := len(claim(t, s, 10, slow)); n != 3 {
		t.Fatalf("claimed %d, want the burst of 3", n)
	}
	if n := len(claim(t, s, 10, slow)); n != 0 {
		t.Fatalf("claimed %d more at once", n)
	}
	wait, ok, err := s.Next(t.Context(), slow)
	if err != nil || !ok || wait < 55*time.Second || wait > time.Minute {
		t.Errorf("next in %v, %v, %v: want a minute", wait, ok, err)
	}
	exec(t, db, `UPDATE notifier.bots SET next_at = next_at - interval '90 seconds'`)
	if n := len(claim(t, s, 10, slow)); n != 1 {
		t.Errorf("claimed %d after one and a half intervals, want 1", n)
	}
	// Answers outstanding bound a bot, too: 4 are in flight now.
	if n := len(claim(t, s, 10, store.Pace{Interval: time.Microsecond, Burst: 100, InFlight: 6})); n != 0 {
		t.Errorf("claimed %d before the interval was over", n)
	}
	exec(t, db, `UPDATE notifier.bots SET next_at = now()`)
	if n := len(claim(t, s, 10, store.Pace{Interval: time.Microsecond, Burst: 100, InFlight: 6})); n != 2 {
		t.Errorf("claimed %d beside 4 in flight, want 2 of 6", n)
	}
}

func TestClaim_fairBetweenBots(t *testing.T) {
	s, _ := open(t)
	busy, rare := newSale(0), newSale(77)
	putBot(t, s, busy)
	putBot(t, s, rare)
	var many []store.Intent
	for i := range 50 {
		busy.chat = int64(100 + i)
		many = append(many, busy.message(fmt.Sprint(i)))
	}
	record(t, s, many...)
	record(t, s, rare.message("a"))
	got := map[uuid.UUID]int{}
	for _, m := range claim(t, s, 10, fast) {
		got[m.BotID]++
	}
	if got[rare.bot] != 1 || got[busy.bot] != 5 {
		t.Errorf("shares %v: want 1 of the rare bot, 5 of the busy one", got)
	}
}

func TestClaim_waitsForTheBot(t *testing.T) {
	s, _ := open(t)
	x := newSale(5)
	first := record(t, s, x.message("a"))[0]
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Fatalf("claimed %+v without a token", rows)
	}
	if got := states(t, s, first); got != "1no_bot/0/0 " {
		t.Errorf("states %q", got)
	}
	b := putBot(t, s, x)
	m := claim(t, s, 10, fast)[0]
	if m.BotVersion != b.Version {
		t.Errorf("version %d, want %d", m.BotVersion, b.Version)
	}
	refused := store.BotNotice{MerchantID: x.merchant, BotID: x.bot, Version: b.Version, Refused: true}
	settle(t, s, []store.BotNotice{refused}, result(m, store.Queued))
	if got := states(t, s, first); got != "1bot_unauthorized/0/1 " {
		t.Errorf("states %q", got)
	}
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Fatalf("claimed %+v of a refused bot", rows)
	}
	putBot(t, s, x)
	settle(t, s, []store.BotNotice{refused}) // late news about the old token
	rows := claim(t, s, 10, fast)
	if len(rows) != 1 || rows[0].Attempt != 2 {
		t.Fatalf("claimed %+v after PutBot", rows)
	}
	settle(t, s, []store.BotNotice{{MerchantID: x.merchant, BotID: x.bot, Version: rows[0].BotVersion, Wait: time.Hour}}, result(rows[0], store.Queued))
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Fatalf("claimed %+v of a paused bot", rows)
	}
	if wait, ok, err := s.Next(t.Context(), fast); err != nil || !ok || wait < 59*time.Minute {
		t.Errorf("next in %v, %v, %v: want the end of the pause", wait, ok, err)
	}
}

func TestUnclaim_putsBackUnseenMessages(t *testing.T) {
	s, _ := open(t)
	x := newSale(5)
	putBot(t, s, x)
	record(t, s, x.message("a"))
	name := uuid.New()
	if rows, err := s.Claim(t.Context(), name, 10, fast, time.Minute); err != nil || len(rows) != 1 {
		t.Fatalf("claimed %+v, %v", rows, err)
	}
	for range 2 {
		if err := s.Unclaim(t.Context(), []uuid.UUID{uuid.New(), name}); err != nil {
			t.Fatal(err)
		}
	}
	if rows := claim(t, s, 10, fast); len(rows) != 1 || rows[0].Attempt != 1 {
		t.Errorf("claimed %+v, want the message at its first attempt", rows)
	}
}

// The database's clock goes back an hour: what was due a moment ago, the bot's pace and a chat's quiet would all lie in the future.
func TestPullBack_messagesDoNotWaitForTheClock(t *testing.T) {
	s, db := open(t)
	x, y := newSale(5), newSale(6)
	y.merchant, y.bot = x.merchant, x.bot
	putBot(t, s, x)
	sent, waits := x.message("sent"), y.message("waits")
	record(t, s, sent)
	settle(t, s, nil, result(claim(t, s, 10, fast)[0], store.Sent))
	next := x.message("next") // in the chat that is quiet
	record(t, s, waits, next)
	exec(t, db, `UPDATE notifier.bots SET next_at = now() + interval '1 hour', paused_until = now() + interval '1 hour'`)
	exec(t, db, `UPDATE notifier.telegram_queue SET due_at = now() + interval '1 hour'`)
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Fatalf("claimed %+v ahead of the clock", rows)
	}
	if err := s.PullBack(t.Context(), 6*time.Hour); err != nil {
		t.Fatal(err)
	}
	if wait, ok, err := s.Next(t.Context(), fast); err != nil || !ok || wait > time.Minute {
		t.Fatalf("next in %v, %t, %v", wait, ok, err)
	}
	exec(t, db, `UPDATE notifier.bots SET paused_until = paused_until - interval '1 minute'`) // a minute passes
	exec(t, db, `UPDATE notifier.telegram_queue SET due_at = due_at - interval '1 minute'`)
	if rows := claim(t, s, 10, fast); len(rows) != 2 {
		t.Errorf("claimed %+v a minute later, want both", rows)
	}
	if err := s.PullBack(t.Context(), 6*time.Hour); err != nil { // and what is being sent stays with its sender
		t.Fatal(err)
	}
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Errorf("claimed %+v twice", rows)
	}
}
