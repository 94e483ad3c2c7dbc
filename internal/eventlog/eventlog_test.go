package eventlog_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// schema is an owner as delivery or notifier would be: its migration takes the columns, its statement the condition.
var schema = pg.Schema{Name: "loud", Role: "baixa_test_loud", FS: fstest.MapFS{
	"00001_events.sql": {Data: []byte(`-- +goose Up
CREATE TABLE events (
    ` + eventlog.Columns + `,
    owner text NOT NULL,
    n     bigint NOT NULL,
    PRIMARY KEY (xid, seq)
);
GRANT SELECT, INSERT ON events TO baixa_test_loud;
`)},
}}

const (
	insertSQL = `INSERT INTO events (owner, n) VALUES ($1, $2)`
	readSQL   = `SELECT xid, seq, owner, n FROM events WHERE ` + eventlog.After + ` ORDER BY ` + eventlog.Order + ` LIMIT $3`
	mineSQL   = `SELECT xid, seq, owner, n FROM events WHERE ` + eventlog.After + ` AND owner = $4 ORDER BY ` + eventlog.Order + ` LIMIT $3`
)

type event struct {
	at    eventlog.Cursor
	owner string
	n     int64
}

func reader(pool *pgxpool.Pool, owner string) func(context.Context, eventlog.Cursor, int) ([]event, eventlog.Cursor, error) {
	return func(ctx context.Context, after eventlog.Cursor, limit int) ([]event, eventlog.Cursor, error) {
		sql, args := readSQL, []any{after.XID, after.Seq, limit}
		if owner != "" {
			sql, args = mineSQL, append(args, owner)
		}
		rows, err := pool.Query(ctx, sql, args...)
		if err != nil {
			return nil, after, err
		}
		found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e event, err error) {
			err = r.Scan(&e.at.XID, &e.at.Seq, &e.owner, &e.n)
			return e, err
		})
		if err != nil || len(found) == 0 {
			return nil, after, err
		}
		return found, found[len(found)-1].at, nil
	}
}

type fixture struct {
	db   *pgtest.DB
	pool *pgxpool.Pool
	log  *eventlog.Log
}

// listening returns a log whose listener runs until the test ends. With a poll of an hour, what arrives was woken.
func listening(t *testing.T, poll time.Duration) fixture {
	t.Helper()
	db := pgtest.New(t, schema)
	f := fixture{db: db, pool: db.Pool(t, schema)}
	f.log = newLog(t, f.pool, poll)
	run(t, f.log)
	awaitListener(t, db)
	return f
}

func newLog(t *testing.T, pool *pgxpool.Pool, poll time.Duration) *eventlog.Log {
	t.Helper()
	l, err := eventlog.New(eventlog.Config{Pool: pool, Channel: "loud_events", Poll: poll})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func run(t *testing.T, l *eventlog.Log) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run returned %v, want its context's error", err)
			}
		case <-time.After(90 * time.Second):
			t.Error("Run did not end with its context")
		}
	})
}

// awaitListener waits until a connection of this database listens.
func awaitListener(t *testing.T, db *pgtest.DB) {
	t.Helper()
	admin := db.Admin(t)
	const sql = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE '% listen' AND query LIKE 'LISTEN%' AND state = 'idle'`
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for n := 0; n == 0; {
		if err := admin.QueryRow(ctx, sql).Scan(&n); err != nil {
			t.Fatalf("nobody listens: %v", err)
		}
	}
}

// follow runs a follower that sends every row to the channel until the test ends.
func follow(t *testing.T, f fixture, after eventlog.Cursor, owner string) <-chan event {
	t.Helper()
	rows := make(chan event, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- eventlog.Follow(ctx, f.log, eventlog.Feed[event]{
			After: after, Key: owner, Batch: 3, Read: reader(f.pool, owner),
			Deliver: func(_ context.Context, batch []event) error {
				for _, e := range batch {
					rows <- e
				}
				return nil
			},
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow returned %v, want its context's error", err)
		}
	})
	return rows
}

func write(t *testing.T, f fixture, owner string, numbers ...int64) {
	t.Helper()
	err := pg.InTx(t.Context(), f.pool, func(tx pgx.Tx) error { return insert(t.Context(), f.log, tx, owner, numbers...) })
	if err != nil {
		t.Fatal(err)
	}
}

func insert(ctx context.Context, l *eventlog.Log, tx pgx.Tx, owner string, numbers ...int64) error {
	for _, n := range numbers {
		if _, err := tx.Exec(ctx, insertSQL, owner, n); err != nil {
			return err
		}
	}
	return l.Notify(ctx, tx, owner)
}

func expect(t *testing.T, rows <-chan event, want ...int64) (last eventlog.Cursor) {
	t.Helper()
	for i, n := range want {
		select {
		case e := <-rows:
			if e.n != n {
				t.Fatalf("event %d is %d, want %d of %v", i, e.n, n, want)
			}
			last = e.at
		case <-time.After(90 * time.Second):
			t.Fatalf("event %d of %v did not come", i, want)
		}
	}
	return last
}

func TestFollow_fromBeginningThenLive(t *testing.T) {
	f := listening(t, time.Hour)
	write(t, f, "ana", 1, 2, 3, 4, 5, 6, 7) // more than two batches of three
	rows := follow(t, f, eventlog.Cursor{}, "")
	at := expect(t, rows, 1, 2, 3, 4, 5, 6, 7)
	write(t, f, "ana", 8)
	expect(t, rows, 8)

	again := follow(t, f, at, "")
	expect(t, again, 8)
}

func TestFollow_fromLatestSkipsThePast(t *testing.T) {
	f := listening(t, time.Hour)
	write(t, f, "ana", 1, 2)
	latest, err := f.log.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, f, "ana", 3)
	expect(t, follow(t, f, latest, ""), 3)
}

// A transaction that began first and commits last holds the later one back; neither is lost and the order is theirs. The
// poll is an hour away, so the look after the notification must have done it.
func TestFollow_earlierTransactionCommitsLater(t *testing.T) {
	f := listening(t, time.Hour)
	rows := follow(t, f, eventlog.Cursor{}, "")
	ctx := t.Context()
	slow, err := f.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Rollback(ctx)
	if err := insert(ctx, f.log, slow, "slow", 1); err != nil {
		t.Fatal(err)
	}
	write(t, f, "fast", 2)
	// Give a wrong follower its chance: what is visible now must be nothing.
	if got, _, err := reader(f.pool, "")(ctx, eventlog.Cursor{}, 10); err != nil || len(got) != 0 {
		t.Fatalf("%d rows (%v) are visible while an older transaction runs", len(got), err)
	}
	if err := slow.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	expect(t, rows, 1, 2)
}

// The older transaction writes nothing to the log and so notifies nobody when it ends.
func TestFollow_heldBackByStranger(t *testing.T) {
	f := listening(t, time.Hour)
	rows := follow(t, f, eventlog.Cursor{}, "")
	ctx := t.Context()
	stranger, err := f.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Rollback(ctx)
	if _, err := stranger.Exec(ctx, `SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	write(t, f, "ana", 1)
	if err := stranger.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	expect(t, rows, 1)
}

func TestFollow_rolledBackRowsNeverCome(t *testing.T) {
	f := listening(t, time.Hour)
	rows := follow(t, f, eventlog.Cursor{}, "")
	wrong := errors.New("changed my mind")
	err := pg.InTx(t.Context(), f.pool, func(tx pgx.Tx) error {
		return errors.Join(insert(t.Context(), f.log, tx, "ana", 1), wrong)
	})
	if !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	write(t, f, "ana", 2)
	expect(t, rows, 2)
}

func TestFollow_onlyOwnKey(t *testing.T) {
	f := listening(t, time.Hour)
	ana, bia := follow(t, f, eventlog.Cursor{}, "ana"), follow(t, f, eventlog.Cursor{}, "bia")
	write(t, f, "ana", 1)
	write(t, f, "bia", 2)
	write(t, f, "ana", 3)
	expect(t, ana, 1, 3)
	expect(t, bia, 2)
}

func TestFollow_pollsWithoutListener(t *testing.T) {
	db := pgtest.New(t, schema)
	f := fixture{db: db, pool: db.Pool(t, schema)}
	f.log = newLog(t, f.pool, 5*time.Millisecond) // Run is never called
	rows := follow(t, f, eventlog.Cursor{}, "")
	write(t, f, "ana", 1)
	expect(t, rows, 1)
}

func TestRun_listensAgainAfterLostConnection(t *testing.T) {
	f := listening(t, time.Hour)
	rows := follow(t, f, eventlog.Cursor{}, "")
	write(t, f, "ana", 1)
	expect(t, rows, 1)
	const kill = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE '% listen'`
	var killed int
	if err := f.db.Admin(t).QueryRow(t.Context(), kill).Scan(&killed); err != nil || killed != 1 {
		t.Fatalf("%d listeners killed (%v), want 1", killed, err)
	}
	write(t, f, "ana", 2) // while nobody listens
	expect(t, rows, 2)    // seen when the new connection stands
	awaitListener(t, f.db)
	write(t, f, "ana", 3)
	expect(t, rows, 3)
}

func TestFollow_errors(t *testing.T) {
	f := listening(t, time.Hour)
	write(t, f, "ana", 1, 2)
	deliver := func(context.Context, []event) error { return nil }
	refused := errors.New("socket closed")
	good := reader(f.pool, "")
	for _, c := range []struct {
		name string
		feed eventlog.Feed[event]
		want error
	}{
		{"deliver refuses", eventlog.Feed[event]{Batch: 1, Read: good, Deliver: func(context.Context, []event) error { return refused }}, refused},
		{"read refuses", eventlog.Feed[event]{Batch: 1, Deliver: deliver, Read: func(_ context.Context, c eventlog.Cursor, _ int) ([]event, eventlog.Cursor, error) {
			return nil, c, refused
		}}, refused},
		{"cursor of a future", eventlog.Feed[event]{After: eventlog.Cursor{XID: 1 << 40}, Batch: 1, Read: good, Deliver: deliver}, eventlog.ErrCursorAhead},
		{"cursor stands still", eventlog.Feed[event]{Batch: 1, Deliver: deliver, Read: func(_ context.Context, c eventlog.Cursor, _ int) ([]event, eventlog.Cursor, error) {
			return make([]event, 1), c, nil
		}}, nil},
		{"cursor goes back", eventlog.Feed[event]{After: eventlog.Cursor{XID: 3, Seq: 1}, Batch: 1, Deliver: deliver, Read: func(_ context.Context, _ eventlog.Cursor, _ int) ([]event, eventlog.Cursor, error) {
			return make([]event, 1), eventlog.Cursor{XID: 2, Seq: 9}, nil
		}}, nil},
		{"no batch", eventlog.Feed[event]{Read: good, Deliver: deliver}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			err := eventlog.Follow(ctx, f.log, c.feed)
			if err == nil || ctx.Err() != nil || (c.want != nil && !errors.Is(err, c.want)) {
				t.Errorf("Follow returned %v, want %v", err, c.want)
			}
		})
	}
}

func TestNew_refusesBadConfig(t *testing.T) {
	pool := pgtest.New(t, schema).Pool(t, schema)
	for _, c := range []eventlog.Config{
		{Channel: "loud"},
		{Pool: pool},
		{Pool: pool, Channel: "loud; DROP TABLE events"},
		{Pool: pool, Channel: "Loud"},
		{Pool: pool, Channel: "loud", Poll: -time.Second},
	} {
		if _, err := eventlog.New(c); err == nil {
			t.Errorf("New(%+v) succeeded", c.Channel)
		}
	}
}

// What commits within Space is read together, and after a rest at once.
func TestFollow_spaceBetweenReads(t *testing.T) {
	const space = 300 * time.Millisecond
	f := listening(t, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	reads, rows, ended := make(chan time.Time, 100), make(chan event, 100), make(chan error, 1)
	read, start := reader(f.pool, ""), time.Now()
	go func() {
		ended <- eventlog.Follow(ctx, f.log, eventlog.Feed[event]{Batch: 100, Space: space,
			Read: func(ctx context.Context, after eventlog.Cursor, limit int) ([]event, eventlog.Cursor, error) {
				reads <- time.Now()
				return read(ctx, after, limit)
			},
			Deliver: func(_ context.Context, all []event) error {
				for _, e := range all {
					rows <- e
				}
				return nil
			}})
	}()
	<-reads
	for n := range int64(20) {
		write(t, f, "a", n)
	}
	for range 20 {
		<-rows
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Follow returned %v, want its context's error", err)
	}
	close(reads)
	least := space // a machine may be late with what a read notes, but no read comes before its time
	for at := range reads {
		if passed := at.Sub(start); passed < least {
			t.Errorf("a read came %v after the beginning, want at least %v", passed, least)
		}
		least += space
	}
}
