package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// flow is the transaction that InTx gives to its callers. It keeps what needs no answer of its own until something does, and sends all of it
// at once: the BEGIN goes with the first statement, what Later put off with the next one or with the COMMIT. A transaction that waits for
// the server five times instead of fifteen holds its locks that much shorter.
type flow struct {
	conn   *pgx.Conn
	begun  bool
	closed bool
	queued []*pgx.QueuedQuery
}

// Later is tx for statements whose results nobody needs: Exec sends nothing and returns an empty tag, which tells nothing of rows. The
// statements run in their order before whatever is asked of tx next, at the latest with its commit, and their errors come from there.
// Everything but Exec is as with tx. A tx that is not of InTx is returned as it is.
func Later(tx pgx.Tx) pgx.Tx {
	if f, ok := tx.(*flow); ok {
		return later{f}
	}
	return tx
}

type later struct{ *flow }

func (l later) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if l.closed {
		return pgconn.CommandTag{}, pgx.ErrTxClosed
	}
	l.queued = append(l.queued, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	return pgconn.CommandTag{}, nil
}

// waiting is a batch of what must go before the next statement.
func (f *flow) waiting() *pgx.Batch {
	b := &pgx.Batch{}
	if !f.begun {
		b.Queue("begin")
		f.begun = true
	}
	b.QueuedQueries, f.queued = append(b.QueuedQueries, f.queued...), nil
	return b
}

// send sends a batch and reads the answers of its first statements.
func (f *flow) send(ctx context.Context, b *pgx.Batch, first int) (pgx.BatchResults, error) {
	results := f.conn.SendBatch(ctx, b)
	for range first {
		if _, err := results.Exec(); err != nil {
			return nil, also(err, results.Close())
		}
	}
	return results, nil
}

// also is an error with what closing its results said, where that is news.
func also(err, closing error) error {
	if closing == nil || closing.Error() == err.Error() {
		return err
	}
	return errors.Join(err, closing)
}

// last are the rows of the last statement of a batch, which is closed with them.
func last(results pgx.BatchResults) (pgx.Rows, error) {
	rows, err := results.Query()
	if err != nil {
		err = also(err, results.Close())
		return noRows{err: err}, err
	}
	return &lastRows{Rows: rows, results: results}, nil
}

// flush sends what waits.
func (f *flow) flush(ctx context.Context) error {
	if f.closed {
		return pgx.ErrTxClosed
	}
	if f.begun && len(f.queued) == 0 {
		return nil
	}
	b := f.waiting()
	results, err := f.send(ctx, b, b.Len())
	if err != nil {
		return err
	}
	return results.Close()
}

// Exec implements pgx.Tx.
func (f *flow) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if f.closed {
		return tag, pgx.ErrTxClosed
	}
	if f.begun && len(f.queued) == 0 {
		return f.conn.Exec(ctx, sql, args...)
	}
	b := f.waiting()
	first := b.Len()
	b.Queue(sql, args...)
	results, err := f.send(ctx, b, first)
	if err != nil {
		return tag, err
	}
	if tag, err = results.Exec(); err != nil {
		return tag, also(err, results.Close())
	}
	return tag, results.Close()
}

// Query implements pgx.Tx.
func (f *flow) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if f.closed {
		return noRows{err: pgx.ErrTxClosed}, pgx.ErrTxClosed
	}
	if f.begun && len(f.queued) == 0 {
		return f.conn.Query(ctx, sql, args...)
	}
	b := f.waiting()
	first := b.Len()
	b.Queue(sql, args...)
	results, err := f.send(ctx, b, first)
	if err != nil {
		return noRows{err: err}, err
	}
	return last(results)
}

// QueryRow implements pgx.Tx.
func (f *flow) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := f.Query(ctx, sql, args...)
	return oneRow{rows, err}
}

// SendBatch implements pgx.Tx.
func (f *flow) SendBatch(ctx context.Context, theirs *pgx.Batch) pgx.BatchResults {
	if f.closed || f.begun && len(f.queued) == 0 {
		return f.conn.SendBatch(ctx, theirs)
	}
	b := f.waiting()
	first := b.Len()
	b.QueuedQueries = append(b.QueuedQueries, theirs.QueuedQueries...)
	results, err := f.send(ctx, b, first)
	if err != nil {
		return noResults{err}
	}
	return results
}

// Commit implements pgx.Tx.
func (f *flow) Commit(ctx context.Context) error {
	if f.closed {
		return pgx.ErrTxClosed
	}
	if !f.begun && len(f.queued) == 0 {
		f.closed = true // nothing was asked, so there is nothing to end
		return nil
	}
	tag, err := f.Exec(ctx, "commit")
	if err != nil {
		return err // Rollback ends what did not end
	}
	f.closed = true
	if tag.String() == "ROLLBACK" {
		return pgx.ErrTxCommitRollback
	}
	return nil
}

// Rollback implements pgx.Tx. What was put off is dropped.
func (f *flow) Rollback(ctx context.Context) error {
	if f.closed {
		return pgx.ErrTxClosed
	}
	f.closed, f.queued = true, nil
	if !f.begun {
		return nil
	}
	if _, err := f.conn.Exec(ctx, "rollback"); err != nil {
		_ = f.conn.Close(ctx) // in which state it is nobody knows
		return err
	}
	return nil
}
