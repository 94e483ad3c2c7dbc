package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errNoNesting is what a transaction of InTx answers to what no service does in one.
var errNoNesting = errors.New("not done in a transaction of pg.InTx")

// Begin refuses: a transaction within a transaction would hide which of them a statement belongs to.
func (f *flow) Begin(context.Context) (pgx.Tx, error) {
	return nil, fmt.Errorf("begin a savepoint: %w", errNoNesting)
}

// CopyFrom implements pgx.Tx.
func (f *flow) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if err := f.flush(ctx); err != nil {
		return 0, err
	}
	return f.conn.CopyFrom(ctx, table, columns, rows)
}

// LargeObjects implements pgx.Tx; there are none.
func (f *flow) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Prepare implements pgx.Tx.
func (f *flow) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if err := f.flush(ctx); err != nil {
		return nil, err
	}
	return f.conn.Prepare(ctx, name, sql)
}

// Conn implements pgx.Tx. What was put off has not run there.
func (f *flow) Conn() *pgx.Conn { return f.conn }

// lastRows are the rows of the last statement of a batch, which ends with them.
type lastRows struct {
	pgx.Rows
	results pgx.BatchResults
	err     error
}

func (r *lastRows) Close() {
	r.Rows.Close()
	if err := r.results.Close(); r.err == nil {
		r.err = err
	}
}

func (r *lastRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *lastRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

// noRows are the rows of a statement that could not be asked.
type noRows struct {
	pgx.Rows
	err error
}

func (r noRows) Close()                        {}
func (r noRows) Err() error                    { return r.err }
func (r noRows) CommandTag() pgconn.CommandTag { return pgconn.CommandTag{} }
func (r noRows) Next() bool                    { return false }
func (r noRows) Scan(...any) error             { return r.err }

func (r noRows) FieldDescriptions() []pgconn.FieldDescription { return nil }

// oneRow scans the first row and closes the rest.
type oneRow struct {
	rows pgx.Rows
	err  error
}

func (r oneRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// noResults are the results of a batch that could not be sent.
type noResults struct{ err error }

func (r noResults) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, r.err }
func (r noResults) Query() (pgx.Rows, error)         { return noRows{err: r.err}, r.err }
func (r noResults) QueryRow() pgx.Row                { return oneRow{err: r.err} }
func (r noResults) Close() error                     { return r.err }
func (r noResults) Tx() pgx.Tx                       { return nil }
