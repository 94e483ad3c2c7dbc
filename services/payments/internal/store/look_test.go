package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// look is a schedule row of a sale of its own, due at an offset from now.
func (b *bench) look(n tenant, name string, due time.Duration) Look {
	b.t.Helper()
	s := b.insert(b.sale(n, name))[0]
	return Look{MerchantID: s.MerchantID, PaymentID: s.ID, AccountID: s.AccountID, Provider: s.Provider, CreatedAt: s.CreatedAt,
		DueAt: b.now.Add(due), Reason: "young", Lane: payment.LaneYoung}
}

func (b *bench) set(looks ...Look) {
	b.t.Helper()
	b.must(func(ctx context.Context, tx pgx.Tx) error { return SetLooks(ctx, tx, looks, nil, nil) })
}

func (b *bench) claim(n tenant, newest, oldest int) []Claimed {
	b.t.Helper()
	got, err := b.ClaimLooks(b.t.Context(), b.now, []Share{{AccountID: n.account, Newest: newest, Oldest: oldest, Lease: b.now.Add(time.Minute)}})
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

func ids(list []Claimed) map[payment.ID]bool {
	out := map[payment.ID]bool{}
	for _, c := range list {
		out[c.PaymentID] = true
	}
	return out
}

func (l Look) key() Key { return Key{l.MerchantID, l.PaymentID} }

func TestSetLooks_keepsEveryField(t *testing.T) {
	b := newBench(t)
	l := b.look(b.one, "a", time.Minute)
	l.Unanswered, l.HintAt, l.BuyerUntil, l.WantAt = 3, ptr(b.now), ptr(b.now.Add(time.Hour)), ptr(b.now.Add(time.Second))
	l.RetryAfter = 90*time.Second + time.Microsecond
	b.set(l)
	l.RetryAfter = 90*time.Second + time.Millisecond // never shorter than what was asked for
	check := func() {
		t.Helper()
		got, err := b.GetLook(t.Context(), l.key())
		if d := cmp.Diff(l, got, cmpopts.EquateApproxTime(0)); err != nil || d != "" {
			t.Errorf("%v; stored (-want +got):\n%s", err, d)
		}
	}
	check()
	changed := l
	changed.Unanswered, changed.HintAt, changed.BuyerUntil, changed.WantAt, changed.RetryAfter = 0, nil, nil, nil, 0
	changed.DueAt, changed.Reason, changed.CreatedAt, changed.Lane = b.now, "dense", b.now, payment.LaneFresh
	b.set(changed)
	created := l.CreatedAt
	l = changed
	l.CreatedAt = created
	check()
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		got, err := Looks(ctx, tx, []Key{l.key(), {b.other.merchant, l.PaymentID}})
		if err != nil || len(got) != 1 || got[l.key()].Reason != "dense" {
			t.Errorf("looks: %v, %v", got, err)
		}
		return SetLooks(ctx, tx, nil, nil, nil)
	})
	b.must(func(ctx context.Context, tx pgx.Tx) error { return SetLooks(ctx, tx, nil, []Key{l.key()}, nil) })
	if _, err := b.GetLook(t.Context(), l.key()); !errors.Is(err, ErrNotFound) {
		t.Errorf("a dropped look: %v", err)
	}
}

func TestClaimLooks_newestFirstAndTheOldestGetTheirShare(t *testing.T) {
	b := newBench(t)
	var looks []Look
	for i := range 10 {
		l := b.look(b.one, string(rune('a'+i)), -time.Duration(10-i)*time.Minute) // a is the oldest and waits the longest
		l.CreatedAt = b.now.Add(-time.Duration(10-i) * time.Hour)
		looks = append(looks, l)
	}
	hinted, later := b.look(b.one, "hinted", -time.Second), b.look(b.one, "later", time.Second)
	hinted.CreatedAt, hinted.Reason, hinted.Lane = b.now.Add(-99*time.Hour), "hint", payment.LaneUrgent
	waited := b.look(b.one, "hint of old", -time.Second)
	waited.CreatedAt, waited.HintAt, waited.Lane = b.now.Add(-98*time.Hour), ptr(b.now.Add(-time.Hour)), payment.LaneOld // its hint was answered an hour ago
	b.set(append(slices.Clone(looks), hinted, later, waited)...)
	want := map[payment.ID]bool{hinted.PaymentID: true, looks[9].PaymentID: true, looks[8].PaymentID: true, looks[0].PaymentID: true}
	if d := cmp.Diff(want, ids(b.claim(b.one, 3, 1))); d != "" {
		t.Errorf("first claim (-want +got):\n%s", d)
	}
	if got := b.claim(b.other, 10, 10); len(got) != 0 {
		t.Errorf("another account got %v", got)
	}
	got := b.claim(b.one, 100, 100)
	if d := cmp.Diff(8, len(got)); d != "" || ids(got)[later.PaymentID] {
		t.Errorf("second claim got %d: all that are due and free, once", len(got))
	}
	if got := b.claim(b.one, 100, 100); len(got) != 0 {
		t.Errorf("what is leased was claimed again: %v", got)
	}
	b.now = b.now.Add(time.Minute)
	if got := b.claim(b.one, 100, 0); len(got) != 13 {
		t.Errorf("%d after the leases ended, want all 13", len(got))
	}
}

func TestClaimLooks_carriesWhatTheProviderIsAskedWith(t *testing.T) {
	b := newBench(t)
	s := b.sale(b.one, "a")
	s.Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	b.insert(s)
	b.set(Look{MerchantID: s.MerchantID, PaymentID: s.ID, AccountID: s.AccountID, Provider: s.Provider, CreatedAt: s.CreatedAt, DueAt: b.now})
	got := b.claim(b.one, 1, 0)
	if len(got) != 1 || got[0].Ref.ID != "Id-a" || got[0].Ref.Hash != "Hash-a" || got[0].Ref.Reference != "Ref-a" || got[0].Ref.Trace != s.Traceparent {
		t.Errorf("claimed %+v", got)
	}
	if !got[0].Lease.Equal(b.now.Add(time.Minute)) {
		t.Errorf("leased until %s", got[0].Lease)
	}
}

func TestClaimLooks_twoClaimersShare(t *testing.T) {
	b := newBench(t)
	x, y := b.look(b.one, "x", 0), b.look(b.one, "y", 0)
	b.set(x, y)
	b.must(func(ctx context.Context, tx pgx.Tx) error { // somebody applies an event to x at this moment
		if _, err := Looks(ctx, tx, []Key{x.key()}); err != nil {
			return err
		}
		got := b.claim(b.one, 10, 10)
		if len(got) != 1 || got[0].PaymentID != y.PaymentID {
			t.Errorf("claimed %v, want only the free one, without waiting", got)
		}
		return nil
	})
}

func TestReturnLooks_neverEarlierAndOnlyTheHolder(t *testing.T) {
	b := newBench(t)
	x, y, z := b.look(b.one, "x", -time.Minute), b.look(b.one, "y", -time.Minute), b.look(b.one, "z", -time.Minute)
	b.set(x, y, z)
	claimed := b.claim(b.one, 10, 0)
	// Meanwhile x was scheduled for later, and z's lease ended and another replica has it.
	x.DueAt = b.now.Add(time.Hour)
	b.set(x)
	b.exec(`UPDATE payments.looks SET leased_until = $2 WHERE payment_id = $1`, z.PaymentID, b.now.Add(3*time.Minute))
	if err := b.ReturnLooks(t.Context(), claimed); err != nil {
		t.Fatal(err)
	}
	if err := b.ReturnLooks(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		l    Look
		want time.Time
	}{{x, x.DueAt}, {y, y.DueAt}} {
		if got, err := b.GetLook(t.Context(), c.l.key()); err != nil || !got.DueAt.Equal(c.want) {
			t.Errorf("due at %s, want %s (%v)", got.DueAt, c.want, err)
		}
	}
	if got := b.claim(b.one, 10, 0); len(got) != 1 || got[0].PaymentID != y.PaymentID {
		t.Errorf("free again: %v, want only y", got)
	}
	y2 := b.claim(b.one, 10, 0)
	if len(y2) != 0 {
		t.Errorf("y was claimed twice: %v", y2)
	}
	later := claimed[0]
	b.now = b.now.Add(10 * time.Minute)
	again := b.claim(b.one, 10, 0)
	for i := range again {
		again[i].DueAt = b.now.Add(time.Hour)
	}
	if err := b.ReturnLooks(t.Context(), append(again, later)); err != nil {
		t.Fatal(err)
	}
	if got := b.claim(b.one, 10, 0); len(got) != 0 {
		t.Errorf("given back for an hour later, and claimed at once: %v", got)
	}
}

func TestReleaseLooks_endsTheLeaseAlone(t *testing.T) {
	b := newBench(t)
	x := b.look(b.one, "x", 0)
	b.set(x)
	b.claim(b.one, 1, 0)
	b.set(x) // a hint in between keeps the lease
	if got := b.claim(b.one, 1, 0); len(got) != 0 {
		t.Errorf("claimed though it is being looked at: %v", got)
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error { return SetLooks(ctx, tx, []Look{x}, nil, []Key{x.key()}) })
	if got := b.claim(b.one, 1, 0); len(got) != 1 {
		t.Errorf("released and not claimed: %v", got)
	}
}

func TestDueAccounts_skipsIdleHeldAndLeased(t *testing.T) {
	b := newBench(t)
	third := b.tenant("Terceira")
	fourth := b.tenant("Quarta")
	due := func(held ...payment.AccountID) map[payment.AccountID]bool {
		t.Helper()
		got, err := b.DueAccounts(t.Context(), b.now, held)
		if err != nil {
			t.Fatal(err)
		}
		out := map[payment.AccountID]bool{}
		for _, a := range got {
			if out[a.AccountID] {
				t.Errorf("%v is listed twice", a)
			}
			out[a.AccountID] = true
		}
		return out
	}
	if got := due(); len(got) != 0 {
		t.Errorf("nothing is scheduled, yet %v", got)
	}
	b.set(b.look(b.one, "a", 0), b.look(b.one, "b", -time.Hour), b.look(b.other, "c", -time.Hour), b.look(third, "d", time.Second), b.look(fourth, "e", -time.Hour))
	b.claim(fourth, 1, 0)
	if d := cmp.Diff(map[payment.AccountID]bool{b.one.account: true, b.other.account: true}, due()); d != "" {
		t.Errorf("due (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[payment.AccountID]bool{b.other.account: true}, due(b.one.account, payment.AccountID(uuid.New()))); d != "" {
		t.Errorf("due with one held (-want +got):\n%s", d)
	}
	b.now = b.now.Add(time.Minute)
	if got := due(); len(got) != 4 {
		t.Errorf("%d accounts when all is due and the lease over, want 4", len(got))
	}
}
