// Package fair deals out the looks that can be made now: between merchants by their weights, between a merchant's accounts equally, and
// within an account between its newest sales and those that wait the longest.
//
// It is pure and keeps everything in memory, for it is only a courtesy of one replica: what may be asked at all is the gateways' budget, and
// when a sale is due is payment.Schedule. It refuses to let anybody's backlog delay somebody else: a merchant with 100,000 sales due and one
// with 5 get the same turns until the 5 are done.
package fair

import (
	"slices"
	"sync"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// OldestEvery is the share of an account's turns that goes to what waits the longest: one in four.
const OldestEvery = 4

// Account is an account that has a look due.
type Account struct {
	ID       payment.AccountID
	Merchant payment.MerchantID
	Weight   int // of the merchant; below 1 counts as 1
}

// Share is how many looks an account may claim.
type Share struct {
	Account        payment.AccountID
	Newest, Oldest int
}

// Table remembers who had how much. The zero value is ready, and it is safe for concurrent use.
type Table struct {
	mu       sync.Mutex
	seats    map[payment.MerchantID]seat
	accounts map[payment.AccountID]*account
}

type seat struct {
	used float64 // looks by weight: whoever has the least is next
	turn uint64  // looks so far: where there are fewer than accounts, they go round
}

type account struct {
	turn   uint64 // looks so far: every fourth is the oldest's
	window int    // how many may be claimed at once
}

// widest is an account's window while its budget refuses nothing.
const widest = 500

func (t *Table) account(id payment.AccountID) *account {
	if t.accounts == nil {
		t.accounts = map[payment.AccountID]*account{}
	}
	a := t.accounts[id]
	if a == nil {
		a = &account{window: widest}
		t.accounts[id] = a
	}
	return a
}

// Deal divides limit looks among the accounts that have something due. Each turn goes to the merchant that has had the least for its weight,
// and there to its accounts one after the other. An account whose budget refused lately gets no more than its window. What was dealt and is
// not taken is given back by Took.
func (t *Table) Deal(limit int, due []Account) []Share {
	t.mu.Lock()
	defer t.mu.Unlock()
	merchants := t.open(due)
	dealt := map[payment.AccountID]int{}
	for ; limit > 0 && len(merchants) > 0; limit-- {
		next := 0
		for i, m := range merchants {
			if m.used < merchants[next].used {
				next = i
			}
		}
		m := merchants[next]
		dealt[m.accounts[m.turn].ID]++
		m.used += 1 / float64(m.weight)
		if dealt[m.accounts[m.turn].ID] >= t.account(m.accounts[m.turn].ID).window {
			m.accounts = slices.Delete(m.accounts, m.turn, m.turn+1)
			m.turn--
		}
		if len(m.accounts) == 0 {
			merchants = slices.Delete(merchants, next, next+1)
			continue
		}
		m.turn = (m.turn + 1) % len(m.accounts)
	}
	var out []Share
	for _, a := range due {
		n := dealt[a.ID]
		if n == 0 {
			continue
		}
		oldest := 0
		for i := range uint64(n) {
			if forOldest(t.account(a.ID).turn + i) {
				oldest++
			}
		}
		out = append(out, Share{Account: a.ID, Newest: n - oldest, Oldest: oldest})
	}
	return out
}

// merchant is one at the table.
type merchant struct {
	id       payment.MerchantID
	weight   int
	used     float64
	accounts []Account
	turn     int
}

// open seats the merchants that have something due. Who was away has saved nothing up: it starts level with whoever has had the least.
func (t *Table) open(due []Account) []*merchant {
	var out []*merchant
	at := map[payment.MerchantID]*merchant{}
	for _, a := range due {
		m := at[a.Merchant]
		if m == nil {
			m = &merchant{id: a.Merchant, weight: max(1, a.Weight)}
			at[a.Merchant] = m
			out = append(out, m)
		}
		m.accounts = append(m.accounts, a)
	}
	least, known := 0.0, false
	for _, m := range out {
		if s, ok := t.seats[m.id]; ok && (!known || s.used < least) {
			least, known = s.used, true
		}
	}
	now := make(map[payment.MerchantID]seat, len(out))
	for _, m := range out {
		s := t.seats[m.id]
		m.used = max(0, s.used-least)
		m.turn = int(s.turn % uint64(len(m.accounts)))
		now[m.id] = seat{m.used, s.turn}
	}
	t.seats = now
	return out
}

// Took notes that an account took n looks of what was dealt, in the order of Arrange.
func (t *Table) Took(a Account, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.account(a.ID).turn += uint64(n)
	if s, ok := t.seats[a.Merchant]; ok {
		t.seats[a.Merchant] = seat{s.used + float64(n)/float64(max(1, a.Weight)), s.turn + uint64(n)}
	}
}

// Asked notes what came of looks that an account took: made were asked, and refused were not, since its budget had no more. Whose budget
// refuses claims little at a time, so that the turns are dealt to what is due when they come and not to what was due before.
func (t *Table) Asked(id payment.AccountID, made, refused int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.account(id)
	if refused > 0 {
		a.turn -= min(a.turn, uint64(refused)) // their turns come again
		a.window = max(1, made)
		return
	}
	a.window = min(widest, max(1, a.window)*2)
}

// Wide reports whether an account's budget has refused nothing lately: everything that is due is looked at then, in whatever order.
func (t *Table) Wide(id payment.AccountID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.account(id).window >= widest
}

// Arrange puts an account's claimed looks in the order in which its budget is to be spent, so that every fourth turn is the oldest's also
// when only one look of each claim is granted. It must be called before Took.
func Arrange[T any](t *Table, id payment.AccountID, newest, oldest []T) []T {
	t.mu.Lock()
	turn := t.account(id).turn
	t.mu.Unlock()
	out := make([]T, 0, len(newest)+len(oldest))
	for len(newest)+len(oldest) > 0 {
		from := &newest
		if len(newest) == 0 || len(oldest) > 0 && forOldest(turn+uint64(len(out))) {
			from = &oldest
		}
		out, *from = append(out, (*from)[0]), (*from)[1:]
	}
	return out
}

func forOldest(turn uint64) bool { return turn%OldestEvery == OldestEvery-1 }
