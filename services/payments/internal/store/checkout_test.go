package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func (b *bench) page(name string, due time.Duration) (Sale, Look) {
	b.t.Helper()
	s := b.sale(b.one, name)
	s.PageKey = strings.Repeat("k", 40) + name
	s.Charge.CopyPaste = "0002"
	b.insert(s)
	l := Look{MerchantID: s.MerchantID, PaymentID: s.ID, AccountID: s.AccountID, Provider: s.Provider, CreatedAt: s.CreatedAt, DueAt: b.now.Add(due), Reason: "young"}
	b.set(l)
	return s, l
}

func TestCheckout_byItsKeyAlone(t *testing.T) {
	b := newBench(t)
	s, l := b.page("a", time.Minute)
	without := b.insert(b.sale(b.one, "b"))[0] // has no page
	got, err := b.Checkout(t.Context(), s.PageKey)
	if err != nil || got.ID != s.ID || got.Seller != "Loja" || got.BuyerUntil != nil || got.PageKey != s.PageKey {
		t.Errorf("got %+v, %v", got, err)
	}
	l.BuyerUntil = ptr(b.now.Add(time.Hour))
	b.set(l)
	if got, err = b.Checkout(t.Context(), s.PageKey); err != nil || got.BuyerUntil == nil || !got.BuyerUntil.Equal(*l.BuyerUntil) {
		t.Errorf("the buyer waits until %v, %v", got.BuyerUntil, err)
	}
	for _, key := range []string{"", s.SaleKey, without.SaleKey, strings.ToUpper(s.PageKey), s.PageKey + "x", "' OR true"} {
		if _, err := b.Checkout(t.Context(), key); !errors.Is(err, ErrNotFound) {
			t.Errorf("key %q: %v", key, err)
		}
	}
	if s2, err := b.Get(t.Context(), s.ID, nil); err != nil || s2.PageKey != s.PageKey {
		t.Errorf("the sale says %q, %v", s2.PageKey, err)
	}
}

func TestInsert_aPageKeyIsOneSales(t *testing.T) {
	b := newBench(t)
	s, _ := b.page("a", 0)
	other := b.sale(b.other, "b")
	other.PageKey = s.PageKey
	var in map[payment.ID]bool
	b.must(func(ctx context.Context, tx pgx.Tx) (err error) { in, err = Insert(ctx, tx, []Sale{other}); return err })
	if in[other.ID] {
		t.Error("two sales have one page")
	}
}

func TestCheckoutStates_manyAtOnce(t *testing.T) {
	b := newBench(t)
	x, _ := b.page("a", 0)
	y := b.insert(b.sale(b.other, "b"))[0]
	keys := []Key{{x.MerchantID, x.ID}, {y.MerchantID, y.ID}, {x.MerchantID, y.ID}}
	got, err := b.CheckoutStates(t.Context(), keys)
	want := []Shown{{Key: keys[0], State: payment.Pending, HasCode: true}, {Key: keys[1], State: payment.Pending}}
	if d := cmp.Diff(want, got, cmpopts.SortSlices(func(p, q Shown) bool { return p.HasCode && !q.HasCode })); err != nil || d != "" {
		t.Errorf("%v; states (-want +got):\n%s", err, d)
	}
}

func TestKeepBuyers_onlyWhoWasNoticed(t *testing.T) {
	b := newBench(t)
	x, lx := b.page("a", time.Minute)
	y, _ := b.page("b", time.Minute)
	lx.BuyerUntil = ptr(b.now.Add(time.Second))
	b.set(lx)
	until := b.now.Add(3 * time.Minute)
	keys := []Key{{x.MerchantID, x.ID}, {y.MerchantID, y.ID}, {b.other.merchant, x.ID}}
	for range 2 {
		if err := b.KeepBuyers(t.Context(), keys, until); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.KeepBuyers(t.Context(), keys, until.Add(-time.Minute)); err != nil { // never shorter
		t.Fatal(err)
	}
	gx, err1 := b.GetLook(t.Context(), keys[0])
	gy, err2 := b.GetLook(t.Context(), keys[1])
	if err1 != nil || err2 != nil || gx.BuyerUntil == nil || !gx.BuyerUntil.Equal(until) || !gx.DueAt.Equal(lx.DueAt) || gy.BuyerUntil != nil {
		t.Errorf("%+v %v, %+v %v", gx, err1, gy, err2)
	}
	if err := b.KeepBuyers(t.Context(), nil, until); err != nil {
		t.Error(err)
	}
}

func TestNotifyCheckouts_atTheCommit(t *testing.T) {
	b := newBench(t)
	conn, err := b.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `LISTEN `+CheckoutChannel); err != nil {
		t.Fatal(err)
	}
	keys := []Key{{b.one.merchant, payment.ID{1}}, {b.other.merchant, payment.ID{2}}}
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		if err := NotifyCheckouts(ctx, tx, nil); err != nil {
			return err
		}
		return NotifyCheckouts(ctx, tx, keys)
	})
	got := map[string]bool{}
	for range keys {
		n, err := conn.Conn().WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got[n.Payload] = true
	}
	for _, k := range keys {
		if !got[k.MerchantID.String()+" "+k.PaymentID.String()] {
			t.Errorf("%v was not notified: %v", k, got)
		}
	}
}
