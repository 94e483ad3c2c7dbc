package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Feed is what one follower wants.
type Feed[T any] struct {
	After Cursor // where it stands; the zero Cursor delivers the log from its beginning
	Key   string // of Notify; empty is woken by every notification
	Batch int    // rows per read at most
	// Space is the least time between the beginnings of two reads, unless one was full: what commits meanwhile is read together, and after
	// a rest at once.
	Space time.Duration

	// Read returns the rows after the cursor, at most limit, in order, and the cursor of the last row that it looked at;
	// with nothing new it returns no rows and the cursor it was given. Its statement uses After and Order.
	Read func(ctx context.Context, after Cursor, limit int) ([]T, Cursor, error)
	// Deliver takes one read's rows; it is not called without rows. Only when it returns nil does the follower go on.
	Deliver func(ctx context.Context, rows []T) error
}

// Follow reads and delivers until ctx ends or one of the functions returns an error, and returns that error; it never
// returns nil. A follower that starts again from the cursor of the last row it took sees no row twice and misses none. It
// retries nothing: when the database is unavailable the error says so (pg.Unavailable) and the caller follows again.
func Follow[T any](ctx context.Context, l *Log, f Feed[T]) error {
	if l == nil || f.Read == nil || f.Deliver == nil || f.Batch < 1 {
		return errors.New("follow event log: log, read, deliver and a positive batch are needed")
	}
	// Waiting begins before the first read, so that what commits in between wakes us.
	wake, leave := l.waiters.join(f.Key)
	defer leave()
	if _, next, err := l.horizon(ctx); err != nil {
		return fmt.Errorf("follow %s: %w", l.channel, err)
	} else if f.After.XID > next {
		return fmt.Errorf("follow %s after %s: %w", l.channel, f.After, ErrCursorAhead)
	}
	poll := time.NewTimer(l.pause())
	defer poll.Stop()
	cursor := f.After
	for {
		began := time.Now()
		full, err := f.step(ctx, l, &cursor)
		if err != nil {
			return err
		}
		if full {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-poll.C:
		}
		if wait := f.Space - time.Since(began); wait > 0 {
			poll.Reset(wait)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-poll.C:
			}
		}
		poll.Reset(l.pause())
	}
}

// step is one read with its delivery; full means that there may be more at once.
func (f *Feed[T]) step(ctx context.Context, l *Log, cursor *Cursor) (full bool, err error) {
	rows, next, err := f.Read(ctx, *cursor, f.Batch)
	if err != nil {
		return false, fmt.Errorf("read %s after %s: %w", l.channel, cursor, err)
	}
	if order := next.Compare(*cursor); order < 0 || (order == 0 && len(rows) > 0) {
		return false, fmt.Errorf("read %s after %s: %d rows but the cursor went to %s", l.channel, cursor, len(rows), next)
	}
	if len(rows) > 0 {
		if err := f.Deliver(ctx, rows); err != nil {
			return false, err
		}
	}
	*cursor = next
	return len(rows) >= f.Batch, nil
}

// pause spreads the polls of followers that started together.
func (l *Log) pause() time.Duration {
	return l.poll - l.poll/10 + rand.N(l.poll/5+1)
}
