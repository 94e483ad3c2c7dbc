// Package eventlog reads an append-only table as a log that loses nothing: followers go on from a cursor, over restarts
// and replicas, and see every row once and in one order, although transactions commit in another order than they began.
//
// A sequence number alone cannot do that: a transaction that drew number 7 may commit after a reader has passed 8. So each
// row also keeps the id of the transaction that wrote it, the order is (xid, seq), and a reader only sees rows older than
// every transaction still running (xid < pg_snapshot_xmin(pg_current_snapshot())); nothing can appear behind its cursor.
// The price: a write transaction that stays open holds back the rows of all later ones, so keep them short (pg.Open ends
// idle ones after 30 s).
//
// The table and its statements belong to the owner; this package offers the columns, the condition, the cursor, the wake-up
// and the loop. It refuses to write rows, to remember cursors for followers, and to filter.
//
// Transaction ids belong to one server: pg_basebackup, streaming replicas and pg_upgrade keep them, a restore from pg_dump
// does not. After such a restore Follow returns ErrCursorAhead instead of silently skipping what is new; the way out is
// to raise the new server's next transaction id above the old one (pg_resetwal) before the services start.
package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Columns are the two columns of a log table, for its migration; make (xid, seq), behind the tenant's column where there
// is one, the primary key or an index. Rows never name them on INSERT.
const Columns = `xid xid8 NOT NULL DEFAULT pg_current_xact_id(), seq bigint GENERATED ALWAYS AS IDENTITY`

// After is the condition of every read, with the cursor as parameters $1 and $2 (Cursor.XID, Cursor.Seq); Order completes
// it, and LIMIT $3 bounds it:
//
//	SELECT xid, seq, … FROM events WHERE ` + eventlog.After + ` AND … ORDER BY ` + eventlog.Order + ` LIMIT $3
const (
	After = `(xid, seq) > ($1::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())`
	Order = `xid, seq`
)

const defaultPoll = 2 * time.Second

// ErrCursorAhead means that a cursor lies in the database's future: it comes from another server, or this one was restored
// from a dump. Following it would skip events.
var ErrCursorAhead = errors.New("cursor is ahead of this database")

// Config says what a Log watches.
type Config struct {
	Pool    *pgxpool.Pool // of the table's owner; the listener opens one connection of its own with the same settings
	Channel string        // of NOTIFY: lower case letters, digits, underscores; one per log table
	Poll    time.Duration // how often a follower looks without being woken; 0 means 2 s
}

// Log wakes the followers of one table in this process. One connection listens, however many follow.
type Log struct {
	pool    *pgxpool.Pool
	channel string
	poll    time.Duration
	waiters waiters
}

// New checks c. Until Run is called, and whenever its connection is broken, followers find rows by polling alone.
func New(c Config) (*Log, error) {
	if c.Pool == nil {
		return nil, errors.New("event log: no pool given")
	}
	if !channelName.MatchString(c.Channel) {
		return nil, fmt.Errorf("event log channel %q: expected lower case letters, digits and underscores", c.Channel)
	}
	if c.Poll < 0 {
		return nil, fmt.Errorf("event log poll interval %s: expected a positive duration", c.Poll)
	}
	l := &Log{pool: c.Pool, channel: c.Channel, poll: c.Poll}
	if l.poll == 0 {
		l.poll = defaultPoll
	}
	return l, nil
}

const latestSQL = `SELECT pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmax(pg_current_snapshot())`

// Latest is the cursor of now: following it delivers every row whose transaction commits after this call began. A few rows
// committed just before may come too; none is lost.
func (l *Log) Latest(ctx context.Context) (Cursor, error) {
	low, _, err := l.horizon(ctx)
	if err != nil {
		return Cursor{}, fmt.Errorf("latest cursor of %s: %w", l.channel, err)
	}
	// Rows below low are visible already; identities begin at 1.
	return Cursor{XID: low, Seq: 0}, nil
}

// horizon is the oldest transaction still running and the first not yet begun.
func (l *Log) horizon(ctx context.Context) (low, next uint64, err error) {
	err = l.pool.QueryRow(ctx, latestSQL).Scan(&low, &next)
	return low, next, err
}

const notifySQL = `SELECT pg_notify($1, pg_current_xact_id()::text || ' ' || $2)`

// Notify wakes the followers of key, and those of no key, when tx commits; "" wakes all. Call it once per transaction and
// key, after the rows are inserted. It only makes followers faster: a lost notification is made good by polling.
func (l *Log) Notify(ctx context.Context, tx pgx.Tx, key string) error {
	if _, err := tx.Exec(ctx, notifySQL, l.channel, key); err != nil {
		return fmt.Errorf("notify %s: %w", l.channel, err)
	}
	return nil
}
