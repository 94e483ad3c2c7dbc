package pg_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

const settingsNow = `
SELECT unnest(ARRAY[current_setting('plan_cache_mode'), current_setting('enable_seqscan'), current_setting('synchronous_commit')])`

// settings are what holds for the next statement of a connection that nobody told anything.
func settings(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), settingsNow)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMode_holdsForItsOwnTransactionOnly(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	before := settings(t, pool)
	for _, c := range []struct {
		mode pg.Mode
		want []string
	}{
		{pg.ByKey, []string{"force_generic_plan", "off", before[2]}},
		{pg.Lease, []string{"force_generic_plan", "off", "off"}},
	} {
		rows, err := c.mode.Query(t.Context(), pool, settingsNow)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("a statement of its own (%v) (-want +got):\n%s", err, d)
		}
		err = pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			if err := c.mode.Set(t.Context(), tx); err != nil {
				return err
			}
			rows, err := tx.Query(t.Context(), settingsNow)
			if err != nil {
				return err
			}
			got, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("in a transaction (%v) (-want +got):\n%s", err, d)
		}
		if d := cmp.Diff(before, settings(t, pool)); d != "" {
			t.Errorf("what is left of it (-want +got):\n%s", d)
		}
	}
	if n := pool.Stat().TotalConns(); n != 1 {
		t.Fatalf("%d connections: this test must see what is left on the one that it used", n)
	}
}

func TestMode_whatIsWrittenStays(t *testing.T) {
	pool := pgtest.New(t, accounts).Pool(t, accounts)
	rows, err := pg.Lease.Query(t.Context(), pool, `INSERT INTO entries (name) VALUES ($1) RETURNING id`, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64]); err != nil {
		t.Fatal(err)
	}
	expectEntries(t, pool, 1)
	// The error of a statement comes with its rows, and the connection goes on.
	rows, err = pg.Lease.Query(t.Context(), pool, `INSERT INTO entries (name) VALUES ($1) RETURNING id`, "a")
	if err == nil {
		_, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	}
	if !pg.IsUnique(err, "entries_name_key") {
		t.Errorf("error %v, want a unique violation", err)
	}
	expectEntries(t, pool, 1)
	rows, err = pg.ByKey.Query(t.Context(), pool, `SELECT nothing`)
	if err == nil {
		t.Error("a statement that cannot be prepared gave no error")
	}
	if _, err := pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
		t.Error("rows of a statement that could not be asked gave no error")
	}
	expectEntries(t, pool, 1)
}
