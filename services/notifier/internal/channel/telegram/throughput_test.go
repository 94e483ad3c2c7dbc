package telegram

import (
	"testing"
	"time"

	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// A thousand messages wait for one bot: it sends no faster than it may, and the others do not notice.
func TestSender_aThousandWaitingForOneBot(t *testing.T) {
	const limit, waiting, others = 100, 1000, 20
	start := time.Now()
	d := newDesk(t, func(c *Config) { c.PerBot = limit })
	busy := newShop()
	d.putBot(busy, "1:busy")
	var all []store.Intent
	for chat := range int64(waiting) {
		all = append(all, d.intents(busy, 10_000+chat, 1)...)
	}
	for len(all) > 0 {
		n := min(500, len(all))
		d.record(all[:n]...)
		all = all[n:]
	}
	var quiet []store.Intent
	for i := range int64(others) {
		x := newShop()
		d.putBot(x, "2:quiet")
		quiet = append(quiet, d.intents(x, 100+i, 1)...)
	}
	d.record(quiet...)
	d.wait(waiting + others)
	d.fake.mu.Lock()
	defer d.fake.mu.Unlock()
	var times []time.Time
	before := 0 // of the busy bot's, when the last of the others was sent
	served := 0
	for i, at := range d.fake.at {
		if d.fake.bots[i] == "1:busy" {
			times = append(times, at)
			continue
		}
		if served++; served == others {
			before = len(times)
		}
	}
	if len(times) != waiting || served != others {
		t.Fatalf("%d and %d messages arrived, want %d and %d", len(times), served, waiting, others)
	}
	if before > waiting/2 {
		t.Errorf("the others' %d messages waited for %d of the busy bot's", others, before)
	}
	// However late a busy machine is. That the limit is used, and kept in each second, TestSender_reachesTheLimit shows.
	if rate := float64(waiting) / times[waiting-1].Sub(start).Seconds(); rate > limit {
		t.Errorf("%.0f messages a second over the whole, the limit is %d", rate, limit)
	}
}
