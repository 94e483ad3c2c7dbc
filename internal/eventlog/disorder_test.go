package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
)

// Writers that begin in one order and commit in another, some of which roll back, against followers over two replicas that
// are cut off at random and go on from the last row they took: none lost, none doubled, all in the same order.
func TestFollow_nothingLostNothingDoubled(t *testing.T) {
	const (
		writers, transactions = 12, 60
		followers             = 6
	)
	f := listening(t, 100*time.Millisecond)
	other := fixture{db: f.db, pool: f.db.Pool(t, schema)}
	other.log = newLog(t, other.pool, 100*time.Millisecond)
	run(t, other.log)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	written := make(chan map[int64]bool, 1)
	go func() { written <- writeInDisorder(ctx, t, f, writers, transactions) }()

	finished := make(chan struct{})
	var (
		all = make([][]event, followers)
		cut = make([]int, followers)
		wg  sync.WaitGroup
	)
	for i := range followers {
		wg.Go(func() {
			all[i], cut[i] = followWithCuts(ctx, t, []fixture{f, other}, finished)
		})
	}
	want := <-written
	close(finished)
	wg.Wait()
	cuts := 0
	for i, events := range all {
		cuts += cut[i]
		compare(t, i, events, want)
		for j := range min(len(events), len(all[0])) {
			if events[j] != all[0][j] {
				t.Fatalf("follower %d has %v at place %d, follower 0 has %v", i, events[j], j, all[0][j])
			}
		}
	}
	t.Logf("%d events, %d followers cut off %d times", len(want), followers, cuts)
	if cuts < followers {
		t.Errorf("only %d cuts: the test did not test reconnecting", cuts)
	}
}

func compare(t *testing.T, follower int, events []event, want map[int64]bool) {
	t.Helper()
	seen := map[int64]bool{}
	for i, e := range events {
		if seen[e.n] {
			t.Fatalf("follower %d saw event %d twice", follower, e.n)
		}
		if !want[e.n] {
			t.Fatalf("follower %d saw event %d, which was never committed", follower, e.n)
		}
		if i > 0 && events[i-1].at.Compare(e.at) >= 0 {
			t.Fatalf("follower %d saw %s before %s", follower, events[i-1].at, e.at)
		}
		seen[e.n] = true
	}
	if lost := len(want) - len(seen); lost != 0 {
		t.Errorf("follower %d lost %d of %d events", follower, lost, len(want))
	}
}

// writeInDisorder returns what was committed.
func writeInDisorder(ctx context.Context, t *testing.T, f fixture, writers, transactions int) map[int64]bool {
	var (
		mu        sync.Mutex
		committed = map[int64]bool{}
		wg        sync.WaitGroup
	)
	for w := range writers {
		wg.Go(func() {
			for i := range transactions {
				first := int64(w*transactions+i) * 3
				numbers := []int64{first, first + 1, first + 2}[:1+rand.IntN(3)]
				err := pg.InTx(ctx, f.pool, func(tx pgx.Tx) error {
					if err := insert(ctx, f.log, tx, fmt.Sprint("owner", w), numbers...); err != nil {
						return err
					}
					if rand.IntN(10) == 0 {
						return errRollBack
					}
					_, err := tx.Exec(ctx, `SELECT pg_sleep($1)`, rand.Float64()/100)
					return err
				})
				if errors.Is(err, errRollBack) {
					continue
				}
				if err != nil {
					t.Errorf("write: %v", err)
					return
				}
				mu.Lock()
				for _, n := range numbers {
					committed[n] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return committed
}

var (
	errRollBack = errors.New("roll back")
	errCutOff   = errors.New("cut off")
)

// followWithCuts follows one replica or the other, cut off after a random number of rows, in the middle of a batch, too, and
// going on from the last row it took. When the writers are done it reads what is left.
func followWithCuts(ctx context.Context, t *testing.T, replicas []fixture, finished <-chan struct{}) (events []event, cuts int) {
	var cursor eventlog.Cursor
	for ctx.Err() == nil {
		f := replicas[rand.IntN(len(replicas))]
		session, end := context.WithCancel(ctx)
		go func() {
			select {
			case <-finished:
			case <-session.Done():
			}
			end()
		}()
		left := 1 + rand.IntN(20)
		err := eventlog.Follow(session, f.log, eventlog.Feed[event]{
			After: cursor, Batch: 1 + rand.IntN(7), Read: reader(f.pool, ""),
			Deliver: func(_ context.Context, rows []event) error {
				for _, e := range rows {
					events = append(events, e)
					cursor = e.at
					if left--; left == 0 {
						return errCutOff
					}
				}
				return nil
			},
		})
		end()
		select {
		case <-finished:
			return append(events, theRest(ctx, t, f, cursor)...), cuts
		default:
		}
		cuts++
		if !errors.Is(err, errCutOff) {
			t.Errorf("follow: %v", err)
			return events, cuts
		}
	}
	return events, cuts
}

// theRest is what lies between the cursor and the end, when nobody writes any more.
func theRest(ctx context.Context, t *testing.T, f fixture, cursor eventlog.Cursor) []event {
	end, err := f.log.Latest(ctx)
	if err != nil {
		t.Errorf("latest: %v", err)
	}
	rest, last, err := reader(f.pool, "")(ctx, cursor, 100_000)
	if err != nil {
		t.Errorf("read the rest: %v", err)
	}
	if last.Compare(end) > 0 {
		t.Errorf("a row at %s lies behind the latest cursor %s", last, end)
	}
	return rest
}
