package store

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// bench is a store on a database of its own with two merchants of one bot each. Its clock stands still.
type bench struct {
	*Store
	t     *testing.T
	db    *pgtest.DB
	now   time.Time
	one   tenant
	other tenant
}

// tenant is a merchant with a bot and an account.
type tenant struct {
	merchant payment.MerchantID
	bot      payment.BotID
	account  payment.AccountID
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, db: pgtest.New(t, Schema), now: time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)}
	cfg := b.db.Pool(t, Schema).Config()
	cfg.ConnConfig.Tracer = seen
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	b.Store = New(pool)
	b.one, b.other = b.tenant("Loja"), b.tenant("Outra")
	return b
}

func (b *bench) tenant(name string) tenant {
	b.t.Helper()
	n := tenant{payment.MerchantID(uuid.New()), payment.BotID(uuid.New()), payment.AccountID(uuid.New())}
	if _, created, err := b.CreateMerchant(b.t.Context(), Merchant{ID: n.merchant, Name: name}); err != nil || !created {
		b.t.Fatal(created, err)
	}
	if _, err := b.PutBot(b.t.Context(), Bot{MerchantID: n.merchant, ID: n.bot, ExternalID: "35"}); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// sale is a pending sale of a tenant whose identifiers end in name.
func (b *bench) sale(n tenant, name string) Sale {
	return Sale{Payment: payment.Payment{ID: payment.ID(uuid.New()), MerchantID: n.merchant, State: payment.Pending, Amount: 1990,
		Currency: money.BRL, CreatedAt: b.now.Add(-time.Hour)}, BotID: n.bot, BotExternalID: "35", AccountID: n.account, Provider: "atomopay",
		EventCount: 1, SaleKey: "key-" + name, Charge: Charge{Hash: "Hash-" + name, ID: "Id-" + name, Reference: "Ref-" + name},
		ExternalID: "ext-" + name, IdempotencyKey: "idem-" + name, RequestHash: []byte(name), ProductName: "Curso",
		Tracking: json.RawMessage(`{}`), Campaign: "verao", UpdatedAt: b.now}
}

// bare is a sale that has no identifier but its own.
func (b *bench) bare(n tenant) Sale {
	s := b.sale(n, uuid.NewString())
	s.Charge, s.ExternalID, s.IdempotencyKey = Charge{}, "", ""
	return s
}

func (b *bench) tx(do func(context.Context, pgx.Tx) error) error {
	return pg.InTx(b.t.Context(), b.pool, func(tx pgx.Tx) error { return do(b.t.Context(), tx) })
}

func (b *bench) must(do func(context.Context, pgx.Tx) error) {
	b.t.Helper()
	if err := b.tx(do); err != nil {
		b.t.Fatal(err)
	}
}

// insert stores sales and fails the test when one of them is left out.
func (b *bench) insert(sales ...Sale) []Sale {
	b.t.Helper()
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		in, err := Insert(ctx, tx, sales)
		if err == nil && len(in) != len(sales) {
			err = fmt.Errorf("%d of %d sales inserted", len(in), len(sales))
		}
		return err
	})
	return sales
}

func key(s Sale) Key { return Key{s.MerchantID, s.ID} }

func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Admin(b.t).Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }
