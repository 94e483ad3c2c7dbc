package telegram

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// clock is the time of the database, which stands still until it is moved: a sender is then as fast as it may be, however slow
// the machine is that tests it.
type clock struct {
	t     *testing.T
	admin *pgxpool.Pool

	mu    sync.Mutex
	now   time.Time
	moved int      // how often
	empty chan int // an empty claim that began after so many moves
}

// clocked is a pool whose now() is the clock's.
func clocked(t *testing.T, db *pgtest.DB) (*pgxpool.Pool, *clock) {
	t.Helper()
	c := &clock{t: t, admin: db.Admin(t), now: time.Now().UTC().Truncate(time.Millisecond), empty: make(chan int, 1)}
	c.exec(`CREATE SCHEMA clock;
		CREATE TABLE clock.hand (at timestamptz NOT NULL);
		CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM clock.hand';
		GRANT USAGE ON SCHEMA clock TO PUBLIC; GRANT SELECT ON clock.hand TO PUBLIC`)
	c.exec(`INSERT INTO clock.hand VALUES ('` + c.now.Format(time.RFC3339Nano) + `')`)
	cfg := db.Pool(t, store.Schema).Config()
	cfg.ConnConfig.RuntimeParams["search_path"] = "clock, " + store.Schema.Name + ", pg_catalog" // before the system's own now()
	cfg.ConnConfig.Tracer = c
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, c
}

func (c *clock) exec(sql string) {
	c.t.Helper()
	if _, err := c.admin.Exec(context.Background(), sql); err != nil {
		c.t.Fatal(err)
	}
}

// move lets time pass and returns how often that was.
func (c *clock) move(by time.Duration) int {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
	c.exec(`UPDATE clock.hand SET at = '` + c.now.Format(time.RFC3339Nano) + `'`)
	c.moved++
	return c.moved
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

type claimKey struct{}

const claimSQL = "SET state = 1, attempt = q.attempt + 1"

// TraceQueryStart and TraceQueryEnd are of statements that nobody watches.
func (c *clock) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (c *clock) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart notes after which move a claim begins, which is sent as a batch with its mode.
func (c *clock) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	if !slices.ContainsFunc(d.Batch.QueuedQueries, func(q *pgx.QueuedQuery) bool { return strings.Contains(q.SQL, claimSQL) }) {
		return ctx
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return context.WithValue(ctx, claimKey{}, c.moved)
}

// TraceBatchQuery tells of a claim that found nothing.
func (c *clock) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	moved, claim := ctx.Value(claimKey{}).(int)
	if !claim || !strings.Contains(d.SQL, claimSQL) || d.Err != nil || d.CommandTag.RowsAffected() > 0 {
		return
	}
	for {
		select {
		case c.empty <- moved:
			return
		default:
		}
		select {
		case <-c.empty: // an older one
		default:
		}
	}
}

func (c *clock) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// quiet returns when the sender has nothing left to do at this moment of the clock: a claim that began after the move came back
// empty, and no message is on its way.
func (c *clock) quiet(move int) {
	c.t.Helper()
	limit := time.NewTimer(90 * time.Second)
	defer limit.Stop()
	for {
		select {
		case began := <-c.empty:
			var sending int
			if err := c.admin.QueryRow(context.Background(), `SELECT count(*) FROM `+store.Schema.Name+`.telegram_queue WHERE state = 1`).Scan(&sending); err != nil {
				c.t.Fatal(err)
			}
			if began >= move && sending == 0 {
				return
			}
		case <-limit.C:
			c.t.Fatal("the sender does not come to rest")
		}
	}
}

// A thousand messages wait for one bot whose limit is Telegram's: the sender makes use of the limit from the first second to the last
// and never exceeds it, although each of its wake-ups comes late.
func TestSender_reachesTheLimit(t *testing.T) {
	const limit, waiting = 30, 1000
	const late = 20 * time.Millisecond // of each wake-up
	pool, c := clocked(t, pgtest.New(t, store.Schema))
	var sent []time.Time
	var mu sync.Mutex
	d := newDeskWith(t, pool, func(cfg *Config) { cfg.PerBot = limit })
	d.fake.answer = func(int64, int) string {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, c.time())
		return okay
	}
	busy := newShop()
	var all []store.Intent
	for chat := range int64(waiting) {
		all = append(all, d.intents(busy, 10_000+chat, 1)...)
	}
	for len(all) > 0 {
		n := min(500, len(all))
		d.record(all[:n]...)
		all = all[n:]
	}
	d.putBot(busy, "1:busy")
	move := c.move(time.Hour) // the rows' own times are the machine's: until now they are not due, and then all of them are
	for done := 0; done < waiting; {
		d.sender.Wake()
		c.quiet(move)
		wait, ok, err := d.store.Next(t.Context(), d.sender.pace)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		done = len(sent)
		mu.Unlock()
		if !ok && done < waiting {
			t.Fatalf("%d of %d are sent, and the sender foresees nothing", done, waiting)
		}
		move = c.move(wait + late)
	}
	span := sent[waiting-1].Sub(sent[0])
	rate := float64(waiting) / span.Seconds()
	t.Logf("%.1f messages a second of %d, for %v", rate, limit, span)
	if len(sent) != waiting || rate < 0.9*limit {
		t.Errorf("%d messages, %.1f a second; want %d and at least nine tenths of %d", len(sent), rate, waiting, limit)
	}
	for i := range sent {
		if j := i + limit; j < len(sent) && sent[j].Sub(sent[i]) < time.Second {
			t.Fatalf("%d messages within %v", limit+1, sent[j].Sub(sent[i]))
		}
		if j := i + 10*limit*9/10; j < len(sent) && sent[j].Sub(sent[i]) > 10*time.Second+late+d.sender.pace.Interval {
			t.Fatalf("after %v the next %d messages took %v", sent[i].Sub(sent[0]), j-i, sent[j].Sub(sent[i]))
		}
	}
}
