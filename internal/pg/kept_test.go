package pg_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

// Statements of one connection are written in the same buffers: each must have arrived before the next is written, whatever their sizes are and
// however they are sent.
func TestOpen_statementsShareBuffers(t *testing.T) {
	db := pgtest.New(t, accounts)
	pool, err := pg.Open(t.Context(), pg.Config{DSN: db.DSN(), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	const echo = `SELECT $1::text || array_to_string($2::text[], ',') || $3::text || array_to_string($4::int[], ',')`
	args := func(n int) ([]any, string) {
		texts, numbers := make([]string, n), make([]int, n)
		for i := range n {
			texts[i], numbers[i] = strings.Repeat("x", i%100), n-i
		}
		var want strings.Builder
		want.WriteString("<" + strings.Join(texts, ",") + "|")
		for i, v := range numbers {
			if i > 0 {
				want.WriteByte(',')
			}
			want.WriteString(strconv.Itoa(v))
		}
		return []any{"<", texts, "|", numbers}, want.String()
	}
	for _, n := range []int{1, 3000, 2, 50, 5000, 0, 700, 1} {
		given, want := args(n)
		var got string
		if err := pool.QueryRow(t.Context(), echo, given...).Scan(&got); err != nil || got != want {
			t.Errorf("%d elements came back otherwise, error %v (-want +got):\n%s", n, err, cmp.Diff(want, got))
		}
		err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			b := &pgx.Batch{}
			var wants []string
			for _, n := range []int{n, 10, n / 2} {
				given, want := args(n)
				b.Queue(echo, given...)
				wants = append(wants, want)
			}
			results := tx.SendBatch(t.Context(), b)
			defer results.Close()
			for i, want := range wants {
				if err := results.QueryRow().Scan(&got); err != nil {
					return err
				}
				if got != want {
					t.Errorf("statement %d of a batch came back otherwise (-want +got):\n%s", i, cmp.Diff(want, got))
				}
			}
			return results.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A connection that broke is closed behind the caller's back: what the transaction still says on it, its rollback, must touch nothing of it.
func TestInTx_brokenConnectionIsLeftAlone(t *testing.T) {
	server := pgtest.Server(t, accounts)
	for range 3 {
		pool, err := pg.Open(t.Context(), pg.Config{DSN: server.DSN(), MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		numbers := make([]int, 10_000)
		var one, n int
		err = pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			if err := tx.QueryRow(t.Context(), `SELECT 1`).Scan(&one); err != nil {
				return err
			}
			server.Stop(t)
			if err := pg.ByKey.Set(t.Context(), tx); err != nil {
				return err
			}
			return tx.QueryRow(t.Context(), `SELECT cardinality($1::int[])`, numbers).Scan(&n)
		})
		if err == nil || one != 1 || n != 0 {
			t.Errorf("with the server gone: %v, read %d and %d", err, one, n)
		}
		pool.Close()
		server.Start(t)
	}
}
