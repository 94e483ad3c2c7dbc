package store

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestHold_setsAsideAndGivesBackInOrder(t *testing.T) {
	b := newBench(t)
	s, other := b.insert(b.sale(b.one, "a"))[0], b.insert(b.sale(b.other, "b"))[0]
	l := b.look(b.one, "c", 0)
	l.MerchantID, l.PaymentID, l.AccountID = s.MerchantID, s.ID, s.AccountID
	b.set(l)
	b.enqueue(Effect{Key: key(s), Name: "deliver", Kind: "deliver", DueAt: b.now}, Effect{Key: key(other), Name: "deliver", Kind: "deliver", DueAt: b.now})
	for i, entries := range [][]HeldEntry{{{key(s), json.RawMessage(`1`)}, {key(s), json.RawMessage(`2`)}}, {{key(s), json.RawMessage(`3`)}}, nil} {
		b.must(func(ctx context.Context, tx pgx.Tx) error {
			return Hold(ctx, tx, []Unreadable{{key(s), "why"}}, entries, b.now.Add(time.Duration(i)*time.Minute))
		})
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error { return Hold(ctx, tx, nil, nil, b.now) })
	held, err := b.HeldSales(t.Context(), nil, Key{}, 10)
	if err != nil || len(held) != 1 || held[0].Key != key(s) || held[0].Why != "why" || !held[0].FoundAt.Equal(b.now) {
		t.Fatalf("held: %v, %v", held, err)
	}
	if held, err = b.HeldSales(t.Context(), nil, held[0].Key, 10); err != nil || len(held) != 0 {
		t.Errorf("behind the last: %v, %v", held, err)
	}
	for m, want := range map[payment.MerchantID]int64{b.one.merchant: 1, b.other.merchant: 0} {
		if n, sample, err := b.CountHeld(t.Context(), &m); err != nil || n != want || (sample == s.ID.String()) != (want == 1) {
			t.Errorf("held of a merchant: %d, %s, %v", n, sample, err)
		}
	}
	if got := b.effects("deliver", 10); len(got) != 1 || got[0].Key != key(other) {
		t.Errorf("due: %v", got)
	}
	if got, err := b.GetLook(t.Context(), key(s)); err != nil || !got.DueAt.After(b.now.Add(time.Hour)) {
		t.Errorf("look due %s, %v", got.DueAt, err)
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		got, err := ReleaseSale(ctx, tx, key(s), b.now)
		if err != nil || len(got) != 3 || string(got[0]) != "1" || string(got[1]) != "2" || string(got[2]) != "3" {
			t.Errorf("given back %s, %v", got, err)
		}
		got, err = ReleaseSale(ctx, tx, key(s), b.now)
		if err != nil || len(got) != 0 {
			t.Errorf("given back again: %s, %v", got, err)
		}
		return nil
	})
	if got := b.effects("deliver", 10); len(got) != 1 || got[0].Key != key(s) {
		t.Errorf("due after the release: %v", got)
	}
	if held, err = b.HeldSales(t.Context(), nil, Key{}, 10); err != nil || len(held) != 0 {
		t.Errorf("held after the release: %v, %v", held, err)
	}
}

func TestSales_thatCannotBeReadAreApart(t *testing.T) {
	b := newBench(t)
	good := b.insert(b.sale(b.one, "good"))[0]
	for name, facts := range map[string]string{"shape": `[]`, "type": `{"paid_amount": "x"}`, "time": `{"state_since": "ontem"}`, "no such day": `{"state_since": "2026-02-31T00:00:00Z"}`,
		"below zero": `{"paid_amount": -1}`, "extra": `{"extras": [{"amount": -1}]}`, "text": `"{}"`} {
		bad := b.insert(b.sale(b.one, name))[0]
		b.exec(`UPDATE payments.payments SET facts = $2 WHERE id = $1`, bad.ID, facts)
		sales, unread, err := b.Sales(t.Context(), []Key{key(good), key(bad)})
		if err != nil || len(sales) != 1 || len(unread) != 1 || unread[0].Key != key(bad) || unread[0].Why == "" {
			t.Errorf("%s: %d sales, apart %v, %v", name, len(sales), unread, err)
		}
		if _, err := b.Get(t.Context(), bad.ID, nil); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := b.StuckSales(t.Context(), Scope{Now: b.now}, time.Minute); err != nil {
			t.Errorf("%s: a report fails over one sale: %v", name, err)
		}
	}
}
