package pg_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

const listNames = `SELECT name FROM entries ORDER BY name`

func names(ctx context.Context, q interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
}) ([]string, error) {
	rows, err := q.Query(ctx, listNames)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func TestLater_runsBeforeWhatIsAskedNext(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	undo := errors.New("enough")
	for name, ask := range map[string]func(tx pgx.Tx) ([]string, error){
		"query": func(tx pgx.Tx) ([]string, error) { return names(t.Context(), tx) },
		"row": func(tx pgx.Tx) (out []string, err error) {
			err = tx.QueryRow(t.Context(), `SELECT array_agg(name ORDER BY name) FROM entries`).Scan(&out)
			return out, err
		},
		"statement": func(tx pgx.Tx) ([]string, error) {
			tag, err := tx.Exec(t.Context(), listNames)
			if err == nil && tag.RowsAffected() != 2 {
				t.Errorf("the statement found %d rows, want 2", tag.RowsAffected())
			}
			return []string{"a", "b"}, err
		},
		"batch": func(tx pgx.Tx) ([]string, error) {
			b := &pgx.Batch{}
			b.Queue(listNames)
			results := tx.SendBatch(t.Context(), b)
			defer results.Close()
			rows, err := results.Query()
			if err != nil {
				return nil, err
			}
			return pgx.CollectRows(rows, pgx.RowTo[string])
		},
	} {
		err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			for _, n := range []string{"b", "a"} {
				if _, err := pg.Later(tx).Exec(t.Context(), insertEntry, n); err != nil {
					return err
				}
			}
			got, err := ask(tx)
			if d := cmp.Diff([]string{"a", "b"}, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
			return errors.Join(err, undo)
		})
		if err == nil || err.Error() != undo.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLater_runsWithTheCommit(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := pg.Later(tx).Exec(t.Context(), insertEntry, "a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := names(t.Context(), pool)
	if d := cmp.Diff([]string{"a"}, got); d != "" || err != nil {
		t.Errorf("committed (%v) (-want +got):\n%s", err, d)
	}
}

// A statement that was put off and fails undoes all, wherever its error comes out, and the connection is good for the next.
func TestLater_failureUndoesAll(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	if _, err := pool.Exec(t.Context(), insertEntry, "taken"); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func(tx pgx.Tx) error{
		"commit": func(pgx.Tx) error { return nil },
		"query":  func(tx pgx.Tx) error { _, err := names(t.Context(), tx); return err },
		"row":    func(tx pgx.Tx) error { var n int; return tx.QueryRow(t.Context(), `SELECT 1`).Scan(&n) },
		"swallowed": func(tx pgx.Tx) error { // whoever does not look at the error is told by the commit
			_, _ = tx.Exec(t.Context(), `SELECT 1`)
			return nil
		},
		"batch": func(tx pgx.Tx) error {
			b := &pgx.Batch{}
			b.Queue(`SELECT 1`)
			return tx.SendBatch(t.Context(), b).Close()
		},
	} {
		err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			for _, n := range []string{"fresh", "taken"} {
				if _, err := pg.Later(tx).Exec(t.Context(), insertEntry, n); err != nil {
					return err
				}
			}
			return ask(tx)
		})
		if name == "swallowed" {
			if !errors.Is(err, pgx.ErrTxCommitRollback) {
				t.Errorf("%s: error %v, want that of a commit that rolled back", name, err)
			}
		} else if !pg.IsUnique(err, "entries_name_key") {
			t.Errorf("%s: error %v, want a unique violation", name, err)
		}
		got, err := names(t.Context(), pool)
		if d := cmp.Diff([]string{"taken"}, got); d != "" || err != nil {
			t.Errorf("%s: left (%v) (-want +got):\n%s", name, err, d)
		}
	}
	if n := pool.Stat().TotalConns(); n != 1 {
		t.Errorf("%d connections, want the same one all the time", n)
	}
}

func TestInTx_withoutStatementsAsksNobody(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	var kept pgx.Tx
	if err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Later(kept).Exec(t.Context(), insertEntry, "a"); !errors.Is(err, pgx.ErrTxClosed) {
		t.Errorf("after the end: error %v, want that the transaction is over", err)
	}
	rows, err := kept.Query(t.Context(), listNames)
	if err == nil {
		rows.Close()
	}
	if !errors.Is(err, pgx.ErrTxClosed) {
		t.Errorf("after the end: error %v, want that the transaction is over", err)
	}
}

// Rows that are not read to their end leave the transaction usable.
func TestInTx_rowsLeftUnread(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT generate_series(1, 1000)`) // goes with the BEGIN
		if err != nil {
			return err
		}
		rows.Next()
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), insertEntry, "a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		var name string
		if err := tx.QueryRow(t.Context(), `SELECT name FROM entries WHERE name = 'nobody'`).Scan(&name); !errors.Is(err, pgx.ErrNoRows) {
			t.Errorf("no row: error %v, want pgx.ErrNoRows", err)
		}
		return tx.QueryRow(t.Context(), listNames).Scan(&name)
	})
	if err != nil {
		t.Error(err)
	}
}
