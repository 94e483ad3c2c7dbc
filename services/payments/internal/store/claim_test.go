package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// TestClaimLooks_isTheOrderThatIsDocumented compares claims of random tables with the order written down once more in Go: lanes, and in
// them what became due last; at the other end what waits the longest.
func TestClaimLooks_isTheOrderThatIsDocumented(t *testing.T) {
	b := newBench(t)
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 12 {
		b.exec(`DELETE FROM payments.looks`)
		b.exec(`DELETE FROM payments.payments`)
		var all []Look
		for i := range 40 {
			l := b.look(b.one, fmt.Sprintf("%d-%d", round, i), time.Duration(r.IntN(7200)-6000)*time.Second+time.Duration(i)*time.Millisecond)
			l.Lane = payment.Lane(r.IntN(int(payment.Lanes)))
			all = append(all, l)
		}
		b.set(all...)
		newest, oldest := r.IntN(20), r.IntN(12)
		due := slices.DeleteFunc(slices.Clone(all), func(l Look) bool { return l.DueAt.After(b.now) })
		want := map[payment.ID]bool{} // true: it is of the oldest
		slices.SortFunc(due, func(x, y Look) int { return x.DueAt.Compare(y.DueAt) })
		for _, l := range due[:min(oldest, len(due))] {
			want[l.PaymentID] = true
		}
		slices.SortFunc(due, func(x, y Look) int { return cmp.Or(cmp.Compare(x.Lane, y.Lane), y.DueAt.Compare(x.DueAt)) })
		for _, l := range due[:min(newest, len(due))] {
			want[l.PaymentID] = false
		}
		got := b.claim(b.one, newest, oldest)
		if len(got) != len(want) {
			t.Fatalf("round %d: %d claimed, want %d", round, len(got), len(want))
		}
		for _, c := range got {
			if old, ok := want[c.PaymentID]; !ok || old != c.Oldest {
				t.Errorf("round %d: lane %d due %s is claimed (of the oldest: %t)", round, c.Lane, c.DueAt.Sub(b.now), c.Oldest)
			}
		}
	}
}

// Replicas claim side by side, each from both ends: no look is two replicas', however their statements meet.
func TestClaimLooks_oneLookOneReplica(t *testing.T) {
	b := newBench(t)
	const replicas, looks = 4, 40
	for round := range 12 {
		var due []Look
		for i := range looks {
			due = append(due, b.look(b.one, fmt.Sprintf("%d-%d", round, i), -time.Duration(i+1)*time.Second))
		}
		b.set(due...)
		claims := make(chan []Claimed, replicas*looks)
		var all sync.WaitGroup
		for range replicas {
			all.Go(func() {
				for n := 1; n > 0; {
					got, err := b.ClaimLooks(t.Context(), b.now, []Share{{AccountID: b.one.account, Newest: 1, Oldest: 12, Lease: b.now.Add(time.Hour)}})
					if err != nil {
						t.Error(err)
						return
					}
					n = len(got)
					claims <- got
				}
			})
		}
		all.Wait()
		close(claims)
		times := map[payment.ID]int{}
		for got := range claims {
			for _, c := range got {
				if times[c.PaymentID]++; times[c.PaymentID] > 1 {
					t.Fatalf("round %d: a look of %s ago is claimed %d times under one lease", round, b.now.Sub(c.DueAt), times[c.PaymentID])
				}
			}
		}
	}
}

func TestClaimLooks_manyAccountsInOneStatement(t *testing.T) {
	b := newBench(t)
	var shares []Share
	for i, n := range []tenant{b.one, b.other, b.tenant("Terceira")} {
		for j := range 5 {
			b.set(b.look(n, fmt.Sprint(i, j), -time.Minute))
		}
		shares = append(shares, Share{AccountID: n.account, Newest: i, Oldest: 1, Lease: b.now.Add(time.Duration(i+1) * time.Minute)})
	}
	got, err := b.ClaimLooks(t.Context(), b.now, shares)
	if err != nil {
		t.Fatal(err)
	}
	count := map[payment.AccountID]int{}
	for _, c := range got {
		count[c.AccountID]++
		for _, s := range shares {
			if s.AccountID == c.AccountID && !c.Lease.Equal(s.Lease) {
				t.Errorf("leased until %s, want the account's own %s", c.Lease, s.Lease)
			}
		}
	}
	for i, s := range shares {
		if n := count[s.AccountID]; n < max(1, i) || n > i+1 {
			t.Errorf("account %d got %d of %d newest and the oldest", i, n, i)
		}
	}
	if none, err := b.ClaimLooks(t.Context(), b.now, nil); err != nil || len(none) != 0 {
		t.Errorf("no shares: %v, %v", none, err)
	}
}

func TestRenewLooks_holdsWhatIsStillHeld(t *testing.T) {
	b := newBench(t)
	x, y, z := b.look(b.one, "x", 0), b.look(b.one, "y", 0), b.look(b.one, "z", 0)
	b.set(x, y, z)
	claimed := b.claim(b.one, 10, 0)
	b.must(func(ctx context.Context, tx pgx.Tx) error { return SetLooks(ctx, tx, nil, nil, []Key{y.key()}) })          // y has ended
	b.exec(`UPDATE payments.looks SET leased_until = $2 WHERE payment_id = $1`, z.PaymentID, b.now.Add(9*time.Minute)) // another's
	until := b.now.Add(2*time.Minute + 123*time.Nanosecond)
	if err := b.RenewLooks(t.Context(), claimed, until); err != nil {
		t.Fatal(err)
	}
	for _, c := range claimed {
		if renewed := c.Lease.Equal(until.Truncate(time.Microsecond)); renewed != (c.PaymentID == x.PaymentID) {
			t.Errorf("renewed %t until %s", renewed, c.Lease.Sub(b.now))
		}
	}
	b.now = b.now.Add(90 * time.Second)
	if got := b.claim(b.one, 10, 0); len(got) != 1 || got[0].PaymentID != y.PaymentID {
		t.Errorf("free after the first lease: %v, want y alone", got)
	}
	if err := b.ReturnLooks(t.Context(), claimed); err != nil {
		t.Fatal(err)
	}
	if got := b.claim(b.one, 10, 0); len(got) != 1 || got[0].PaymentID != x.PaymentID {
		t.Errorf("given back with the renewed lease: %v, want x alone", got)
	}
}

func TestRenewEffects_holdsWhatIsStillThere(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	k := Key{s.MerchantID, s.ID}
	all := []Effect{{Key: k, Name: "deliver", Kind: "deliver", DueAt: b.now}, {Key: k, Name: "done", Kind: "deliver", DueAt: b.now}}
	b.must(func(ctx context.Context, tx pgx.Tx) error { return InsertEffects(ctx, tx, all) })
	claim := func() []Effect {
		t.Helper()
		got, err := b.ClaimEffects(t.Context(), "deliver", b.now, b.now.Add(10*time.Second), 9)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	claimed := claim()
	b.must(func(ctx context.Context, tx pgx.Tx) error { return FinishEffects(ctx, tx, all[1:]) })
	if err := b.RenewEffects(t.Context(), claimed, b.now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(30 * time.Second)
	if got := claim(); len(got) != 0 {
		t.Errorf("claimed though it is held: %v", got)
	}
	b.now = b.now.Add(30 * time.Second)
	if got := claim(); len(got) != 1 {
		t.Errorf("%d when the lease is over", len(got))
	}
}

const fillOneAccount = `
INSERT INTO payments.looks (merchant_id, payment_id, account_id, provider, created_at, due_at, lane, reason)
SELECT $1, gen_random_uuid(), $2, 'atomopay', $3::timestamptz - n * interval '1 second',
    $3::timestamptz - CASE WHEN $5 THEN n ELSE -n END * interval '1 second', n % 4, 'young'
FROM generate_series(1, $4::int) n`

// TestClaimLooks_costsTheSameHoweverManyAreDue counts the blocks of one claim when fifty times as many are pending, and when all of
// them are due.
func TestClaimLooks_costsTheSameHoweverManyAreDue(t *testing.T) {
	b := newBench(t)
	blocks := func(pending int, due bool) int {
		t.Helper()
		b.exec(`TRUNCATE payments.looks`)
		b.exec(fillOneAccount, b.one.merchant, b.one.account, b.now, pending, due)
		b.exec(fillOneAccount, b.one.merchant, b.one.account, b.now, 200, true)
		b.exec(`ANALYZE payments.looks`)
		var raw []byte
		b.must(func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SET LOCAL plan_cache_mode = force_generic_plan`); err != nil {
				return err
			}
			return tx.QueryRow(ctx, `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) `+claimLooks, []payment.AccountID{b.one.account}, []int{75}, []int{25},
				[]time.Time{b.now.Add(time.Minute)}, b.now).Scan(&raw)
		})
		var out []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			}
		}
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
		return out[0].Plan.Hit + out[0].Plan.Read
	}
	few := blocks(1000, false)
	for name, many := range map[string]int{"pending": blocks(50_000, false), "due": blocks(50_000, true)} {
		// A tree of fifty times as many entries is a level higher: a look reads a few blocks more, and never a row that it does not take.
		if many > few*3/2 {
			t.Errorf("%d blocks with 50,000 %s, %d with 1,000", many, name, few)
		}
	}
}

func TestClaimFirstLooks_onlyOfSalesThatNobodyKnowsAnythingOf(t *testing.T) {
	b := newBench(t)
	var looks []Look
	for _, name := range []string{"fresh", "polled", "hinted", "paid", "held"} {
		looks = append(looks, b.look(b.one, name, time.Hour)) // none is due
	}
	b.set(looks...)
	for i, set := range map[int]string{1: "polls = 1", 2: "hints = 1", 3: "state = 'paid'"} {
		b.exec(`UPDATE payments.payments SET `+set+` WHERE id = $1`, looks[i].PaymentID)
	}
	b.exec(`UPDATE payments.looks SET leased_until = $2 WHERE payment_id = $1`, looks[4].PaymentID, b.now.Add(time.Second))
	claim := func() []Claimed {
		t.Helper()
		keys, leases := []Key{}, []time.Time{}
		for _, l := range looks {
			keys, leases = append(keys, Key{l.MerchantID, l.PaymentID}), append(leases, b.now.Add(10*time.Second))
		}
		got, err := b.ClaimFirstLooks(t.Context(), b.now, append(keys, Key{b.other.merchant, looks[0].PaymentID}), append(leases, b.now))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := claim()
	if len(got) != 1 || got[0].PaymentID != looks[0].PaymentID || !got[0].Lease.Equal(b.now.Add(10*time.Second)) {
		t.Fatalf("claimed %+v", got)
	}
	var want struct{ ID, Hash, Reference, Trace string }
	if err := b.Pool().QueryRow(t.Context(), `SELECT charge_id, charge_hash, charge_reference, traceparent FROM payments.payments WHERE id = $1`,
		looks[0].PaymentID).Scan(&want.ID, &want.Hash, &want.Reference, &want.Trace); err != nil || got[0].Ref != want {
		t.Errorf("asks with %+v, want %+v, %v", got[0].Ref, want, err)
	}
	if again := claim(); len(again) != 0 {
		t.Errorf("claimed twice: %+v", again)
	}
	b.now = b.now.Add(time.Second)
	if got := claim(); len(got) != 1 || got[0].PaymentID != looks[4].PaymentID {
		t.Errorf("when the other's lease is over: %+v", got)
	}
}

func TestNextDue_isTheFirstAfterNowOfAllLanesAndAccounts(t *testing.T) {
	b := newBench(t)
	next := func(held ...payment.AccountID) time.Duration {
		t.Helper()
		at, err := b.NextDue(t.Context(), b.now, held)
		if err != nil {
			t.Fatal(err)
		}
		if at.IsZero() {
			return 0
		}
		return at.Sub(b.now)
	}
	if d := next(); d != 0 {
		t.Errorf("nothing is there, and the next is due in %s", d)
	}
	old := b.look(b.other, "old", 2*time.Second)
	old.Lane = 3
	b.set(b.look(b.one, "past", -time.Second), b.look(b.one, "now", 0), b.look(b.one, "late", time.Hour), b.look(b.one, "soon", 3*time.Second), old)
	if d := next(); d != 2*time.Second {
		t.Errorf("the next is due in %s, want 2s", d)
	}
	if d := next(b.other.account); d != 3*time.Second {
		t.Errorf("the next of the others is due in %s, want 3s", d)
	}
	if d := next(b.other.account, b.one.account); d != 0 {
		t.Errorf("all are held back, and the next is due in %s", d)
	}
}
