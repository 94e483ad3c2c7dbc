package work

import (
	"slices"
	"sync"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// maxCalls is how many calls about one account may be under way in this replica: more would only queue at its budget.
const maxCalls = 4

// held are the accounts that must wait: over their budget, paused, slow to answer, or the gateways are away. It is only a
// courtesy of this replica; the budget itself is the gateways'.
type held struct {
	mu    sync.Mutex
	at    map[payment.AccountID]time.Time
	calls map[payment.AccountID][]time.Time // when those under way began, oldest first
	// passed are the accounts that a claim left out for their calls: who ends one of them wakes the claims.
	passed map[payment.AccountID]bool
	wake   func()
}

func (h *held) until(a payment.AccountID, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == nil {
		h.at = map[payment.AccountID]time.Time{}
	}
	if t.After(h.at[a]) {
		h.at[a] = t
	}
}

// forget lets all accounts go on: the clock by which they were held went back.
func (h *held) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.at)
}

// calling notes that a call about an account began; the returned function that it ended.
func (h *held) calling(a payment.AccountID, now time.Time) (ended func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls == nil {
		h.calls = map[payment.AccountID][]time.Time{}
	}
	h.calls[a] = append(h.calls[a], now)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		i := slices.Index(h.calls[a], now)
		if h.calls[a] = slices.Delete(h.calls[a], i, i+1); len(h.calls[a]) == 0 {
			delete(h.calls, a)
		}
		if h.passed[a] && h.wake != nil {
			h.wake()
		}
		delete(h.passed, a)
	}
}

func (h *held) list(now time.Time) []payment.AccountID {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]payment.AccountID, 0, len(h.at))
	for a, t := range h.at {
		if t.After(now) {
			out = append(out, a)
		} else {
			delete(h.at, a)
		}
	}
	for a, began := range h.calls {
		if len(began) >= maxCalls || now.Sub(began[0]) > patience {
			if out = append(out, a); h.passed == nil {
				h.passed = map[payment.AccountID]bool{}
			}
			h.passed[a] = true
		}
	}
	return out
}
