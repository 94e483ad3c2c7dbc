package store

import (
	"sync/atomic"
	"time"
)

// repeatsCome is for how long everything counts as maybe told before once something was: those who repeat what they may have told, because an answer
// was lost or a process died, have more than one thing to repeat.
const repeatsCome = time.Second

// repeats remembers when something was last told twice, so that a transaction is rarely written in vain.
type repeats struct{ until atomic.Int64 }

func (r *repeats) seen(now time.Time) { r.until.Store(now.Add(repeatsCome).UnixNano()) }

func (r *repeats) lately(now time.Time) bool {
	until := r.until.Load() - now.UnixNano()
	return until > 0 && until <= int64(repeatsCome) // a clock that went back makes nobody careful for long
}
