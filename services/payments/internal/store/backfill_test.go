package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestBackfill_wholeLife(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	key := Key{s.MerchantID, s.ID}
	f := Backfill{MerchantID: b.one.merchant, ID: uuid.New(), From: b.now.Add(-2 * time.Hour), To: b.now, Provider: "atomopay", AccountID: &b.one.account, CreatedAt: b.now}
	if n, err := b.CountTouched(t.Context(), f); err != nil || n != 1 {
		t.Fatalf("%d touched, %v", n, err)
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		_, created, err := b.StartBackfill(ctx, tx, f)
		if !created {
			t.Error("not created")
		}
		return err
	})
	claim := func(want int) []BackfillKey {
		t.Helper()
		got, err := b.ClaimBackfills(t.Context(), b.now, b.now.Add(10*time.Second))
		if err != nil || len(got) != want {
			t.Fatalf("claimed %v, %v; want %d", got, err, want)
		}
		return got
	}
	k := claim(1)[0]
	claim(0) // it is leased
	next, err := b.NextBackfillSales(t.Context(), k, b.now, 8)
	if err != nil || len(next) != 1 || next[0] != key {
		t.Fatalf("next %v, %v", next, err)
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error { return AskBackfillSales(ctx, tx, k, next, b.now) })
	b.set(Look{MerchantID: s.MerchantID, PaymentID: s.ID, AccountID: s.AccountID, Provider: s.Provider, CreatedAt: s.CreatedAt, DueAt: b.now})
	state := func() Backfill {
		t.Helper()
		if next, err := b.NextBackfillSales(t.Context(), k, b.now, 8); err != nil || len(next) != 0 {
			t.Fatalf("next %v, %v", next, err)
		}
		if err := b.EndStep(t.Context(), k, b.now); err != nil {
			t.Fatal(err)
		}
		got, err := b.GetBackfill(t.Context(), f.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := state(); got.State != "running" || got.Asked != 1 || got.Done != 0 {
		t.Errorf("before the look: %+v", got)
	}
	b.exec(`UPDATE payments.payments SET last_poll_at = $1, last_outcome = 'transient', state = 'paid'`, b.now.Add(time.Second))
	if got := state(); got.State != "done" || got.Done != 1 || got.Unanswered != 1 || got.Changed != 1 {
		t.Errorf("after it: %+v", got)
	}
	if err := b.CancelBackfill(t.Context(), f.ID, &f.MerchantID, b.now); err != nil {
		t.Fatal(err)
	}
	if got := state(); got.State != "done" {
		t.Errorf("cancelled after its end: %+v", got)
	}
	err = pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		_, _, err := b.StartBackfill(t.Context(), tx, Backfill{MerchantID: key.MerchantID, ID: uuid.New(), From: b.now, To: b.now.Add(1)})
		return err
	})
	if err == nil {
		t.Error("a time without a length was taken")
	}
	f.MerchantID[0]++
	err = pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error { _, _, err := b.StartBackfill(t.Context(), tx, f); return err })
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown merchant: %v", err)
	}
}

func TestBackfills_runningFirst(t *testing.T) {
	b := newBench(t)
	b.insert(b.sale(b.one, "a"))
	var ids []uuid.UUID
	for i, n := range []tenant{b.one, b.one, b.other} {
		f := Backfill{MerchantID: n.merchant, ID: uuid.New(), From: b.now.Add(time.Duration(-2*i-2) * time.Hour), To: b.now.Add(time.Duration(-2*i-1) * time.Hour), CreatedAt: b.now.Add(time.Duration(i) * time.Minute)}
		ids = append(ids, f.ID)
		b.must(func(ctx context.Context, tx pgx.Tx) error {
			_, _, err := b.StartBackfill(ctx, tx, f)
			return err
		})
	}
	if err := b.CancelBackfill(t.Context(), ids[1], &b.one.merchant, b.now); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of      *payment.MerchantID
		running bool
		want    []uuid.UUID
	}{{nil, false, []uuid.UUID{ids[2], ids[0], ids[1]}}, {&b.one.merchant, false, []uuid.UUID{ids[0], ids[1]}}, {&b.one.merchant, true, []uuid.UUID{ids[0]}}, {&b.other.merchant, true, []uuid.UUID{ids[2]}}} {
		list, err := b.Backfills(t.Context(), c.of, c.running)
		var got []uuid.UUID
		for _, x := range list {
			got = append(got, x.ID)
			if want, err := b.GetBackfill(t.Context(), x.ID, nil); err != nil || want.Total != x.Total || want.State != x.State || want.Done != x.Done {
				t.Errorf("listed %+v, is %+v (%v)", x, want, err)
			}
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("of %v, running %t: %v %v, want %v", c.of, c.running, got, err, c.want)
		}
	}
}
