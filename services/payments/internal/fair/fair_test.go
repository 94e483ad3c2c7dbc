package fair

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func at(merchant, account byte) Account {
	return Account{ID: payment.AccountID{merchant, account}, Merchant: payment.MerchantID{merchant}, Weight: 1}
}

// serve deals once to accounts of which each has so many looks due, takes what there is, and returns who got how many.
func serve(t *Table, limit int, backlog map[Account]int, due []Account) map[Account]int {
	got := map[Account]int{}
	var have []Account
	for _, a := range due {
		if backlog[a] > 0 {
			have = append(have, a)
		}
	}
	for _, s := range t.Deal(limit, have) {
		for _, a := range have {
			if a.ID == s.Account {
				got[a] = min(backlog[a], s.Newest+s.Oldest)
				t.Took(a, got[a])
				backlog[a] -= got[a]
			}
		}
	}
	return got
}

func TestDeal_aBacklogOf100000DelaysNobodyWith5(t *testing.T) {
	var table Table
	big, small := at(1, 1), at(2, 1)
	backlog := map[Account]int{big: 100_000, small: 0}
	due := []Account{big, small}
	for range 50 {
		serve(&table, 100, backlog, due)
	}
	backlog[small] = 5
	if got := serve(&table, 100, backlog, due); got[small] != 5 || got[big] < 50 {
		t.Errorf("the first claim gave %d of 5 to the small one and %d to the big one", got[small], got[big])
	}
}

func TestDeal_merchantsByWeightHoweverManyAccounts(t *testing.T) {
	var table Table
	one, heavy := at(1, 1), at(2, 1)
	heavy.Weight = 3
	many := []Account{at(3, 1), at(3, 2), at(3, 3), at(3, 4)}
	due := append([]Account{one, heavy}, many...)
	got := map[payment.MerchantID]int{}
	per := map[payment.AccountID]int{}
	backlog := map[Account]int{}
	for _, a := range due {
		backlog[a] = 1 << 30
	}
	for range 100 {
		for a, n := range serve(&table, 7, backlog, due) { // also where a claim is smaller than what all could have
			got[a.Merchant] += n
			per[a.ID] += n
		}
	}
	want := map[payment.MerchantID]int{{1}: 140, {2}: 420, {3}: 140}
	for m, n := range want {
		if d := got[m] - n; d < -4 || d > 4 {
			t.Errorf("merchant %v got %d of 700, want %d", m[0], got[m], n)
		}
	}
	for _, a := range many {
		if n := per[a.ID]; n < 25 || n > 45 {
			t.Errorf("account %v got %d of the merchant's 140", a.ID[1], n)
		}
	}
}

func TestDeal_aSmallBudgetClaimsLittleAndGrowsAgain(t *testing.T) {
	var table Table
	a := at(1, 1)
	claim := func() int {
		n := 0
		for _, s := range table.Deal(100, []Account{a}) {
			n += s.Newest + s.Oldest
		}
		return n
	}
	if n := claim(); n != 100 {
		t.Errorf("%d at first, want all", n)
	}
	table.Asked(a.ID, 1, 99)
	if n := claim(); n != 1 {
		t.Errorf("%d after a claim of which one was granted", n)
	}
	table.Asked(a.ID, 0, 1)
	if n := claim(); n != 1 {
		t.Errorf("%d after none was granted: it would never be asked again", n)
	}
	for _, want := range []int{2, 4, 8, 16, 32, 64, 100, 100} {
		table.Asked(a.ID, 1, 0)
		if n := claim(); n != want {
			t.Errorf("%d while all is granted, want %d", n, want)
		}
	}
}

// TestArrange_everyFourthGrantIsTheOldests however the budget cuts the claims.
func TestArrange_everyFourthGrantIsTheOldests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table Table
		a := at(1, 1)
		var oldest []bool
		for len(oldest) < 64 {
			granted := rapid.IntRange(0, 9).Draw(t, "granted")
			shares := table.Deal(20, []Account{a})
			first, last := make([]bool, shares[0].Newest), make([]bool, shares[0].Oldest)
			for i := range last {
				last[i] = true
			}
			// What is at both ends counts as new: then the oldest's turn goes to the newest, and nobody waits longer.
			row := Arrange(&table, a.ID, first, last)
			table.Took(a, len(row))
			granted = min(granted, len(row))
			table.Asked(a.ID, granted, len(row)-granted)
			oldest = append(oldest, row[:granted]...)
		}
		for i, old := range oldest {
			if old != (i%OldestEvery == OldestEvery-1) {
				t.Fatalf("turn %d is the oldest's: %t; all: %v", i, old, oldest)
			}
		}
	})
}

func TestArrange_takesFromTheOtherEndWhenOneIsEmpty(t *testing.T) {
	var table Table
	for _, c := range []struct{ newest, oldest, want []string }{
		{[]string{"n1", "n2", "n3", "n4"}, nil, []string{"n1", "n2", "n3", "n4"}},
		{nil, []string{"o1", "o2"}, []string{"o1", "o2"}},
		{[]string{"n1", "n2", "n3", "n4"}, []string{"o1"}, []string{"n1", "n2", "n3", "o1", "n4"}},
		{nil, nil, []string{}},
	} {
		if d := cmp.Diff(c.want, Arrange(&table, payment.AccountID{9}, c.newest, c.oldest)); d != "" {
			t.Errorf("%v and %v (-want +got):\n%s", c.newest, c.oldest, d)
		}
	}
}

// TestDeal_isWithinItsBounds: never more than asked, nothing left while somebody could have it, nobody twice.
func TestDeal_isWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table Table
		var due []Account
		for m := range rapid.IntRange(0, 6).Draw(t, "merchants") {
			for n := range rapid.IntRange(1, 4).Draw(t, "accounts") {
				a := at(byte(m), byte(n))
				a.Weight = rapid.IntRange(-1, 5).Draw(t, "weight")
				due = append(due, a)
			}
		}
		room := 0
		for _, a := range due {
			if rapid.Bool().Draw(t, "tight") {
				table.Asked(a.ID, rapid.IntRange(0, 5).Draw(t, "made"), 1)
			}
			room += table.account(a.ID).window
		}
		limit := rapid.IntRange(0, 200).Draw(t, "limit")
		sum := 0
		seen := map[payment.AccountID]bool{}
		for _, s := range table.Deal(limit, due) {
			if seen[s.Account] || s.Newest < 0 || s.Oldest < 0 || s.Newest+s.Oldest > table.account(s.Account).window {
				t.Fatalf("share %+v", s)
			}
			seen[s.Account] = true
			sum += s.Newest + s.Oldest
		}
		if sum != min(limit, room) {
			t.Fatalf("%d of %d dealt, there was room for %d", sum, limit, room)
		}
	})
}
