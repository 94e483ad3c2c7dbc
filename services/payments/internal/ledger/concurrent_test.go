package ledger

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// deadlocks is how many transactions of this database PostgreSQL had to end because they waited in a circle. Its connections
// are closed for that, since each tells what it met at its end at the latest.
func (b *bench) deadlocks(db *pgtest.DB) (n int) {
	b.t.Helper()
	admin := db.Admin(b.t)
	b.store.Pool().Reset()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for open, limit := 1, time.After(90*time.Second); open > 0; {
		err := admin.QueryRow(b.t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&open)
		if err != nil {
			b.t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-limit:
			b.t.Fatalf("%d connections are still open", open)
		}
	}
	if err := admin.QueryRow(b.t.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestApply_manySalesInAnyOrderNeverWaitInACircle(t *testing.T) {
	b, db := newBenchDB(t)
	const sales, workers, rounds = 60, 8, 12
	var all []store.Sale
	for n := range sales {
		all = append(all, b.sale(n))
	}
	b.record(all...)
	var wg sync.WaitGroup
	errs := make(chan error, 3*workers*rounds)
	for w := range workers {
		wg.Go(func() { // events of many sales, in any order
			for range rounds {
				var entries []Entry
				for _, n := range rand.Perm(sales)[:sales/2] {
					entries = append(entries, b.reported(all[n], payment.StatusPending, 0), b.hint(all[n]))
				}
				_, err := b.ledger.Apply(context.Background(), entries)
				errs <- err
			}
		})
		wg.Go(func() { // looks that are claimed and given back meanwhile
			for range rounds {
				claimed, err := b.store.ClaimLooks(context.Background(), b.now.Add(time.Hour), []store.Share{{AccountID: b.account, Newest: 20, Oldest: 5, Lease: b.now.Add(time.Hour + time.Duration(w)*time.Millisecond)}})
				rand.Shuffle(len(claimed), func(i, j int) { claimed[i], claimed[j] = claimed[j], claimed[i] })
				errs <- err
				errs <- b.store.ReturnLooks(context.Background(), claimed)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := b.deadlocks(db); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
	for _, s := range all {
		b.history(s)
	}
}

func TestRecord_theSameImportTwiceAtOnce(t *testing.T) {
	b, db := newBenchDB(t)
	const sales = 200
	openings := func(backwards bool) (out []Opening) {
		for i := range sales {
			n := i
			if backwards {
				n = sales - 1 - i
			}
			s := b.sale(n)
			s.ID = payment.ID(uuid.New())
			out = append(out, Opening{Sale: s, Kind: payment.Imported, Source: payment.SourceImport})
		}
		return out
	}
	var wg sync.WaitGroup
	results := make([][]Recorded, 4)
	errs := make([]error, len(results))
	for i := range results {
		wg.Go(func() { results[i], errs[i] = b.ledger.Record(context.Background(), openings(i%2 == 1)) })
	}
	wg.Wait()
	created := 0
	ids := map[payment.ID]bool{}
	for i, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results[i] {
			if r.Err != nil {
				t.Errorf("refused: %v", r.Err)
			}
			ids[r.Sale.ID] = true
			if r.Created {
				created++
			}
		}
	}
	if created != sales || len(ids) != sales {
		t.Errorf("%d created, %d sales in the answers, want %d", created, len(ids), sales)
	}
	if n := b.deadlocks(db); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}
