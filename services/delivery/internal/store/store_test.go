package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// rig is a store on a database of its own.
type rig struct {
	*store.Store
	t    *testing.T
	ctx  context.Context
	pool *pgxpool.Pool
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	db := pgtest.New(t, store.Schema)
	pool := db.Pool(t, store.Schema)
	log, err := eventlog.New(eventlog.Config{Pool: pool, Channel: store.Channel, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.New(store.Config{Pool: pool, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return &rig{st, t, ctx, pool}
}

var (
	merchantA = sale.MerchantID(uuid.MustParse("01930000-0000-7000-8000-00000000000a"))
	merchantB = sale.MerchantID(uuid.MustParse("01930000-0000-7000-8000-00000000000b"))
	botOne    = sale.BotID(uuid.MustParse("01930000-0000-7000-8000-000000000b01"))
	botTwo    = sale.BotID(uuid.MustParse("01930000-0000-7000-8000-000000000b02"))
)

// draft is a link of a new sale of merchantA's botOne, changed by edit.
func draft(edit ...func(*store.Issue)) store.Issue {
	p := sale.PaymentID(uuid.Must(uuid.NewV7()))
	is := store.Issue{
		Key: sale.Key{Merchant: merchantA, Payment: p}, Bot: botOne, TokenVersion: 1, TokenHash: hashOf(p),
		ProductName: "Curso de violão", Amount: 1990, AccessURL: "https://t.me/+invented", PaidAt: time.Now().UTC(),
	}
	for _, e := range edit {
		e(&is)
	}
	return is
}

func hashOf(p sale.PaymentID) (h token.Hash) {
	copy(h[:], p[:])
	return h
}

func pageView(id string) func(*store.Issue) {
	return func(is *store.Issue) { is.Tracking.PageViewEventID = id }
}

func (r *rig) issue(is ...store.Issue) []store.Issued {
	r.t.Helper()
	out, err := r.IssueBatch(r.ctx, is)
	if err != nil {
		r.t.Fatalf("IssueBatch: %v", err)
	}
	return out
}

func (r *rig) open(is store.Issue) store.Opened {
	r.t.Helper()
	o, err := r.Open(r.ctx, is.TokenHash, store.Visit{ClientIP: "203.0.113.7", UserAgent: "Phone/1"})
	if err != nil {
		r.t.Fatalf("Open: %v", err)
	}
	return o
}

func (r *rig) get(k sale.Key) store.Delivery {
	r.t.Helper()
	d, err := r.ByPayment(r.ctx, &k.Merchant, k.Payment)
	if err != nil {
		r.t.Fatalf("ByPayment: %v", err)
	}
	return d
}

func (r *rig) putPixel(m sale.MerchantID, b sale.BotID, id string) {
	r.t.Helper()
	if _, err := r.PutPixel(r.ctx, store.Pixel{Merchant: m, Bot: b, PixelID: id, SealedToken: []byte("sealed " + id)}); err != nil {
		r.t.Fatalf("PutPixel: %v", err)
	}
}

func (r *rig) claim(limit int, lease time.Duration) []store.Claim {
	r.t.Helper()
	out, err := r.ClaimPurchases(r.ctx, limit, lease)
	if err != nil {
		r.t.Fatalf("ClaimPurchases: %v", err)
	}
	return out
}

func (r *rig) write(results ...store.Result) {
	r.t.Helper()
	if err := r.WriteResults(r.ctx, results); err != nil {
		r.t.Fatalf("WriteResults: %v", err)
	}
}

// settle waits until the log shows all that was written: transactions of other tests on the same server hold it back.
func (r *rig) settle() {
	r.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		var all bool
		err := r.pool.QueryRow(r.ctx, `
SELECT NOT EXISTS (SELECT FROM outcomes WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()))`).Scan(&all)
		if err != nil {
			r.t.Fatalf("wait for the log: %v", err)
		}
		if all {
			return
		}
		<-tick.C
	}
}

// kinds are the outcomes of a sale in log order.
func (r *rig) kinds(k sale.Key) []store.OutcomeKind {
	r.t.Helper()
	r.settle()
	all, _, err := r.Outcomes(r.ctx, eventlog.Cursor{}, 10_000, &k.Merchant)
	if err != nil {
		r.t.Fatalf("Outcomes: %v", err)
	}
	var out []store.OutcomeKind
	for _, o := range all {
		if o.Payment == k.Payment {
			out = append(out, o.Kind)
		}
	}
	return out
}

func (r *rig) exec(statement string, args ...any) {
	r.t.Helper()
	if _, err := r.pool.Exec(r.ctx, statement, args...); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

func second[T any](_ T, err error) error { return err }

func keyOf(m sale.MerchantID, is store.Issue) sale.Key {
	return sale.Key{Merchant: m, Payment: is.Payment}
}
