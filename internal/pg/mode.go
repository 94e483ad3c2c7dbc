package pg

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Mode is how the server treats the statements of one transaction, where its own choice is a poor one for them.
type Mode struct{ set string }

const byKey = `set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`

var (
	// ByKey is for statements that find each of their rows by an index, whatever they are asked with. They are planned once a connection and not
	// each time anew, which for one sale costs several times what the statement does; and never so that they read a table which happened to
	// be small when they were planned. It is not for statements whose filters may be absent.
	ByKey = Mode{`SELECT ` + byKey}

	// Indexed is ByKey for statements that also join what they were given with what they wrote, many with many: that is hashed.
	Indexed = Mode{`SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)`}

	// Lease is ByKey for a claim whose loss nothing suffers from: the server answers before it is on disk. Should it crash at once, the rows
	// are free again as they are when a lease ends. It is not for claims that forbid something, such as sending twice.
	Lease = Mode{`SELECT set_config('synchronous_commit', 'off', true), ` + byKey}
)

// Set lets the statements of a transaction run in a mode, for as long as it lasts. It costs no round trip in one of InTx.
func (m Mode) Set(ctx context.Context, tx pgx.Tx) error {
	_, err := Later(tx).Exec(ctx, m.set)
	return err
}

// Query asks one statement in a mode, in a transaction of its own and in one round trip. As with pgx, whoever gets rows closes them, and
// gets the error from them too.
func (m Mode) Query(ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) (pgx.Rows, error) {
	b := &pgx.Batch{}
	b.Queue(m.set) // up to its end a batch is one transaction
	b.Queue(sql, args...)
	results := pool.SendBatch(ctx, b)
	if _, err := results.Exec(); err != nil {
		err = also(err, results.Close())
		return noRows{err: err}, err
	}
	return last(results)
}
