package work

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// unreachable is a paid sale whose buyer blocked the bot, as everybody knows.
func (b *bench) unreachable() store.Sale {
	b.t.Helper()
	s := b.paid()
	b.settle()
	b.notifier.Settle(s.MerchantID.String(), s.ID.String(), "delivery", notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE, "blocked")
	b.following(b.followNotifier)
	b.until("the refusal", func() bool { return b.get(s).Message == "undeliverable" })
	return s
}

func (b *bench) order(s store.Sale, o ledger.ResendOrder) {
	b.t.Helper()
	_, err := b.Ledger.Apply(b.t.Context(), []ledger.Entry{{Key: store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}, Resend: &o,
		Details: map[string]string{"order": o.Word()}, Event: payment.Event{Kind: payment.ResendOrdered, At: b.clock(), Source: payment.SourceAPI}}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// told are the links of the buyer's messages, in order.
func (b *bench) told(s store.Sale) (urls []string) {
	for _, r := range b.notifier.Requests() {
		if r.GetPaymentId() == s.ID.String() && r.GetBuyerMessage() != nil {
			urls = append(urls, r.GetBuyerMessage().GetUrl())
		}
	}
	return urls
}

func TestResend_sameLinkInAnotherMessage(t *testing.T) {
	b := newBench(t)
	s := b.unreachable()
	b.order(s, ledger.ResendOrder{Key: "1"})
	if got := b.get(s); got.Message != "queued" || got.MessageReason != "" {
		t.Errorf("ordered: %+v", got.Fulfilment)
	}
	b.settle()
	urls := b.told(s)
	if len(urls) != 2 || urls[0] != urls[1] {
		t.Errorf("told %v, want the same link twice", urls)
	}
	b.notifier.Settle(s.MerchantID.String(), s.ID.String(), "delivery:1", notifierv1.NotificationState_NOTIFICATION_STATE_SENT, "")
	b.until("the second message", func() bool { return b.get(s).Message == "sent" })
	b.settle()
	if _, owner := b.messages(s); owner["delivery_sent delivered"] != 1 {
		t.Errorf("owner: %v", owner)
	}
	if k := b.kinds(s); k[payment.ResendOrdered] != 1 || k[payment.MessageSent] != 1 || k[payment.TokenRegenerated] != 0 {
		t.Errorf("history: %v", k)
	}
}

func TestResend_newLinkOnceHoweverOftenItCrashes(t *testing.T) {
	b := newBench(t)
	s := b.unreachable()
	b.order(s, ledger.ResendOrder{Key: "1", Regenerate: true})
	b.notifier.FailNext(1, "Notify", codes.Unavailable) // the link is made, the message is not
	if n, err := b.tokens(); n != 1 || status.Code(err) != codes.Unavailable {
		t.Fatal(n, err)
	}
	b.pass(awayFor)
	b.settle()
	urls := b.told(s)
	if len(urls) != 2 || urls[0] == urls[1] || b.link(s).GetGeneration() != 1 {
		t.Errorf("told %v, link %v; want one new link", urls, b.link(s))
	}
	if k := b.kinds(s); k[payment.TokenRegenerated] != 1 {
		t.Errorf("history: %v", k)
	}
	// The process died after both calls and before it noted them: the order is there again.
	b.order(s, ledger.ResendOrder{Key: "1", Regenerate: true})
	b.settle()
	if again := b.told(s); len(again) != 2 || b.link(s).GetGeneration() != 1 {
		t.Errorf("told %v, link %v; want nothing more", again, b.link(s))
	}
}

func TestResend_messageThatEndedBeforeItWasNoted(t *testing.T) {
	b := newBench(t)
	s := b.unreachable()
	b.order(s, ledger.ResendOrder{Key: "1"})
	rows, err := b.claimTokens(t.Context(), 10)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if _, err := b.notifyAgain(t.Context(), b.get(s), ledger.ResendOrder{Key: "1"}, "https://pay.example.com/delivery/x"); err != nil {
		t.Fatal(err)
	}
	b.notifier.Settle(s.MerchantID.String(), s.ID.String(), "delivery:1", notifierv1.NotificationState_NOTIFICATION_STATE_SENT, "")
	b.until("the message", func() bool { return b.get(s).Message == "sent" })
	if err := b.changeTokens(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if got := b.get(s); got.Message != "sent" {
		t.Errorf("message is %q again", got.Message)
	}
	if n, _ := b.tokens(); n != 0 {
		t.Errorf("%d orders are left", n)
	}
}

func TestResend_linkOnlySendsNothing(t *testing.T) {
	b := newBench(t)
	s := b.unreachable()
	b.order(s, ledger.ResendOrder{Key: "1", LinkOnly: true})
	b.order(s, ledger.ResendOrder{Key: "2", LinkOnly: true, Regenerate: true})
	b.settle()
	if urls := b.told(s); len(urls) != 1 || b.get(s).Message != "undeliverable" || b.link(s).GetGeneration() != 1 {
		t.Errorf("told %v, message %q, link %v", urls, b.get(s).Message, b.link(s))
	}
}

func TestResend_refundCameFirst(t *testing.T) {
	b := newBench(t)
	s := b.unreachable()
	b.order(s, ledger.ResendOrder{Key: "1"})
	b.reports(s, gatewaystest.Refunded(1990))
	b.settle()
	if urls := b.told(s); len(urls) != 1 {
		t.Errorf("told %v after the money went back", urls)
	}
	if got := b.get(s); got.Message != "undeliverable" || got.MessageReason != "not_paid" {
		t.Errorf("message: %+v", got.Fulfilment)
	}
}

func TestFollow_whatTheOwnerMustDoIsAnAlert(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.settle()
	b.following(b.followDelivery)
	for kind, detail := range map[deliveryv1.OutcomeKind]string{
		deliveryv1.OutcomeKind_OUTCOME_KIND_PIXEL_PAUSED:   "Meta error 190 (HTTP 400)",
		deliveryv1.OutcomeKind_OUTCOME_KIND_PIXEL_MISSING:  "",
		deliveryv1.OutcomeKind_OUTCOME_KIND_ACCESS_MISSING: "no_access",
	} {
		b.delivery.Emit(s.MerchantID.String(), s.ID.String(), kind, detail)
	}
	b.until("three lines", func() bool {
		k := b.kinds(s)
		return k[payment.PixelPaused] == 1 && k[payment.PixelMissing] == 1 && k[payment.AccessMissing] == 1
	})
	b.settle()
	_, owner := b.messages(s)
	for _, want := range strings.Fields("pixel_paused pixel_missing access_missing") {
		if owner["alert "+want] != 1 {
			t.Errorf("owner: %v, want an alert %s", owner, want)
		}
	}
}
