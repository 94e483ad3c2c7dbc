package explain

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// told adds a message that notifier knows of.
func (s *scene) told(kind string, state notifierv1.NotificationState, reason string) *notifierv1.Notification {
	n := &notifierv1.Notification{Kind: kind, Channel: notifierv1.Channel_CHANNEL_TELEGRAM, State: state, Reason: reason, CreatedAt: timestamppb.New(s.now)}
	if state == notifierv1.NotificationState_NOTIFICATION_STATE_SENT {
		n.SentAt = timestamppb.New(s.now)
	}
	s.in.Notifications = append(s.in.Notifications, n)
	return n
}

func texts(s Story) string {
	var out []string
	for _, l := range s.Timeline {
		out = append(out, l.Text)
	}
	return strings.Join(out, "\n")
}

// A notice about the access is no link: a buyer whom the link never reached has not got it because a later notice arrived.
func TestTell_noticesAreNoLink(t *testing.T) {
	s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456)
	s.note(payment.TokenIssued, payment.SourceSystem).note(payment.MessageQueued, payment.SourceSystem)
	s.after(time.Second).note(payment.MessageFailed, payment.SourceNotifier, "reason", "not_started")
	s.told("delivery", notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE, "not_started")
	s.after(time.Hour)
	s.told("access_revoked", notifierv1.NotificationState_NOTIFICATION_STATE_SENT, "")
	s.told("access_restored", notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE, "blocked")
	s.told("in_review", notifierv1.NotificationState_NOTIFICATION_STATE_SKIPPED, "")
	story := s.tell(wording.English)
	all := texts(story)
	for _, want := range []string{"The buyer got the notice that the access has ended by Telegram.", "The buyer does not get the notice that the access is back: the buyer blocked the bot."} {
		if strings.Count(all, want) != 1 {
			t.Errorf("%q is not told once in\n%s", want, all)
		}
	}
	if strings.Contains(all, "with the link was sent") || strings.Contains(all, "being checked") || !strings.Contains(story.Summary, "did NOT get the link") {
		t.Errorf("%s\n%s", story.Summary, all)
	}
}

// The bot that carried a message in place of the sale's is named, and why it did; before the history knows of it as well.
func TestTell_whichBotCarriedIt(t *testing.T) {
	const fallback = "0193b5d2-0000-7000-8000-000000000009"
	for name, lead := range map[string]func(s *scene){
		"in the history": func(s *scene) {
			s.note(payment.MessageSent, payment.SourceNotifier, "carrier", fallback, "carrier_because", "bot_unauthorized")
		},
		"not yet": func(s *scene) {
			n := s.told("delivery", notifierv1.NotificationState_NOTIFICATION_STATE_SENT, "")
			n.CarrierBotId, n.CarrierBecause = fallback, "bot_unauthorized"
		},
	} {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456)
		s.note(payment.TokenIssued, payment.SourceSystem).after(time.Second)
		lead(s)
		s.in.Bots = map[string]string{fallback: "clube_reserva"}
		for l, want := range map[wording.Lang]string{
			wording.Portuguese: "pelo Telegram, pelo bot reserva “clube_reserva” (com o da venda: o Telegram não aceita o token do bot).",
			wording.English:    "by Telegram, by the fallback bot “clube_reserva” (with the sale's own: Telegram does not accept the bot's token).",
		} {
			if all := texts(s.tell(l)); strings.Count(all, want) != 1 {
				t.Errorf("%s: %q is not told once in\n%s", name, want, all)
			}
		}
		s.in.Bots = nil
		if all := texts(s.tell(wording.English)); !strings.Contains(all, "by the fallback bot “"+fallback+"”") {
			t.Errorf("%s: a bot without a name is not called by its id in\n%s", name, all)
		}
	}
}

func TestTell_metaDoesNotAnswer(t *testing.T) {
	s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456).delivers()
	s.after(time.Minute).note(payment.Opened, payment.SourceDelivery).note(payment.PurchaseQueued, payment.SourceDelivery)
	s.in.Delivery = &deliveryv1.Delivery{Purchase: &deliveryv1.Purchase{State: deliveryv1.PurchaseState_PURCHASE_STATE_QUEUED, Attempts: 2, Reason: "no answer in time"}}
	if got := s.tell(wording.English).Next; !strings.Contains(got, "has not reached Meta yet: 2 attempts failed (Meta did not answer in time)") {
		t.Errorf("while Meta is silent: %s", got)
	}
	s.after(time.Minute).note(payment.PurchaseSent, payment.SourceDelivery)
	s.in.Delivery.Purchase = &deliveryv1.Purchase{State: deliveryv1.PurchaseState_PURCHASE_STATE_SENT, Attempts: 3, SentAt: timestamppb.New(s.now)}
	if all := texts(s.tell(wording.Portuguese)); !strings.Contains(all, "A Meta aceitou o evento Purchase depois de 3 tentativas.") {
		t.Errorf("afterwards:\n%s", all)
	}
}
