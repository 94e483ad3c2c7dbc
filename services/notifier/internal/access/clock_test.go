package access

import (
	"testing"
	"time"
)

func TestClock_jumps(t *testing.T) {
	start := time.Now()
	at := func(real, database time.Duration) (time.Time, time.Time) { return start.Add(database), start.Add(real) }
	var c clock
	if c.trusted() {
		t.Error("a clock that was never seen is trusted")
	}
	c.see(at(0, 0))
	c.see(at(time.Second, time.Second))
	if !c.trusted() || c.wentAhead() || c.wentBack() {
		t.Error("a steady clock is not trusted")
	}
	c.see(at(2*time.Second, 30*24*time.Hour)) // the database is in next month
	if c.trusted() || !c.wentAhead() || c.wentAhead() {
		t.Error("a jump ahead is trusted, or not said once")
	}
	c.see(at(3*time.Second, 3*time.Second)) // and comes back
	if c.trusted() || !c.wentBack() || c.wentBack() {
		t.Error("after a jump ahead and back: trusted, or the way back not said once")
	}
	c.see(at(20*time.Minute, 20*time.Minute))
	if !c.trusted() {
		t.Error("a quiet time later it is not trusted again")
	}
	// A clock that is apart from this machine's is never trusted, however steadily it goes.
	var apart clock
	apart.see(at(0, time.Hour))
	apart.see(at(time.Hour, 2*time.Hour))
	if apart.trusted() {
		t.Error("a clock an hour ahead of this machine's is trusted")
	}
}
