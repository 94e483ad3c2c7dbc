package store_test

import (
	"fmt"
	"testing"
	"time"

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
