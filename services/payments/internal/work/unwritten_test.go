package work

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// waiting lets deliveries wait, as a process does that runs and follows the outcomes.
func (b *bench) waiting() {
	b.keep()
	b.unwritten.start()
	b.unwritten.followed(true)
}

func (b *bench) open(s store.Sale) (names []string) {
	b.t.Helper()
	rows, err := b.Store.Pool().Query(b.t.Context(), `SELECT key FROM effects WHERE payment_id = $1 AND kind = 'deliver' ORDER BY key`, s.ID)
	if err == nil {
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return names
}

var told = []payment.Kind{payment.Registered, payment.Reported, payment.TokenIssued, payment.MessageQueued, payment.MessageSent}

// sent delivers a sale that waits to be written, and lets notifier send its message.
func (b *bench) sent() store.Sale {
	b.t.Helper()
	s := b.paid()
	if n, err := b.keptDeliveries(); n != 1 || err != nil {
		b.t.Fatal(n, err)
	}
	if d := cmp.Diff(told[:2], b.story(s)); d != "" {
		b.t.Fatalf("history while the outcome is awaited (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"deliver"}, b.open(s)); d != "" {
		b.t.Fatalf("what stands for it until then (-want +got):\n%s", d)
	}
	b.notifier.Settle(s.MerchantID.String(), s.ID.String(), "delivery", notifierv1.NotificationState_NOTIFICATION_STATE_SENT, "")
	return s
}

func (b *bench) wholly(s store.Sale) {
	b.t.Helper()
	if d := cmp.Diff(told, b.story(s)); d != "" {
		b.t.Errorf("history (-want +got):\n%s", d)
	}
	if open := b.open(s); len(open) > 0 {
		b.t.Errorf("left: %v", open)
	}
	buyer, _ := b.messages(s)
	if links := b.links(s); links != 1 || buyer != 1 {
		b.t.Errorf("%d links and %d messages", links, buyer)
	}
}

func TestUnwritten_isWrittenWithItsOutcomeInOnePass(t *testing.T) {
	b := newBench(t)
	b.waiting()
	s := b.sent()
	b.following(b.followNotifier)
	b.until("the message", func() bool { return b.get(s).Message == "sent" })
	b.wholly(s)
	var passes int
	if err := b.Store.Pool().QueryRow(t.Context(), `SELECT count(DISTINCT xmin::text) FROM payment_events WHERE payment_id = $1 AND number > 2`, s.ID).Scan(&passes); err != nil || passes != 1 {
		t.Errorf("%d passes through the ledger, %v", passes, err)
	}
}

// What was followed by another replica is told in order, and the delivery adds nothing when it is written.
func TestUnwritten_outcomeThatAnotherReplicaFollowed(t *testing.T) {
	b := newBench(t)
	b.waiting()
	s := b.sent()
	b.following(newReplica(b).followNotifier)
	b.until("the message", func() bool { return b.get(s).Message == "sent" })
	b.write(t.Context(), b.unwritten.shut())
	b.wholly(s)
}

func TestUnwritten_outcomeThatDoesNotComeIsNotAwaitedForLong(t *testing.T) {
	b := newBench(t)
	b.waiting()
	s := b.paid()
	if n, err := b.keptDeliveries(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	b.unwritten.mu.Lock()
	for _, d := range b.unwritten.order {
		d.since = d.since.Add(-outcomeWait)
	}
	b.unwritten.mu.Unlock()
	b.following(b.writeLate)
	b.until("the delivery", func() bool { return b.get(s).Message == "queued" })
	if d := cmp.Diff(told[:4], b.story(s)); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if open := b.open(s); len(open) > 0 {
		t.Errorf("left: %v", open)
	}
}

func TestUnwritten_writtenAtTheEnd(t *testing.T) {
	b := newBench(t)
	b.unwritten.followed(true)
	b.gateways.Script("h1", paidResult())
	s := b.sale()
	stop := b.following(b.Run)
	b.until("the message", func() bool { buyer, _ := b.messages(s); return buyer == 1 })
	stop()
	if d := cmp.Diff(told[:4], b.story(s)); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if open := b.open(s); len(open) > 0 {
		t.Errorf("left: %v", open)
	}
}

// A process that dies while the outcome is awaited leaves its effect, and whoever finds it makes the delivery again: of one link and one message.
func TestUnwritten_killedWhileItWaits(t *testing.T) {
	b := newBench(t)
	b.waiting()
	s := b.sent() // and it dies
	other := newReplica(b)
	b.following(other.followNotifier)
	b.until("the message", func() bool { return b.get(s).Message == "sent" })
	b.pass(lease)
	rows, err := other.claimDeliveries(t.Context(), 9)
	if len(rows) != 1 || err != nil {
		t.Fatal(rows, err)
	}
	if err := other.deliver(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	b.wholly(s)
}

// When the outcome cannot be written, the delivery is written alone and the outcome is followed again.
func TestUnwritten_outcomeThatFailsLosesNoDelivery(t *testing.T) {
	b := newBench(t)
	b.waiting()
	s := b.sent()
	wrong := errors.New("the cursor stands elsewhere")
	outcome := []ledger.Entry{{Key: store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}, Event: payment.Event{Kind: payment.MessageSent, At: b.clock(), Source: payment.SourceNotifier}}}
	if err := b.Worker.record(t.Context(), outcome, func(context.Context, pgx.Tx) error { return wrong }); !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	if d := cmp.Diff(told[:4], b.story(s)); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	next := b.paid()
	if n, err := b.keptDeliveries(); n != 1 || err != nil || b.get(next).Message != "queued" {
		t.Errorf("%d, %v: a delivery waits although somebody else follows the outcomes", n, err)
	}
	b.following(b.followNotifier)
	b.until("the message", func() bool { return b.get(s).Message == "sent" })
	b.wholly(s)
}

func TestUnwritten_takesEachOnceAndTheOldestFirst(t *testing.T) {
	u := newUnwritten()
	now := time.Now()
	sale := func() store.Key {
		return store.Key{MerchantID: payment.MerchantID(uuid.New()), PaymentID: payment.ID(uuid.New())}
	}
	keys := []store.Key{sale(), sale(), sale()}
	put := func(i int, age time.Duration) bool {
		return u.put(delivered{effect: store.Effect{Key: keys[i]}, since: now.Add(-age)})
	}
	u.followed(true)
	if put(0, 0) {
		t.Error("one waits although nothing runs")
	}
	u.start()
	if !put(0, outcomeWait) || !put(1, time.Second) || !put(2, 0) || put(2, 0) {
		t.Fatal("three sales wait, each once")
	}
	if got := u.of([]ledger.Entry{{Key: keys[1]}, {Key: keys[1]}, {Key: sale()}}); len(got) != 1 || got[0].effect.Key != keys[1] {
		t.Errorf("with their outcomes: %v", got)
	}
	if got, rest := u.due(now, false); len(got) != 1 || got[0].effect.Key != keys[0] || rest != outcomeWait {
		t.Errorf("late: %v, and %s until the next", got, rest)
	}
	if got := u.shut(); len(got) != 1 || got[0].effect.Key != keys[2] || put(0, 0) {
		t.Errorf("at the end: %v", got)
	}
}
