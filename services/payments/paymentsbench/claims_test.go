package paymentsbench

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestClaims_takeWhatIsDueByIndexes(t *testing.T) {
	db := pgtest.New(t, store.Schema)
	admin, err := pgxpool.New(t.Context(), db.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	c, err := Open(t.Context(), db.DSN(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Fill(t.Context(), 5000, 250); err != nil {
		t.Fatal(err)
	}
	reads, err := c.Explain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(reads.Whole) > 0 || !slices.Contains(reads.Indexes, "looks_due") || reads.Blocks == 0 {
		t.Errorf("a claim reads %+v, want indexes alone", reads)
	}
	all := 0
	for {
		n, err := c.Claim(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		all += n
	}
	if all != 250 {
		t.Errorf("%d claimed, want the 250 that were due", all)
	}
}
