package work

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// hand stores a webhook as the inbox does: with the lease of this process and handed over, where there is room for it.
func (b *bench) hand(provider, body string) (taken bool) {
	b.t.Helper()
	h := b.posted(provider, body)
	h.Lease, taken = b.Wakers.Hooks.Until(b.clock(), int64(len(body)))
	if _, err := b.Store.InsertWebhooks(b.t.Context(), []store.Webhook{h}); err != nil {
		b.t.Fatal(err)
	}
	if h.Body = nil; taken {
		b.Wakers.Hooks.Take([]store.Webhook{h})
	} else {
		b.Wakers.Hooks.Note()
	}
	return taken
}

// handing lets webhooks be handed over, whose bodies are opened by whoever stored them.
func (b *bench) handing() (giveBack func(context.Context) error) {
	b.OpenBody = func(h store.Webhook) ([]byte, error) {
		if h.Opened == nil {
			return nil, fmt.Errorf("webhook %s was read from the table", uuid.UUID(h.ID))
		}
		return h.Opened, nil
	}
	return b.holdHooks(b.t.Context())
}

func (b *bench) handedReads() int {
	b.t.Helper()
	n, err := once(b, b.claimHooks, b.readAndLook)
	b.slow.Wait()
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestHooks_storedHereIsReadHereWithoutAClaim(t *testing.T) {
	b := newBench(t)
	b.handing()
	s := b.young()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	if !b.hand("atomopay", `{"hash":"`+s.Charge.Hash+`","status":"paid","amount":1990}`) {
		t.Fatal("there was no room for one webhook")
	}
	if rows, err := newReplica(b).claimHooks(t.Context(), 100); len(rows) != 0 || err != nil {
		t.Fatalf("another replica claimed %d, %v: it is this one's", len(rows), err)
	}
	if n := b.handedReads(); n != 1 || b.get(s).State != payment.Paid {
		t.Fatalf("%d read, the sale is %s", n, b.get(s).State)
	}
	if state, _, due := b.hook(); state != "matched" || due != nil {
		t.Errorf("webhook: %s, due %v", state, due)
	}
	b.pass(time.Hour)
	if rows, err := b.claimWebhooks(t.Context(), 100); len(rows) != 0 || err != nil {
		t.Errorf("%d left, %v", len(rows), err)
	}
}

func TestHooks_aDeadReplicasWebhooksAreReadWhenTheirLeaseEnds(t *testing.T) {
	b := newBench(t)
	b.handing()
	b.hand("atomopay", `{"hash":"nobody","status":"paid","amount":1990}`) // and it dies
	other := newReplica(b)
	b.pass(hookLease + time.Second)
	rows, err := other.claimHooks(t.Context(), 100)
	if len(rows) != 1 || err != nil {
		t.Fatalf("%d, %v", len(rows), err)
	}
	if n := b.handedReads(); n != 0 { // it was only slow
		t.Errorf("began %d whose lease is over", n)
	}
}

func TestHooks_whatCannotBeBegunInTimeIsGivenToTheTable(t *testing.T) {
	b := newBench(t)
	b.handing()
	b.hand("atomopay", `{"hash":"nobody","status":"paid","amount":1990}`)
	b.pass(hookLease - hookLeft + time.Second)
	if n := b.handedReads(); n != 0 {
		t.Fatalf("began %d whose lease may end while it is read", n)
	}
	if rows, err := newReplica(b).claimHooks(t.Context(), 100); len(rows) != 1 || err != nil {
		t.Errorf("the table gives %d, %v", len(rows), err)
	}
}

func TestHooks_onlySoMuchIsHeld(t *testing.T) {
	b := newBench(t)
	b.handing()
	for name, h := range map[string]store.Webhook{"bytes": {Opened: make([]byte, hookBytes)}, "waits": {ReceivedAt: b.clock().Add(-hookFor - time.Second)}} {
		h.Lease = b.clock().Add(hookLease)
		if h.ReceivedAt.IsZero() {
			h.ReceivedAt = b.clock()
		}
		b.Wakers.Hooks.Take([]store.Webhook{h})
		if _, ok := b.Wakers.Hooks.Until(b.clock(), 100); ok {
			t.Errorf("%s: another one is taken", name)
		}
		b.Wakers.Hooks.take(1, b.clock())
		if _, ok := b.Wakers.Hooks.Until(b.clock(), 100); !ok {
			t.Errorf("%s: none is taken although none is held", name)
		}
	}
}

func TestHooks_stoppedGivesBack(t *testing.T) {
	b := newBench(t)
	giveBack := b.handing()
	b.hand("atomopay", `{"hash":"nobody","status":"paid","amount":1990}`)
	if err := giveBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.hand("atomopay", `{"hash":"nobody","status":"paid","amount":1991}`) {
		t.Error("took one after the end")
	}
	if rows, err := newReplica(b).claimHooks(t.Context(), 100); len(rows) != 2 || err != nil {
		t.Errorf("another replica has %d of 2, %v", len(rows), err)
	}
}

func TestYield_readingStepsBackAndNeverStarves(t *testing.T) {
	b := newBench(t)
	b.handing()
	pressed := false
	b.Pressed = func() bool { return pressed }
	b.hand("atomopay", `{"hash":"nobody","status":"paid","amount":1990}`)
	if d := b.yieldToStoring(); d != 0 {
		t.Errorf("waits %s although nothing presses", d)
	}
	pressed = true
	if d := b.yieldToStoring(); d != yieldStep {
		t.Errorf("waits %s, want steps of %s", d, yieldStep)
	}
	b.pass(yieldFor - 10*time.Millisecond)
	if d := b.yieldToStoring(); d != 10*time.Millisecond {
		t.Errorf("waits %s, want what is left of %s", d, yieldFor)
	}
	b.pass(10 * time.Millisecond)
	if d := b.yieldToStoring(); d != 0 {
		t.Errorf("waits %s for a webhook that has waited long enough", d)
	}
	if n := b.handedReads(); n != 1 {
		t.Errorf("%d read", n)
	}
	b.Wakers.Hooks.Note() // the table's wait no longer
	if d := b.yieldToStoring(); d != yieldStep {
		t.Errorf("the table's wait %s, want steps of %s", d, yieldStep)
	}
	b.pass(yieldFor)
	if d := b.yieldToStoring(); d != 0 {
		t.Errorf("the table's wait %s more", d)
	}
}

// While the flood goes on, what it brought is read by the loop, and in the end all of it.
func TestYield_aFloodIsReadWhileItGoesOn(t *testing.T) {
	b := newBench(t)
	b.holdHooks(t.Context())
	b.OpenBody = func(h store.Webhook) ([]byte, error) {
		if h.Opened != nil {
			return h.Opened, nil
		}
		return []byte(`{"hash":"table","status":"paid","amount":1990}`), nil
	}
	b.Pressed = func() bool { return true }
	const hooks = 30
	post := func(n int) {
		for i := range n {
			if i%3 == 0 {
				b.post("atomopay", "sealed")
				b.Wakers.Hooks.Note()
			} else {
				b.hand("atomopay", fmt.Sprintf(`{"hash":"nobody%d","status":"paid","amount":1990}`, i))
			}
		}
	}
	count := func(state string) (n int) {
		if err := b.Store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM webhooks WHERE state = $1`, state).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	asked := make(chan struct{}, 1000)
	yield := func() time.Duration {
		d := b.yieldToStoring()
		if d > 0 {
			select {
			case asked <- struct{}{}:
			default:
			}
		}
		return d
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	post(hooks)
	go func() {
		ended <- loop(b.Worker, NameWebhooks, b.Wakers.Webhooks, 1, 10, pace{yield: yield}, b.claimHooks, b.readAndLook)(ctx)
	}()
	for range 3 {
		<-asked
	}
	if n := count("new"); n != hooks {
		t.Errorf("%d of %d wait while others are being stored", n, hooks)
	}
	b.pass(yieldFor)
	b.until("the first to be read", func() bool { return count("parked") == hooks })
	post(hooks)
	b.pass(yieldFor)
	b.until("all to be read", func() bool { return count("parked") == 2*hooks })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
