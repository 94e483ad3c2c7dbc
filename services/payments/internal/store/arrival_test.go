package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/trust"
)

func noteHints(ctx context.Context, tx pgx.Tx, keys []Key, at []time.Time) error {
	var news []News
	for i, k := range keys {
		news = append(news, News{Key: k, HintAt: &at[i]})
	}
	return NoteArrivals(ctx, tx, news, time.Time{})
}

func notePaid(ctx context.Context, tx pgx.Tx, keys []Key, found time.Time) error {
	var news []News
	for _, k := range keys {
		news = append(news, News{Key: k, Found: true})
	}
	return NoteArrivals(ctx, tx, news, found)
}

func TestArrivals_hintAndTruthInOneCall(t *testing.T) {
	b := newBench(t)
	paid, open := b.insert(b.sale(b.one, "paid"))[0], b.insert(b.sale(b.one, "open"))[0]
	b.exec(`UPDATE payments.payments SET state = 'paid', paid_at = $1 WHERE id = $2`, b.now, paid.ID)
	hint, found := b.now.Add(time.Second), b.now.Add(2*time.Second)
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		return NoteArrivals(ctx, tx, []News{{Key: key(paid), HintAt: &hint}, {Key: key(paid), Found: true}, {Key: key(open), HintAt: &hint},
			{Key: key(open), Found: true}}, found)
	})
	got, err := b.Arrivals(t.Context(), Account{b.one.merchant, b.one.account, "atomopay"}, 10)
	if err != nil || len(got) != 1 || got[0].Hints != 1 || !got[0].FoundAt.Equal(found) || got[0].HintAt == nil || !got[0].HintAt.Equal(hint) {
		t.Errorf("%+v, %v", got, err)
	}
	var claimed int
	if err := b.Pool().QueryRow(t.Context(), `SELECT count(*) FROM payments.arrivals WHERE found_at IS NULL AND hint_at = $1`, hint).Scan(&claimed); err != nil || claimed != 1 {
		t.Errorf("%d claimed and not found, %v", claimed, err)
	}
}

func TestArrivals_hintAndTruthInEitherOrder(t *testing.T) {
	b := newBench(t)
	var keys []Key
	for _, name := range []string{"first", "after", "never", "claimed"} {
		s := b.insert(b.sale(b.one, name))[0]
		keys = append(keys, Key{s.MerchantID, s.ID})
	}
	a := Account{b.one.merchant, b.one.account, "atomopay"}
	found, paid := b.now.Add(time.Minute), b.now.Add(30*time.Second)
	b.must(func(ctx context.Context, tx pgx.Tx) error { // copies in one batch and in another
		return noteHints(ctx, tx, []Key{keys[0], keys[0], keys[3]}, []time.Time{b.now.Add(2 * time.Second), b.now.Add(time.Second), b.now.Add(-time.Hour)})
	})
	b.exec(`UPDATE payments.payments SET state = 'paid', paid_at = $1, qr_expires_at = $1::timestamptz - CASE id WHEN $3 THEN 1 ELSE -1 END * interval '1 second'
		WHERE id = ANY($2)`, paid, []payment.ID{keys[0].PaymentID, keys[1].PaymentID, keys[2].PaymentID}, keys[2].PaymentID)
	for range 2 {
		b.must(func(ctx context.Context, tx pgx.Tx) error { return notePaid(ctx, tx, keys, found) })
		found = found.Add(time.Hour) // a second look changes nothing
	}
	found = b.now.Add(time.Minute)
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		if err := NoteArrivals(ctx, tx, nil, found); err != nil {
			return err
		}
		return noteHints(ctx, tx, []Key{keys[1], keys[0]}, []time.Time{b.now.Add(time.Hour), b.now.Add(time.Hour)})
	})
	got, err := b.Arrivals(t.Context(), a, 10)
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := map[int]int{3: 1, 1: 1, 0: 1} // by hints
	late := 0
	for _, g := range got {
		want[g.Hints]--
		if !g.FoundAt.Equal(found) || !g.PaidAt.Equal(paid) {
			t.Errorf("%+v", g)
		}
		if g.Hints == 3 && !g.HintAt.Equal(b.now.Add(time.Second)) {
			t.Errorf("the first of three hints is %s", g.HintAt)
		}
		if g.Late {
			late++
		}
	}
	if d := cmp.Diff(map[int]int{3: 0, 1: 0, 0: 0}, want); d != "" || late != 1 {
		t.Errorf("%d late; hints (-want +got):\n%s", late, d)
	}
	// What was claimed counts as false once the provider was asked later and did not say so.
	false1 := func() int {
		t.Helper()
		n, err := b.FalsePaid(t.Context(), a, b.now.Add(-24*time.Hour), b.now, 10*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := false1(); n != 0 {
		t.Errorf("%d false before anybody asked", n)
	}
	b.exec(`UPDATE payments.payments SET looked_at = $2 WHERE id = $1`, keys[3].PaymentID, b.now.Add(-49*time.Minute))
	if n := false1(); n != 1 {
		t.Errorf("%d false", n)
	}
	for who, c := range map[string]struct {
		only  *payment.MerchantID
		after time.Time
		want  int
	}{"all": {nil, b.now, 1}, "its own": {&b.one.merchant, b.now, 1}, "another's": {&b.other.merchant, b.now, 0}, "old": {nil, found.Add(time.Second), 0}} {
		if list, err := b.AccountsWithArrivals(t.Context(), c.only, c.after); err != nil || len(list) != c.want || c.want == 1 && list[0] != a {
			t.Errorf("%s: %v, %v", who, list, err)
		}
	}
	if err := b.ForgetArrivals(t.Context(), a, 2, b.now); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Arrivals(t.Context(), a, 10); err != nil || len(got) != 2 || false1() != 0 {
		t.Errorf("kept %v, %v", got, err)
	}
}

func TestSetHabit_beginsOnce(t *testing.T) {
	b := newBench(t)
	a := Account{b.one.merchant, b.one.account, "atomopay"}
	for i, c := range []struct{ silent, doubted, began bool }{{false, false, false}, {true, false, true}, {true, true, false}, {false, false, false}, {true, false, true}} {
		b.now = b.now.Add(time.Minute)
		if began, err := b.SetHabit(t.Context(), a, trust.Habit{Silent: c.silent, Doubted: c.doubted}, b.now); err != nil || began != c.began {
			t.Errorf("step %d: began %t, %v", i, began, err)
		}
		list, err := b.Habits(t.Context(), nil)
		if err != nil || (len(list) == 1) != (c.silent || c.doubted) {
			t.Errorf("step %d: %v, %v", i, list, err)
		}
		if began, err := b.SetProviderHabit(t.Context(), "atomopay", c.silent, b.now); err != nil || began != c.began {
			t.Errorf("step %d: the provider began %t, %v", i, began, err)
		}
		providers, err := b.SilentProviders(t.Context())
		if at, is := providers["atomopay"]; err != nil || is != c.silent || c.began && !at.Equal(b.now) {
			t.Errorf("step %d: %v, %v", i, providers, err)
		}
	}
	if list, err := b.Habits(t.Context(), &b.other.merchant); err != nil || len(list) != 0 {
		t.Errorf("another merchant sees %v, %v", list, err)
	}
}

func TestKeepSilences_tellsOnceAMerchantAndProvider(t *testing.T) {
	b := newBench(t)
	for _, n := range []tenant{b.one, b.other} {
		s := b.insert(b.sale(n, "a"))[0]
		b.exec(`UPDATE payments.payments SET state = 'paid', paid_at = $1 WHERE id = $2`, b.now, s.ID)
		b.must(func(ctx context.Context, tx pgx.Tx) error {
			return notePaid(ctx, tx, []Key{{s.MerchantID, s.ID}}, b.now)
		})
	}
	one, other := Silence{b.one.merchant, "atomopay"}, Silence{b.other.merchant, "atomopay"}
	keep := func(later time.Duration, list ...Silence) (told int) {
		t.Helper()
		b.now = b.now.Add(later)
		told, err := b.KeepSilences(t.Context(), list, b.now, time.Hour, func(s Silence, k Key) Effect {
			if k.MerchantID != s.MerchantID {
				t.Errorf("%v is told by a sale of %v", s, k.MerchantID)
			}
			return Effect{Key: k, Name: "silence:" + b.now.String(), Kind: "owner", DueAt: b.now}
		})
		if err != nil {
			t.Fatal(err)
		}
		return told
	}
	for i, c := range []struct {
		later time.Duration
		list  []Silence
		want  int
	}{
		{0, nil, 0}, {time.Minute, []Silence{one}, 1}, {time.Minute, []Silence{other, one}, 1}, {time.Minute, []Silence{one, other}, 0},
		{24 * time.Hour, []Silence{one, other}, 0},                                       // this service was away: it is the same silence
		{time.Minute, []Silence{other}, 0}, {30 * time.Minute, []Silence{one, other}, 0}, // it was well for too short
		{time.Minute, nil, 0}, {2 * time.Hour, nil, 0}, {time.Minute, []Silence{one}, 1},
	} {
		if told := keep(c.later, c.list...); told != c.want {
			t.Errorf("step %d: %d told, want %d", i, told, c.want)
		}
	}
	b.now = b.now.Add(time.Hour)
	if _, err := b.Watch(t.Context(), b.now, time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	if told := keep(0, one); told != 0 {
		t.Error("the watch over accounts forgot a silence")
	}
}

func TestLooksAhead_routineOnes(t *testing.T) {
	b := newBench(t)
	soon, later, hinted := b.look(b.one, "soon", time.Second), b.look(b.one, "later", time.Hour), b.look(b.one, "hinted", time.Hour)
	hinted.Lane = payment.LaneUrgent
	b.set(soon, later, hinted)
	got, err := b.LooksAhead(t.Context(), b.one.account, b.now.Add(time.Minute), 10)
	if d := cmp.Diff([]Key{later.key()}, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}
