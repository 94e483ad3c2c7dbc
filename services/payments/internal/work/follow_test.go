package work

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	opened   = deliveryv1.OutcomeKind_OUTCOME_KIND_OPENED
	queued   = deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_QUEUED
	purchase = deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_SENT
)

// following runs a follower until the test ends or the returned function is called.
func (b *bench) following(follow func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = follow(ctx) }()
	stop = func() { cancel(); <-done }
	b.t.Cleanup(stop)
	return stop
}

func TestFollow_outcomesBecomeLinesAndNews(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.settle()
	b.following(b.followDelivery)
	b.following(b.followNotifier)
	b.notifier.Settle(s.MerchantID.String(), s.ID.String(), "delivery", notifierv1.NotificationState_NOTIFICATION_STATE_SENT, "")
	b.until("the message", func() bool { return b.get(s).Message == "sent" })
	for _, kind := range []deliveryv1.OutcomeKind{opened, queued, purchase} {
		b.delivery.Emit(s.MerchantID.String(), s.ID.String(), kind, "detail")
	}
	b.until("the Purchase", func() bool { return b.get(s).Purchase == "sent" })
	got := b.get(s)
	if got.MessageSentAt == nil || got.OpenedAt == nil {
		t.Errorf("fulfilment: %+v", got.Fulfilment)
	}
	want := map[payment.Kind]int{payment.Registered: 1, payment.Reported: 1, payment.TokenIssued: 1, payment.MessageQueued: 1, payment.MessageSent: 1,
		payment.Opened: 1, payment.PurchaseQueued: 1, payment.PurchaseSent: 1}
	if d := cmp.Diff(want, b.kinds(s)); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	b.settle()
	_, owner := b.messages(s)
	if d := cmp.Diff(map[string]int{"payment_update paid": 1, "delivery_sent delivered": 1, "delivery_opened opened": 1, "purchase_sent sent": 1}, owner); d != "" {
		t.Errorf("owner (-want +got):\n%s", d)
	}
}

func TestFollow_undeliverableMessageIsAnAlert(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.settle()
	b.notifier.Settle(s.MerchantID.String(), s.ID.String(), "delivery", notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE, "blocked")
	b.following(b.followNotifier)
	b.until("the refusal", func() bool { return b.get(s).Message == "undeliverable" })
	if got := b.get(s); got.MessageReason != "blocked" {
		t.Errorf("reason %q", got.MessageReason)
	}
	b.settle()
	if _, owner := b.messages(s); owner["alert message_failed"] != 1 {
		t.Errorf("owner: %v", owner)
	}
}

func TestFollow_brokenStreamsLoseAndDoubleNothing(t *testing.T) {
	b := newBench(t)
	second := newReplica(b)
	var sales []store.Sale
	for range 20 {
		sales = append(sales, b.sale())
	}
	b.following(b.followDelivery)
	b.following(second.followDelivery)
	for i, s := range sales {
		if i%7 == 3 {
			b.delivery.Down(codes.Unavailable)
			b.delivery.Up()
		}
		b.delivery.Emit(s.MerchantID.String(), s.ID.String(), opened, "")
		b.delivery.Emit(s.MerchantID.String(), s.ID.String(), queued, "")
	}
	b.delivery.Emit(uuid.NewString(), uuid.NewString(), opened, "") // a sale that is not here
	b.delivery.Emit("nobody", "nothing", opened, "")
	last := b.sale()
	b.delivery.Emit(last.MerchantID.String(), last.ID.String(), purchase, "")
	b.until("the last outcome", func() bool { return b.get(last).Purchase == "sent" })
	for i, s := range sales {
		if k := b.kinds(s); k[payment.Opened] != 1 || k[payment.PurchaseQueued] != 1 {
			t.Errorf("sale %d: %v", i, k)
		}
	}
	at, err := b.Store.Cursor(t.Context(), "delivery")
	if err != nil || at != "1-43" {
		t.Errorf("cursor %q, %v", at, err)
	}
}

// newReplica is another worker on the same database and leaves.
func newReplica(b *bench) *Worker {
	b.t.Helper()
	c := b.Config
	c.Wakers = NewWakers()
	w, err := New(c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(w.slow.Wait)
	return w
}

func TestFollow_wordsOfAnotherVersionArePassedOver(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	b.following(b.followDelivery)
	b.delivery.Emit(s.MerchantID.String(), s.ID.String(), deliveryv1.OutcomeKind(77), "")
	b.delivery.Emit(s.MerchantID.String(), s.ID.String(), opened, "")
	b.until("the page", func() bool { return b.get(s).OpenedAt != nil })
	if k := b.kinds(s); len(k) != 2 {
		t.Errorf("history: %v", k)
	}
}

func TestWorker_runsEverythingUntilItIsStopped(t *testing.T) {
	b := newBench(t)
	b.notifier.AutoSend()
	var all []store.Sale
	for range 5 {
		s := b.sale()
		b.gateways.Script(s.Charge.Hash, paidResult())
		all = append(all, s)
	}
	second := newReplica(b)
	stop1, stop2 := b.following(b.Run), b.following(second.Run)
	for _, s := range all {
		b.until("the message", func() bool { return b.get(s).Message == "sent" })
	}
	b.until("the owners", func() bool {
		for _, s := range all {
			if _, owner := b.messages(s); owner["delivery_sent delivered"] != 1 {
				return false
			}
		}
		return true
	})
	stop1()
	stop2()
	for _, s := range all {
		buyer, owner := b.messages(s)
		if buyer != 1 || b.links(s) != 1 || owner["payment_update paid"] != 1 || b.gateways.Looks(s.Charge.Hash) != 1 {
			t.Errorf("%d messages, %d links, %d looks, owner %v", buyer, b.links(s), b.gateways.Looks(s.Charge.Hash), owner)
		}
	}
	// While the clock stands each kind notes its first run. Those of a followed log may have begun with nothing to do.
	var names int
	if err := b.Store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM work_runs WHERE worked > 0 AND name IN ('poll', 'deliver', 'owner')`).Scan(&names); err != nil || names != 3 {
		t.Errorf("%d kinds of work noted their runs, %v", names, err)
	}
}

func TestNew_namesWhatIsMissing(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}

func TestBackoff_growsToFiveMinutes(t *testing.T) {
	last := time.Duration(0)
	for n := range 40 {
		d := backoff(n)
		if d < last || d > 5*time.Minute || n == 0 && d != time.Second {
			t.Errorf("attempt %d waits %s after %s", n, d, last)
		}
		last = d
	}
	if last != 5*time.Minute {
		t.Errorf("the longest wait is %s", last)
	}
}
