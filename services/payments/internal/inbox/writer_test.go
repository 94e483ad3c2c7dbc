package inbox

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// blocked waits until a statement waits for a lock.
func blocked(t *testing.T, db *pgtest.DB) {
	t.Helper()
	admin, ctx := db.Admin(t), within(t)
	for {
		var n int
		err := admin.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
	}
}

func TestPut_fullQueueIsRefusedAtOnce(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"webhooks": func(c *Config) { c.Writers, c.Queue, c.WriteTimeout = 1, 1, limit },
		"bytes":    func(c *Config) { c.Writers, c.QueueBytes, c.WriteTimeout = 1, MaxBody, limit },
	} {
		t.Run(name, func(t *testing.T) {
			db := pgtest.New(t, store.Schema)
			s := store.New(db.Pool(t, store.Schema))
			b := open(t, s, change)
			tx, err := db.Admin(t).Begin(within(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(within(t), `LOCK TABLE payments.webhooks IN ACCESS EXCLUSIVE MODE`); err != nil {
				t.Fatal(err)
			}
			var waiting sync.WaitGroup
			put := func(n int) {
				waiting.Go(func() {
					if _, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: append(make([]byte, MaxBody*2/3), byte(n))}); err != nil {
						t.Errorf("webhook %d: %v", n, err)
					}
				})
			}
			put(1)
			blocked(t, db)
			put(2)
			for b.group.Waiting() == 0 { // the second one waits behind the blocked writer
				if t.Failed() {
					t.FailNow()
				}
				runtime.Gosched()
			}
			// Whoever waited would wait for the table, until a deadline.
			_, err = b.Put(within(t), Webhook{Provider: "atomopay", Body: make([]byte, MaxBody*2/3)})
			if !errors.Is(err, ErrNotStored) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want ErrNotStored at once", err)
			}
			if err := tx.Rollback(within(t)); err != nil {
				t.Fatal(err)
			}
			waiting.Wait()
			if n := rows(t, s); n != 2 {
				t.Errorf("%d rows, want the two that were taken", n)
			}
			if _, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: make([]byte, MaxBody*2/3)}); err != nil {
				t.Errorf("with room again: %v", err)
			}
		})
	}
}

func TestPut_callersDeadlineIsKept(t *testing.T) {
	db := pgtest.New(t, store.Schema)
	b := open(t, store.New(db.Pool(t, store.Schema)), func(c *Config) { c.WriteTimeout = 300 * time.Millisecond })
	tx, err := db.Admin(t).Begin(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(within(t), `LOCK TABLE payments.webhooks IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
	defer cancel()
	_, err = b.Put(ctx, Webhook{Provider: "atomopay", Body: []byte("{}")})
	if !errors.Is(err, ErrNotStored) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("caller's deadline: got %v", err)
	}
	_, err = b.Put(within(t), Webhook{Provider: "atomopay", Body: []byte("[]")})
	if !errors.Is(err, ErrNotStored) {
		t.Errorf("the commit's own deadline: got %v", err)
	}
	if err := tx.Rollback(within(t)); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; { // a busy machine may need more than the commit's own deadline
		if _, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: []byte("{}")}); err == nil {
			break
		} else if time.Since(start) > limit {
			t.Fatalf("afterwards: %v", err)
		}
	}
}

func TestPut_databaseAwayAndBack(t *testing.T) {
	server := pgtest.Server(t, store.Schema)
	s := store.New(server.Pool(t, store.Schema))
	b := open(t, s, func(c *Config) { c.WriteTimeout = limit })
	var next, stored, refused atomic.Int64
	var posters sync.WaitGroup
	stop, hurt := make(chan struct{}), make(chan struct{})
	var once sync.Once
	for range 8 {
		posters.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: fmt.Appendf(nil, "%d", next.Add(1))})
				switch {
				case err == nil && !r.Duplicate:
					stored.Add(1)
				case errors.Is(err, ErrNotStored):
					refused.Add(1)
					once.Do(func() { close(hurt) })
				default:
					t.Errorf("%+v, %v", r, err)
				}
			}
		})
	}
	for stored.Load() < 50 && !t.Failed() {
		runtime.Gosched()
	}
	server.Stop(t)
	<-hurt
	close(stop)
	posters.Wait()
	if _, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: []byte("away")}); !errors.Is(err, ErrNotStored) {
		t.Errorf("database away: got %v", err)
	}
	server.Start(t)
	r, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: []byte("away")})
	if err != nil || r.Duplicate {
		t.Errorf("database back: got %+v, %v", r, err)
	}
	// A commit whose answer was lost may be there although its caller was told to send again; never the other way round.
	if n := int64(rows(t, s)); n < stored.Load()+1 || n > stored.Load()+refused.Load()+1 {
		t.Errorf("%d rows, but %d receipts and %d refusals", n, stored.Load()+1, refused.Load())
	}
}

func TestRun_writesWhatItTookAndNothingMore(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	b := closed(t, s, nil)
	const n = 50
	results := make(chan error, n)
	for i := range n {
		go func() {
			_, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: fmt.Appendf(nil, "%d", i)})
			results <- err
		}()
	}
	for b.group.Waiting() < n && !t.Failed() {
		runtime.Gosched()
	}
	stop := start(t, b)
	stop()
	for range n {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if got := rows(t, s); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
	if _, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: []byte("late")}); !errors.Is(err, ErrNotStored) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestCommit_oneBadRowHurtsNobodyElse(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	b := closed(t, s, func(c *Config) { c.Writers = 1 })
	var answers []chan error
	for i, body := range []string{"1", "2", "3"} {
		e, err := b.prepare(within(t), Webhook{Provider: "atomopay", Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			e.hook.SaleKey = "\x00" // what check should have stopped
		}
		answer := make(chan error, 1)
		go func() { answer <- b.group.Put(within(t), e) }()
		answers = append(answers, answer)
	}
	for b.group.Waiting() < len(answers) && !t.Failed() {
		runtime.Gosched()
	}
	start(t, b)
	for i, answer := range answers {
		if err := <-answer; (err != nil) != (i == 1) {
			t.Errorf("webhook %d: %v", i, err)
		}
	}
	if n := rows(t, s); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

// Those who read webhooks lock rows in their own order; a batch of copies that loses the deadlock is written again.
func TestCommit_survivesDeadlock(t *testing.T) {
	db := pgtest.New(t, store.Schema)
	s := store.New(db.Pool(t, store.Schema))
	b := closed(t, s, nil)
	offer := func() (batch []*entry, err error) {
		for _, body := range []string{"1", "2"} {
			e, err := b.prepare(within(t), Webhook{Provider: "atomopay", Body: []byte(body)})
			if err != nil {
				return nil, err
			}
			batch = append(batch, e)
		}
		return batch, b.commit(within(t), batch)
	}
	first, err := offer()
	if err != nil {
		t.Fatal(err)
	}
	digests := [][]byte{}
	for _, e := range first {
		digests = append(digests, e.hook.Digest)
	}
	slices.SortFunc(digests, slices.Compare)
	tx, err := s.Pool().Begin(within(t))
	if err != nil {
		t.Fatal(err)
	}
	const touch = `UPDATE webhooks SET reason = 'read' WHERE digest = $1`
	if _, err := tx.Exec(within(t), touch, digests[1]); err != nil {
		t.Fatal(err)
	}
	again := make(chan error, 1)
	var copies []*entry
	go func() {
		var err error
		copies, err = offer()
		again <- err
	}()
	blocked(t, db)
	_, err = tx.Exec(within(t), touch, digests[0]) // the circle is closed: the server ends one of the two
	if !conflict(err) && err != nil {
		t.Fatal(err)
	}
	if err == nil {
		err = tx.Commit(within(t))
	} else {
		err = tx.Rollback(within(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := <-again; err != nil {
		t.Fatal(err)
	}
	for i, e := range copies {
		if !e.receipt.Duplicate {
			t.Errorf("copy %d: %+v", i, e.receipt)
		}
	}
}
