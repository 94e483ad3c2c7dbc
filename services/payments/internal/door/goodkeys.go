package door

import (
	"crypto/subtle"
	"sync"
	"time"

	"github.com/baixapay/baixa/internal/auth"
)

// remembered is how long a key that was good once is let past the limiter to be looked up again, so that a neighbour behind the
// same address who guesses cannot lock its holder out.
const remembered = 10 * time.Minute

// goodKeys are keys that were found good. It is safe for concurrent use.
type goodKeys struct {
	max int

	mu   sync.RWMutex
	keys map[[16]byte]goodKey
}

type goodKey struct {
	hash  []byte
	who   auth.Principal
	since time.Time
}

func newGoodKeys(max int) *goodKeys { return &goodKeys{max: max, keys: map[[16]byte]goodKey{}} }

// find reports the holder of a key that was good within KeyLifetime (fresh), or at least lately (known).
func (g *goodKeys) find(id [16]byte, hash []byte, now time.Time) (who auth.Principal, fresh, known bool) {
	g.mu.RLock()
	k, ok := g.keys[id]
	g.mu.RUnlock()
	if !ok || subtle.ConstantTimeCompare(k.hash, hash) != 1 {
		return auth.Principal{}, false, false
	}
	age := now.Sub(k.since)
	if age < 0 || age >= KeyLifetime {
		return auth.Principal{}, false, age < remembered
	}
	return k.who, true, true
}

func (g *goodKeys) keep(id [16]byte, hash []byte, who auth.Principal, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.keys) >= g.max {
		g.drop(now)
	}
	g.keys[id] = goodKey{hash, who, now}
}

func (g *goodKeys) forget(id [16]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.keys, id)
}

// drop makes room: what is no longer believed goes first, then anything.
func (g *goodKeys) drop(now time.Time) {
	for id, k := range g.keys {
		if now.Sub(k.since) >= KeyLifetime {
			delete(g.keys, id)
		}
	}
	for id := range g.keys {
		if len(g.keys) < g.max {
			return
		}
		delete(g.keys, id)
	}
}
