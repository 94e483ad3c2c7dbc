package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// outcome is what notifier says of the buyer's message.
func (b *bench) outcome(s store.Sale, kind payment.Kind) Entry {
	e := b.event(s, kind, nil)
	e.Event.Source, e.TraceID = payment.SourceNotifier, "4bf92f3577b34da6a3ce929d0e0e4736"
	return e
}

func (b *bench) kindsOf(s store.Sale) (kinds []payment.Kind) {
	b.t.Helper()
	for _, e := range b.history(s) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// Another replica, or the same one after a crash, may follow an outcome before its delivery is written: the story is told in order all the same, and
// what is written then tells nothing twice.
func TestApply_outcomeBeforeItsDeliveryIsWritten(t *testing.T) {
	for _, kind := range []payment.Kind{payment.MessageSent, payment.MessageFailed, payment.MessageUnsure} {
		b := newBench(t)
		s := b.sale1()
		b.apply(b.reported(s, payment.StatusPaid, 1990))
		b.now = b.now.Add(time.Second)
		b.apply(b.outcome(s, kind))
		want := []payment.Kind{payment.Imported, payment.Reported, payment.TokenIssued, payment.MessageQueued, kind}
		if d := cmp.Diff(want, b.kindsOf(s)); d != "" {
			t.Fatalf("history (-want +got):\n%s", d)
		}
		for _, e := range b.history(s)[2:] {
			if !e.At.Equal(b.now) || e.TraceID == "" {
				t.Errorf("%s at %s in trace %q", e.Kind, e.At, e.TraceID)
			}
		}
		b.apply(b.event(s, payment.TokenIssued, nil), b.event(s, payment.MessageQueued, nil))
		if d := cmp.Diff(want, b.kindsOf(s)); d != "" {
			t.Errorf("history when the delivery is written (-want +got):\n%s", d)
		}
		if got := b.get(s); got.TokenIssuedAt == nil || got.Message == "" || got.Message == "queued" {
			t.Errorf("fulfilment: %+v", got.Fulfilment)
		}
	}
}

func TestApply_outcomeBeforeItsDeliveryIsWrittenOfARefundedSaleClosesTheLink(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	b.apply(b.reported(s, payment.StatusPaid, 1990), b.reported(s, payment.StatusRefunded, 1990))
	b.effects(KindRevoke) // found no link
	b.apply(b.outcome(s, payment.MessageSent))
	if d := cmp.Diff([]payment.Kind{payment.Imported, payment.Reported, payment.Reported, payment.TokenIssued, payment.MessageQueued, payment.MessageSent}, b.kindsOf(s)); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if got := b.effects(KindRevoke); len(got) != 2 || got[1] != "revoke:4" {
		t.Errorf("orders to close the link: %v", got)
	}
}

func TestApply_outcomesThatProveNoDelivery(t *testing.T) {
	b := newBench(t)
	never := b.sale1()
	b.apply(b.outcome(never, payment.MessageSent))
	if d := cmp.Diff([]payment.Kind{payment.Imported, payment.MessageSent}, b.kindsOf(never)); d != "" {
		t.Errorf("of a sale whose delivery was never ordered (-want +got):\n%s", d)
	}
	elsewhere := b.sale(2)
	elsewhere.DeliveredElsewhere, elsewhere.DeliveredEver = true, true
	elsewhere = b.record(elsewhere)[0].Sale
	b.apply(b.outcome(elsewhere, payment.MessageSent))
	if d := cmp.Diff([]payment.Kind{payment.Imported, payment.MessageSent}, b.kindsOf(elsewhere)); d != "" {
		t.Errorf("of a sale that another system delivered (-want +got):\n%s", d)
	}
	refused := b.record(b.sale(3))[0].Sale
	b.apply(b.reported(refused, payment.StatusPaid, 1990), b.event(refused, payment.MessageFailed, nil)) // by ourselves: there is no message
	if d := cmp.Diff([]payment.Kind{payment.Imported, payment.Reported, payment.MessageFailed}, b.kindsOf(refused)); d != "" {
		t.Errorf("of a message that could not be made (-want +got):\n%s", d)
	}
	shown := b.record(b.sale(4))[0].Sale
	b.apply(b.reported(shown, payment.StatusPaid, 1990), b.event(shown, payment.TokenIssued, nil), b.outcome(shown, payment.MessageSent))
	if d := cmp.Diff([]payment.Kind{payment.Imported, payment.Reported, payment.TokenIssued, payment.MessageQueued, payment.MessageSent}, b.kindsOf(shown)); d != "" {
		t.Errorf("of a sale whose page made the link (-want +got):\n%s", d)
	}
}
