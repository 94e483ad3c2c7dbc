package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// The queue is empty most of the time, and a statement that is planned then would read all of it for each bot when a burst comes.
func TestClaim_plannedOverAnEmptyQueueStillUsesIndexes(t *testing.T) {
	db := pgtest.New(t, store.Schema)
	pool := db.Pool(t, store.Schema)
	s, err := store.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	admin := db.Admin(t)
	scans := func() (whole, index int64) {
		t.Helper()
		err := admin.QueryRow(t.Context(), `SELECT seq_scan, COALESCE(idx_scan, 0) FROM pg_stat_all_tables WHERE relid = 'notifier.telegram_queue'::regclass`).Scan(&whole, &index)
		if err != nil {
			t.Fatal(err)
		}
		return whole, index
	}
	exec(t, db, `VACUUM ANALYZE notifier.telegram_queue`)
	slow := store.Pace{Interval: time.Hour, Burst: 1, InFlight: 100}
	for range 7 { // the server decides on the plan that it keeps after five
		claim(t, s, 10, slow)
		if _, _, err := s.Next(t.Context(), slow); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sweep(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
	var all []store.Intent
	for bot := range 10 {
		x := newSale(0)
		putBot(t, s, x)
		for i := range 5 {
			x.chat = int64(100*bot + i + 1)
			all = append(all, x.message(fmt.Sprint(i)))
		}
	}
	record(t, s, all...)
	if rows := claim(t, s, 100, slow); len(rows) != 10 {
		t.Fatalf("claimed %d, want one of each bot", len(rows))
	}
	if _, _, err := s.Next(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	before, _ := scans() // of VACUUM, ANALYZE and others
	pool.Close()         // its connections tell what they did
	deadline := time.Now().Add(time.Minute)
	for {
		whole, index := scans()
		if whole > before {
			t.Fatalf("the queue was read as a whole %d times", whole-before)
		}
		if index >= 50 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the connections told of %d index scans", index)
		}
		if _, err := admin.Exec(t.Context(), `SELECT pg_sleep(0.02)`); err != nil {
			t.Fatal(err)
		}
	}
}

// The same for whatever else a message goes through: with many in the queue each is found without reading the others.
func TestSettle_plannedOverAnEmptyQueueReadsNothingElse(t *testing.T) {
	db := pgtest.New(t, store.Schema)
	pool := db.Pool(t, store.Schema)
	s, err := store.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, `VACUUM ANALYZE notifier.telegram_queue`)
	x := newSale(1)
	none := store.Message{MerchantID: x.merchant, ID: uuid.New(), PaymentID: uuid.New(), BotID: x.bot, ChatID: 1, Attempt: 1}
	for range 7 {
		claim(t, s, 10, fast)
		settle(t, s, nil, result(none, store.Sent))
	}
	const bots, messages = 100, 400
	var sellers []sale
	for range bots {
		seller := sale{x.merchant, uuid.New(), 0}
		putBot(t, s, seller)
		sellers = append(sellers, seller)
	}
	var ends []store.Result
	for round := range messages / bots {
		var all []store.Intent
		for i := range bots {
			seller := sellers[i]
			seller.chat = int64(bots*round + i + 1)
			all = append(all, seller.message("delivery"))
		}
		record(t, s, all...)
		for _, m := range claim(t, s, bots, fast) {
			ends = append(ends, result(m, store.Sent))
		}
	}
	for range 20 { // with one bot that has something to say
		seller := sellers[0]
		seller.chat = int64(messages + len(ends))
		record(t, s, seller.message("delivery"))
		ends = append(ends, result(claim(t, s, 1, fast)[0], store.Sent))
	}
	settle(t, s, nil, ends...)
	pool.Close() // its connections tell what they did
	admin := db.Admin(t)
	most := map[string]int64{"notifications": 3 * messages, "telegram_queue": 20 * messages, "bots": 20 * bots}
	deadline := time.Now().Add(time.Minute)
	for table, limit := range most {
		for told := false; !told; {
			var n, settled int64
			if err := admin.QueryRow(t.Context(), `SELECT sum(COALESCE(idx_tup_fetch, 0) + seq_tup_read) FILTER (WHERE relname = $1), sum(n_tup_upd) FILTER (WHERE relname = 'notifications')
				FROM pg_stat_all_tables WHERE schemaname = 'notifier'`, table).Scan(&n, &settled); err != nil {
				t.Fatal(err)
			}
			if told = settled == int64(len(ends)); told && n > limit {
				t.Errorf("%d rows of %s were read for %d messages, want at most %d", n, table, len(ends), limit)
			}
			if !told && time.Now().After(deadline) {
				t.Fatalf("the connections told of %d settled messages of %d", settled, len(ends))
			}
			if told {
				t.Logf("%s: %d rows read", table, n)
			} else if _, err := admin.Exec(t.Context(), `SELECT pg_sleep(0.02)`); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// One merchant's bots that wait must not be taken each with all the others to find those that cannot send.
func TestWaiting_asksForEachBotOnce(t *testing.T) {
	db := pgtest.New(t, store.Schema)
	pool := db.Pool(t, store.Schema)
	s, err := store.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	const merchants, bots, looks = 8, 320, 10
	var ids [merchants]uuid.UUID
	for i := range ids {
		ids[i] = uuid.New()
	}
	var all []store.Intent
	for i := range bots {
		seller := sale{ids[i%merchants], uuid.New(), int64(i + 1)}
		putBot(t, s, seller)
		all = append(all, seller.message("delivery"))
	}
	record(t, s, all...)
	exec(t, db, `VACUUM ANALYZE notifier.telegram_queue`)
	for range looks {
		if moved, told, err := s.Waiting(t.Context(), 10, time.Minute); moved+told != 0 || err != nil {
			t.Fatalf("%d moved, %d told of, %v", moved, told, err)
		}
		if _, _, err := s.Next(t.Context(), fast); err != nil {
			t.Fatal(err)
		}
	}
	pool.Close()
	admin, deadline := db.Admin(t), time.Now().Add(time.Minute)
	for {
		var n, lanes int64
		if err := admin.QueryRow(t.Context(), `SELECT sum(COALESCE(idx_tup_fetch, 0) + seq_tup_read) FILTER (WHERE relname = 'bots'), sum(idx_scan) FILTER (WHERE relname = 'telegram_queue')
			FROM pg_stat_all_tables WHERE schemaname = 'notifier'`).Scan(&n, &lanes); err != nil {
			t.Fatal(err)
		}
		if lanes >= looks*bots {
			if n > 4*looks*bots {
				t.Errorf("%d rows of bots were read for %d looks at %d bots, want at most four times each", n, looks, bots)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the connections told of %d looks into the queue", lanes)
		}
		if _, err := admin.Exec(t.Context(), `SELECT pg_sleep(0.02)`); err != nil {
			t.Fatal(err)
		}
	}
}
