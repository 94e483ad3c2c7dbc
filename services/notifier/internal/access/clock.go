package access

import (
	"sync"
	"time"
)

// A clock that jumps ahead would end everybody's access at once, and no apology brings a group back. So nobody is taken out while the
// database's clock and this machine's disagree, nor for a while after the database's went ahead of the time that really passed.
const (
	clockSlack = 5 * time.Minute  // that clocks may differ, or a jump may have, without a word
	clockQuiet = 15 * time.Minute // without removals after a jump; then the new time is believed
)

// clock watches the database's clock by this process's monotonic one. The zero value has seen nothing.
type clock struct {
	mu          sync.Mutex
	database    time.Time // at the last look
	here        time.Time // at the same moment, with its monotonic part
	quietUntil  time.Time
	back, ahead bool
}

// see notes what the database's clock says at the moment here, which has a monotonic part.
func (c *clock) see(database, here time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.here.IsZero() {
		lead := database.Sub(c.database) - here.Sub(c.here)
		if lead > clockSlack {
			c.quietUntil = here.Add(clockQuiet)
			c.ahead = true
		}
		c.back = c.back || lead < -clockSlack
	}
	c.database, c.here = database, here
}

// trusted reports whether what is over by the database's clock may be ended.
func (c *clock) trusted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.here.IsZero() || c.here.Before(c.quietUntil) {
		return false
	}
	apart := c.database.Sub(c.here.Round(0)) // the wall's time
	return apart < clockSlack && apart > -clockSlack
}

// wentBack reports once that the clock went back.
func (c *clock) wentBack() bool { return c.once(&c.back) }

// wentAhead reports once that the clock went ahead.
func (c *clock) wentAhead() bool { return c.once(&c.ahead) }

func (c *clock) once(what *bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := *what
	*what = false
	return was
}
