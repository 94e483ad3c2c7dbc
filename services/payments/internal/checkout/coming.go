package checkout

import (
	"sync"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	comingFor  = 2 * timeout // longer than a visit works with what it has read
	comingMost = 10_000      // kept before those that are over are looked for
)

// comings are the buyers whose coming is just being written, so that many visits of one moment are one transaction. It is of this process:
// the ledger knows what others wrote.
type comings struct {
	mu    sync.Mutex
	until map[store.Key]time.Time
}

func newComings() *comings { return &comings{until: map[store.Key]time.Time{}} }

// first reports whether nobody has written the coming a moment ago, and that the caller does now.
func (c *comings) first(key store.Key, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until[key].After(now) {
		return false
	}
	if len(c.until) >= comingMost {
		for k, t := range c.until {
			if !t.After(now) {
				delete(c.until, k)
			}
		}
	}
	c.until[key] = now.Add(comingFor)
	return true
}

// failed lets the next visit write it.
func (c *comings) failed(key store.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, key)
}
