package deployment

import (
	"testing"
	"time"
)

// Within is how long a test waits for what happens at once on an idle machine; machines that test are not idle.
const Within = 3 * time.Minute

// Slack is how late a busy machine may be.
const Slack = 3 * time.Second

const lookEvery = 25 * time.Millisecond

// Eventually waits until cond is true, and fails the test when it is not within the limit. what says what was awaited; found, when
// not nil, says what there is instead.
func Eventually(t testing.TB, within time.Duration, what string, cond func() bool, found ...func() string) {
	t.Helper()
	if Happens(within, cond) {
		return
	}
	for _, f := range found {
		what += "; there is " + f()
	}
	t.Fatalf("not within %v: %s", within, what)
}

// Happens is Eventually that only says whether it came true.
func Happens(within time.Duration, cond func() bool) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if cond() {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return cond()
		}
	}
}
