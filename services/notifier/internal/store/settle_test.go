package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

func exec(t *testing.T, db *pgtest.DB, statement string) {
	t.Helper()
	if _, err := db.Admin(t).Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func outcomes(t *testing.T, s *store.Store) []store.Outcome {
	t.Helper()
	out, _, err := s.OutcomesAfter(t.Context(), zero, 100)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSettle_eachEnd(t *testing.T) {
	s, db := open(t)
	var (
		results []store.Result
		made    []store.Recorded
		want    = map[uuid.UUID]string{}
	)
	ends := []store.Result{{State: store.Sent, MessageID: 7}, {State: store.Undeliverable, Reason: "blocked"}, {State: store.MaybeSent, Reason: "timeout"},
		{State: store.Queued, Reason: "telegram_unavailable", Wait: time.Hour, ChatID: 99, Forbidden: true}}
	for i, end := range ends {
		x := newSale(int64(10 + i))
		putBot(t, s, x)
		r := record(t, s, x.message("delivery"))[0]
		made = append(made, r)
		m := claim(t, s, 1, fast)[0]
		end.MerchantID, end.ID, end.PaymentID, end.BotID, end.Attempt = m.MerchantID, m.ID, m.PaymentID, m.BotID, m.Attempt
		if end.ChatID == 0 {
			end.ChatID = m.ChatID
		}
		results = append(results, end)
		want[r.PaymentID] = []string{"2/7/1 ", "3blocked/0/1 ", "4timeout/0/1 ", "1telegram_unavailable/0/1 "}[i]
	}
	for range 2 { // the answer of the first commit may be lost
		settle(t, s, nil, results...)
	}
	for _, r := range made {
		if got := states(t, s, r); got != want[r.PaymentID] {
			t.Errorf("states %q, want %q", got, want[r.PaymentID])
		}
	}
	var got []string
	for _, o := range outcomes(t, s) {
		got = append(got, o.Reason+o.Kind+o.Traceparent)
	}
	if diff := cmp.Diff([]string{"deliverytrace of delivery", "blockeddeliverytrace of delivery", "timeoutdeliverytrace of delivery"}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	var contents, chat int
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT count(content), max(chat_id) FILTER (WHERE forbidden) FROM notifier.telegram_queue`).Scan(&contents, &chat); err != nil {
		t.Fatal(err)
	}
	if contents != 1 || chat != 99 {
		t.Errorf("%d contents are kept, moved chat %d: want the waiting message's content, and 99", contents, chat)
	}
}

func TestInterrupted_becomesMaybeSentAndMayBeCorrected(t *testing.T) {
	s, db := open(t)
	x := newSale(5)
	putBot(t, s, x)
	r := record(t, s, x.message("delivery"))[0]
	m := claim(t, s, 1, fast)[0]
	if n, err := s.Interrupted(t.Context(), 10); n != 0 || err != nil {
		t.Fatalf("%d, %v: the lease is not over", n, err)
	}
	exec(t, db, `UPDATE notifier.telegram_queue SET lease_until = now() - interval '1 second'`)
	if n, err := s.Interrupted(t.Context(), 10); n != 1 || err != nil {
		t.Fatalf("interrupted %d, %v", n, err)
	}
	if got := states(t, s, r); got != "4interrupted/0/1 " {
		t.Errorf("states %q", got)
	}
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Fatalf("sent again blindly: %+v", rows)
	}
	// The process was only slow: a refusal cannot be told from a doubt any more, a message id can.
	settle(t, s, nil, result(m, store.Undeliverable))
	settle(t, s, nil, result(m, store.Queued))
	if got := states(t, s, r); got != "4interrupted/0/1 " {
		t.Errorf("states %q after late news", got)
	}
	settle(t, s, nil, result(m, store.Sent))
	if got := states(t, s, r); got != "2/7/1 " {
		t.Errorf("states %q after the late message id", got)
	}
	if got := outcomes(t, s); len(got) != 2 || got[0].State != store.MaybeSent || got[1].State != store.Sent {
		t.Errorf("outcomes %+v", got)
	}
}

func TestGrants_historyCannotBeRewritten(t *testing.T) {
	s, db := open(t)
	x := newSale(5)
	record(t, s, x.event("a"))
	pool := db.Pool(t, store.Schema)
	for _, statement := range []string{
		`UPDATE notifications SET event = '{}'`, `UPDATE notifications SET key = 'x'`, `DELETE FROM notifications`,
		`UPDATE outcomes SET reason = ''`, `DELETE FROM outcomes`, `DELETE FROM bots`, `TRUNCATE notifications`,
	} {
		if _, err := pool.Exec(t.Context(), statement); err == nil {
			t.Errorf("%s: the role may do that", statement)
		}
	}
}

func TestTicket_oneUseOfItsMerchantInTime(t *testing.T) {
	s, db := open(t)
	merchant, bot := uuid.New(), uuid.New()
	if _, err := s.PutTicket(t.Context(), merchant, []byte("hash"), []uuid.UUID{bot}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TakeTicket(t.Context(), uuid.New(), []byte("hash")); err == nil {
		t.Error("another merchant took the ticket")
	}
	if got, err := s.TakeTicket(t.Context(), merchant, []byte("hash")); err != nil || len(got) != 1 || got[0] != bot {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := s.TakeTicket(t.Context(), merchant, []byte("hash")); err == nil {
		t.Error("the ticket was good twice")
	}
	if _, err := s.PutTicket(t.Context(), merchant, []byte("old"), nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	exec(t, db, `UPDATE notifier.stream_tickets SET expires_at = now() - interval '1 second'`)
	if _, err := s.TakeTicket(t.Context(), merchant, []byte("old")); err == nil {
		t.Error("an expired ticket was good")
	}
	if n, err := s.Sweep(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
}

func TestReading_byMerchant(t *testing.T) {
	s, _ := open(t)
	mine, other := newSale(5), newSale(6)
	putBot(t, s, mine)
	putBot(t, s, other)
	m, e := mine.message("delivery"), mine.event("paid")
	e.PaymentID = m.PaymentID
	record(t, s, m, e)
	record(t, s, other.event("paid"), other.message("delivery"))
	if list, err := s.List(t.Context(), other.merchant, m.PaymentID); err != nil || len(list) != 0 {
		t.Errorf("another merchant sees %+v, %v", list, err)
	}
	if list, err := s.List(t.Context(), mine.merchant, m.PaymentID); err != nil || len(list) != 2 || list[0].ID != m.ID || list[1].ID != e.ID {
		t.Errorf("its own merchant sees %+v, %v", list, err)
	}
	for merchant, want := range map[uuid.UUID]int{mine.merchant: 0, other.merchant: 1} {
		if missing, err := s.Untold(t.Context(), merchant, "delivery", []uuid.UUID{m.PaymentID}); err != nil || len(missing) != want {
			t.Errorf("untold: %v, %v; want %d", missing, err, want)
		}
	}
	if who, err := s.MerchantOf(t.Context(), m.PaymentID); err != nil || who != mine.merchant {
		t.Errorf("merchant %s, %v", who, err)
	}
	if _, err := s.MerchantOf(t.Context(), uuid.New()); err == nil {
		t.Error("an unknown payment has a merchant")
	}
	for bots, want := range map[*[]uuid.UUID]int{{}: 1, {mine.bot}: 1, {other.bot}: 0} {
		rows, next, err := s.MerchantEventsAfter(t.Context(), mine.merchant, *bots, zero, 10)
		if err != nil || len(rows) != want || want == 0 && next != zero {
			t.Errorf("bots %v: %d events to %s, %v; want %d", *bots, len(rows), next, err, want)
		}
	}
	all, next, err := s.EventsAfter(t.Context(), zero, 10)
	if err != nil || len(all) != 2 || string(all[0].JSON) != `{"id":"paid"}` {
		t.Errorf("all events %+v, %v", all, err)
	}
	if more, _, err := s.EventsAfter(t.Context(), next, 10); err != nil || len(more) != 0 {
		t.Errorf("after the last: %+v, %v", more, err)
	}
	foreign, err := s.ForeignBots(t.Context(), mine.merchant, []uuid.UUID{mine.bot, other.bot, uuid.New()})
	if err != nil || len(foreign) != 1 || foreign[0] != other.bot {
		t.Errorf("foreign bots %v, %v", foreign, err)
	}
	h, err := s.Health(t.Context(), &mine.merchant)
	if err != nil || h.Queued != 1 || h.OwnerEvents != 1 || h.OldestQueuedAt == nil || len(h.RefusedBots) != 0 {
		t.Errorf("health %+v, %v", h, err)
	}
	if h, err = s.Health(t.Context(), nil); err != nil || h.Queued != 2 || h.OwnerEvents != 2 {
		t.Errorf("health of all %+v, %v", h, err)
	}
}
