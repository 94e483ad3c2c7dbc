package work

import (
	"context"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// keptDeliveries claims as the loop of deliveries does.
func (b *bench) keptDeliveries() (int, error) {
	return once(b, b.Wakers.kept[ledger.KindDeliver].claim(b.Now, b.claimDeliveries), b.deliver)
}

func TestKept_orderedHereIsCarriedOutHereWithoutAClaim(t *testing.T) {
	b := newBench(t)
	b.keep()
	s := b.paid()
	if n, err := newReplica(b).claimDeliveries(t.Context(), 100); len(n) != 0 || err != nil {
		t.Fatalf("another replica claimed %d, %v: it is this one's", len(n), err)
	}
	if n, err := b.keptDeliveries(); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if buyer, _ := b.messages(s); buyer != 1 || b.get(s).Message != "queued" {
		t.Errorf("%d messages, the sale says %q", buyer, b.get(s).Message)
	}
	b.pass(time.Hour)
	if n, err := b.claimDeliveries(t.Context(), 100); len(n) != 0 || err != nil {
		t.Errorf("%d left, %v", len(n), err)
	}
}

func TestKept_aDeadReplicasWorkIsTakenOverWhenItsLeaseEnds(t *testing.T) {
	b := newBench(t)
	b.keep()
	s := b.paid() // and it dies
	other := newReplica(b)
	b.pass(lease + time.Second)
	rows, err := other.claimDeliveries(t.Context(), 100)
	if len(rows) != 1 || err != nil {
		t.Fatalf("%d, %v", len(rows), err)
	}
	if err := other.deliver(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if n, err := b.keptDeliveries(); n != 0 || err != nil { // it was only slow
		t.Errorf("began %d whose lease is over, %v", n, err)
	}
	if buyer, _ := b.messages(s); buyer != 1 {
		t.Errorf("%d messages", buyer)
	}
}

func TestKept_refundWhileItWaitedIsNotDelivered(t *testing.T) {
	b := newBench(t)
	b.keep()
	s := b.paid()
	if _, err := b.Store.Pool().Exec(t.Context(), `UPDATE payments SET state = 'refunded' WHERE id = $1`, s.ID); err != nil {
		t.Fatal(err)
	}
	b.pass(freshFor)
	if n, err := b.keptDeliveries(); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if buyer, _ := b.messages(s); buyer != 0 || b.links(s) != 0 {
		t.Errorf("%d messages and %d links for a sale that was refunded", buyer, b.links(s))
	}
}

func TestKept_stoppedGivesBack(t *testing.T) {
	b := newBench(t)
	giveBack := b.keep()
	b.paid()
	if err := giveBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := newReplica(b).claimDeliveries(t.Context(), 100); len(n) != 1 || err != nil {
		t.Errorf("another replica claimed %d, %v", len(n), err)
	}
	b.paid()
	if n, err := b.claimDeliveries(t.Context(), 100); len(n) != 1 || err != nil {
		t.Errorf("kept although it stopped: %d, %v", len(n), err)
	}
}

func TestKept_tableIsAskedBesideWhatIsKept(t *testing.T) {
	k := &kept{wake: queue.NewWaker()}
	k.start()
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	due := func(n int) (rows []store.Effect) {
		for range n {
			rows = append(rows, store.Effect{DueAt: now, Lease: now.Add(lease)})
		}
		return rows
	}
	var asked []int
	claim := k.claim(func() time.Time { return now }, func(_ context.Context, limit int) ([]store.Effect, error) {
		asked = append(asked, limit)
		return due(limit), nil
	})
	get := func(want int) {
		t.Helper()
		if rows, err := claim(t.Context(), 10); len(rows) != want || err != nil {
			t.Fatalf("%d, %v, want %d", len(rows), err, want)
		}
	}
	k.put(due(27))
	get(10) // of which the table gave five, and may have more
	get(10)
	k.mu.Lock()
	k.more = false
	k.mu.Unlock()
	get(10) // of what is kept alone: the table was asked just now
	if want := []int{5, 5}; len(asked) != 2 || asked[0] != want[0] || asked[1] != want[1] {
		t.Errorf("the table was asked for %v, want %v", asked, want)
	}
	if _, ok := k.until(now.Add(keepFor + time.Millisecond)); ok {
		t.Error("more is kept although the oldest has waited for long")
	}
	if rows := k.take(10, now.Add(lease-keepLeft+time.Millisecond)); len(rows) != 0 {
		t.Errorf("%d begun shortly before their lease ends", len(rows))
	}
	if _, ok := k.until(now); !ok {
		t.Error("nothing is kept although nothing waits")
	}
}
