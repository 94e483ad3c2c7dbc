package prove

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bench is a ledger on a real database whose history is proved, and edited by hand in between.
type bench struct {
	t        testing.TB
	admin    *pgxpool.Pool
	store    *store.Store
	ledger   *ledger.Ledger
	now      time.Time
	merchant payment.MerchantID
	bot      payment.BotID
	n        int
}

func newBench(t testing.TB) *bench {
	t.Helper()
	db := pgtest.New(t, store.Schema)
	pool := db.Pool(t, store.Schema)
	b := &bench{t: t, admin: db.Admin(t), store: store.New(pool), now: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC), merchant: payment.MerchantID(uuid.New()),
		bot: payment.BotID(uuid.New())}
	var err error
	if b.ledger, err = ledger.New(ledger.Config{Pool: pool, Now: func() time.Time { return b.now }}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.store.CreateMerchant(t.Context(), store.Merchant{ID: b.merchant, Name: "Loja"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.PutBot(t.Context(), store.Bot{MerchantID: b.merchant, ID: b.bot, ExternalID: "35"}); err != nil {
		t.Fatal(err)
	}
	return b
}

// sale records a pending sale.
func (b *bench) sale() store.Key {
	b.t.Helper()
	b.n++
	s := store.Sale{Payment: payment.Payment{ID: payment.ID(uuid.New()), MerchantID: b.merchant, State: payment.Pending, Amount: 1990,
		Currency: money.BRL, CreatedAt: b.now.Add(-time.Minute)}, BotID: b.bot, AccountID: payment.AccountID(uuid.New()), Provider: "atomopay", SaleKey: fmt.Sprint("key", b.n),
		Charge: store.Charge{Hash: fmt.Sprint("h", b.n)}, RequestHash: []byte{1}, ProductName: "Curso", Tracking: json.RawMessage(`{}`), Campaign: "verao"}
	out, err := b.ledger.Record(b.t.Context(), []ledger.Opening{{Sale: s, Kind: payment.Registered, Source: payment.SourceAPI}})
	if err != nil || out[0].Err != nil {
		b.t.Fatal(err, out)
	}
	return store.Key{MerchantID: b.merchant, PaymentID: s.ID}
}

func (b *bench) apply(k store.Key, kind payment.Kind, status payment.Status) {
	b.t.Helper()
	b.now = b.now.Add(time.Second)
	e := ledger.Entry{Key: k, Event: payment.Event{Kind: kind, At: b.now, Source: payment.SourceSystem}}
	if kind == payment.Reported {
		price := money.Amount(1990)
		e.Event.Source, e.Event.Reading = payment.SourcePoll, &payment.Reading{Status: status, Amount: &price}
		e.Details = map[string]string{"status": status.String()}
		e.Look = &ledger.Look{StartedAt: b.now, Outcome: payment.OutcomeStatus}
	}
	if _, err := b.ledger.Apply(b.t.Context(), []ledger.Entry{e}); err != nil {
		b.t.Fatal(err)
	}
}

// sold is a sale that was paid, delivered and told, with nothing left to do.
func (b *bench) sold() store.Key {
	k := b.sale()
	b.apply(k, payment.Reported, payment.StatusPaid)
	b.apply(k, payment.TokenIssued, 0)
	b.apply(k, payment.MessageQueued, 0)
	b.apply(k, payment.MessageSent, 0)
	b.edit(`DELETE FROM effects WHERE payment_id = $1`, k.PaymentID)
	return k
}

func (b *bench) edit(statement string, args ...any) {
	b.t.Helper()
	err := pgx.BeginFunc(b.t.Context(), b.admin, func(tx pgx.Tx) error {
		if _, err := tx.Exec(b.t.Context(), "SET LOCAL search_path TO payments"); err != nil {
			return err
		}
		tag, err := tx.Exec(b.t.Context(), statement, args...)
		if err == nil && tag.RowsAffected() == 0 {
			err = errors.New("no row was edited")
		}
		return err
	})
	if err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
}

func (b *bench) prove() (Counts, []Found) { return b.proveWith(nil) }

func (b *bench) proveWith(l Leaves) (Counts, []Found) {
	b.t.Helper()
	var all []Found
	counts, err := Run(b.t.Context(), Config{Pool: b.store.Pool(), Leaves: l, Now: func() time.Time { return b.now },
		Policy: func(_ payment.MerchantID, _ payment.AccountID, provider string) (payment.Policy, payment.PollPolicy) {
			return payment.StandardPolicy(), payment.DefaultPolicy(provider)
		}}, nil, func(f []Found, _ Counts) error { all = append(all, f...); return nil })
	if err != nil {
		b.t.Fatal(err)
	}
	return counts, all
}

func newMerchant(b *bench) payment.MerchantID {
	b.t.Helper()
	m := payment.MerchantID(uuid.New())
	if _, _, err := b.store.CreateMerchant(b.t.Context(), store.Merchant{ID: m, Name: "Outra"}); err != nil {
		b.t.Fatal(err)
	}
	return m
}
