package pg

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// repeatsCome is for how long rows may be known once some were: those who repeat what they may have written, because an answer was lost or a process
// died, have more than one thing to repeat.
const repeatsCome = time.Second

// Fresh writes rows that nearly always are new. An INSERT with ON CONFLICT looks for the key of each and marks it as one that may have to give way,
// a sixth of what it costs; without, the unique constraint says that a row is known, and the transaction is made again. The zero value is
// ready; it is safe for concurrent use.
type Fresh struct{ until atomic.Int64 }

// InTx is pg.InTx of a do that is told whether rows may be known, as by Do.
func (f *Fresh) InTx(ctx context.Context, pool *pgxpool.Pool, do func(tx pgx.Tx, known bool) error) error {
	return f.Do(func(known bool) error { return InTx(ctx, pool, func(tx pgx.Tx) error { return do(tx, known) }) })
}

// Do makes one transaction, which is told whether rows may be known. Where they may not, do inserts them as new and returns the violation
// of a unique constraint as it came, wrapped or not; nothing of it was written then, and do is called again, for rows that may be known. For one second after that
// they may be from the start.
func (f *Fresh) Do(do func(known bool) error) error {
	if !f.repeats(time.Now()) {
		err := do(false)
		if !IsUnique(err, "") {
			return err
		}
		f.seen(time.Now())
	}
	return do(true)
}

func (f *Fresh) seen(now time.Time) { f.until.Store(now.Add(repeatsCome).UnixNano()) }

func (f *Fresh) repeats(now time.Time) bool {
	left := f.until.Load() - now.UnixNano()
	return left > 0 && left <= int64(repeatsCome) // a clock that went back makes nobody careful for long
}
