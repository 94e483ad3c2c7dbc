package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// messageStories are about Telegram and Meta on a bad day: the sale is settled whatever they do, and nobody is told twice.
func messageStories() []story {
	return append(alertStories(), []story{{"buyer blocked the bot", blockedBot}, {"Telegram limits the chat", limitedChat},
		{"Telegram takes the message and does not answer", swallowedMessage}, {"Telegram is down for a while", telegramDown},
		{"bot's token was revoked", revokedBot}, {"Meta is down for a while", metaDown},
		{"Meta disagrees", metaDisagrees}, {"Meta refuses the token", metaRefusesToken}, {"buyer without Telegram", noChat},
		{"owner is told by Telegram", ownerAlerts}}...)
}

// strikeChat puts a fault on what is sent to one buyer.
func (s *sale) strikeChat(t *testing.T, f sim.Fault) {
	t.Helper()
	f.Target, f.Endpoint, f.Charge = sim.TargetTelegram, "sendMessage", fmt.Sprint(s.chat)
	_, err := s.shop.d.World().AddFault(f)
	must(t, err)
}

// awaitMessage waits until the sale is paid and its message has come to an end.
func (s *sale) awaitMessage(t *testing.T, within time.Duration, want string) *paymentsv1.Fulfilment {
	t.Helper()
	deployment.Eventually(t, within, fmt.Sprintf("the sale is paid and its message %q", want), func() bool {
		p := s.get(t)
		return p.GetStatus() == isPaid && p.GetFulfilment().GetMessage() == want
	}, func() string { return fmt.Sprint(s.get(t).GetFulfilment()) + s.history(t) })
	return s.get(t).GetFulfilment()
}

// checkTold compares what notifier says of the buyer's message.
func (s *sale) checkTold(t *testing.T, want notifierv1.NotificationState, reason string) {
	t.Helper()
	resp := &notifierv1.GetNotificationsResponse{}
	must(t, s.shop.api.Ask(notifierv1.NotifierService_GetNotifications_FullMethodName, &notifierv1.GetNotificationsRequest{PaymentId: s.id}, resp))
	var found int
	for _, n := range resp.GetNotifications() {
		if n.GetChannel() == notifierv1.Channel_CHANNEL_TELEGRAM {
			found++
			if n.GetState() != want || n.GetReason() != reason {
				t.Errorf("the buyer's notification is %v %q, want %v %q", n.GetState(), n.GetReason(), want, reason)
			}
		}
	}
	if found != 1 {
		t.Errorf("the sale has %d notifications for the buyer, want 1", found)
	}
}

func blockedBot(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	screen := shop.watch(t)
	s := shop.sell(t, sim.Atomopay)
	must(t, d.World().AddChat(sim.Chat{ID: s.chat, State: sim.ChatBlocked}))
	s.pay(t)
	f := s.awaitMessage(t, retried, "undeliverable")
	if f.GetTokenIssuedAt() == nil || f.GetMessageReason() != "blocked" {
		t.Errorf("fulfilment: %v, want a token and the reason blocked", f)
	}
	s.checkTold(t, notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE, "blocked")
	screen.awaitOnce(t, deployment.Within, s.id, "alert")
	list := &paymentsv1.ListPaymentsResponse{}
	shop.api.Must("GET", "/v1/payments?stuck=true", nil, list)
	if len(list.GetPayments()) != 1 || list.GetPayments()[0].GetId() != s.id {
		t.Errorf("sales that need someone: %v, want this one", list.GetPayments())
	}
	if n := len(d.World().Messages(s.chat)); n != 0 {
		t.Errorf("%d messages arrived at somebody who blocked the bot", n)
	}
}

func limitedChat(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.sell(t, sim.Atomopay)
	s.strikeChat(t, sim.Fault{Kind: sim.FaultRateLimited, RetryAfter: 2 * time.Second, RetryInBody: true, Count: 1})
	began := time.Now()
	s.pay(t)
	s.awaitSettled(t, retried)
	if since := time.Since(began); since < 2*time.Second {
		t.Errorf("sent %v after Telegram asked for 2 s", since)
	}
}

func swallowedMessage(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s, next := shop.sell(t, sim.Atomopay), shop.sell(t, sim.Atomopay)
	s.strikeChat(t, sim.Fault{Kind: sim.FaultSwallow, Count: 1})
	s.pay(t)
	s.awaitMessage(t, retried, "maybe_sent")
	s.checkTold(t, notifierv1.NotificationState_NOTIFICATION_STATE_MAYBE_SENT, "connection_broken")
	next.pay(t) // whatever is still to be sent has been sent when this has
	next.awaitSettled(t, deployment.Within)
	s.checkOnce(t)
}

func telegramDown(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.sell(t, sim.Atomopay)
	s.strikeChat(t, sim.Fault{Kind: sim.FaultCode, HTTPStatus: 429, RetryAfter: time.Second, Count: 1})
	s.strikeChat(t, sim.Fault{Kind: sim.FaultHTML, HTTPStatus: 502, Count: 1})
	s.pay(t)
	f := s.awaitMessageEnd(t)
	if f.GetMessage() == "sent" {
		s.awaitSettled(t, deployment.Within)
	} else if f.GetMessage() != "maybe_sent" {
		t.Errorf("after Telegram's 502: %v%s", f, s.history(t))
	}
	if n := len(d.World().Messages(s.chat)); n > 1 {
		t.Errorf("the buyer got %d messages", n)
	}
}

// awaitMessageEnd waits until the message is not queued any more, however it ended.
func (s *sale) awaitMessageEnd(t *testing.T) *paymentsv1.Fulfilment {
	t.Helper()
	deployment.Eventually(t, retried, "the message has come to an end", func() bool {
		m := s.get(t).GetFulfilment().GetMessage()
		return m != "" && m != "queued"
	}, func() string { return s.history(t) })
	return s.get(t).GetFulfilment()
}

func revokedBot(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.sell(t, sim.Atomopay)
	must(t, d.World().RevokeBot(shop.botToken))
	s.pay(t)
	s.awaitStatus(t, deployment.Within, isPaid)
	deployment.Eventually(t, deployment.Within, "the bot is refused", func() bool { return d.World().Counters().Telegram.Refused > 0 })
	must(t, d.World().AddBot(sim.Bot{Token: shop.botToken}))
	shop.putBot()
	s.awaitSettled(t, retried)
}

func metaDown(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	_, err := d.World().AddFault(sim.Fault{Kind: sim.FaultCode, HTTPStatus: 500, Target: sim.TargetMeta, Endpoint: "events", Account: shop.pixel, Count: 2})
	must(t, err)
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, retried)
}

func noChat(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	req := shop.request(sim.Atomopay)
	req.Buyer.TelegramId = 0
	made := &paymentsv1.CreatePaymentResponse{}
	shop.api.Must("POST", "/v1/payments", req, made)
	s := &sale{shop: shop, id: made.GetPayment().GetId(), provider: sim.Atomopay, charge: made.GetPayment().GetCharge().GetHash(), centavos: price}
	s.pay(t)
	if f := s.awaitMessage(t, retried, "undeliverable"); f.GetMessageReason() != "no_chat" || f.GetTokenIssuedAt() == nil {
		t.Errorf("fulfilment: %v, want a token and the reason no_chat", f)
	}
	s.checkTold(t, notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE, "no_chat")
}

// metaDisagrees: whatever Meta, or something before it, answers, one Purchase is counted in the end.
func metaDisagrees(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	for _, f := range []sim.Fault{
		{Kind: sim.FaultCode, HTTPStatus: 429, RetryAfter: time.Second}, {Kind: sim.FaultHTML, HTTPStatus: 502}, {Kind: sim.FaultSwallow},
		{Kind: sim.FaultCode, HTTPStatus: 503},
	} {
		f.Target, f.Endpoint, f.Account, f.Count = sim.TargetMeta, "events", shop.pixel, 1
		_, err := d.World().AddFault(f)
		must(t, err)
		s := shop.sell(t, sim.Atomopay)
		s.pay(t)
		s.awaitSettled(t, retried)
	}
}

// metaRefusesToken: everything waits for a new token, the owner is told once, and nothing is lost.
func metaRefusesToken(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	screen := shop.watch(t)
	must(t, d.World().AddPixel(sim.Pixel{ID: shop.pixel, Revoked: true}))
	sales := []*sale{shop.sell(t, sim.Atomopay), shop.sell(t, sim.Paradise)}
	told := func() (n int) {
		for _, s := range sales {
			for _, f := range screen.events(s.id, "alert") {
				if f.Status == "pixel_paused" {
					n++
				}
			}
		}
		return n
	}
	for _, s := range sales {
		s.pay(t)
	}
	deployment.Eventually(t, retried, "the owner hears that the pixel is paused", func() bool { return told() > 0 })
	for _, s := range sales {
		deployment.Eventually(t, retried, "both pages are open and both Purchases wait", func() bool {
			f := s.get(t).GetFulfilment()
			return f.GetOpenedAt() != nil && f.GetPurchase() == "queued"
		}, func() string { return s.history(t) })
	}
	token := secret(d, "EAAnovo")
	must(t, d.World().AddPixel(sim.Pixel{ID: shop.pixel, Token: token}))
	shop.operator.Must("POST", "/v1/pixels", &deliveryv1.PutPixelRequest{MerchantId: shop.id, BotId: shop.bot, PixelId: shop.pixel, AccessToken: token,
		BaseUrl: d.Sims().MetaURL()}, &deliveryv1.PutPixelResponse{})
	for _, s := range sales {
		s.awaitSettled(t, retried)
	}
	if n := told(); n != 1 {
		t.Errorf("the owner was told %d times of one pause", n)
	}
}

// ownerAlerts: the owner's chat gets the sale and the buyer who cannot be reached, each once, and a test message when asked.
func ownerAlerts(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.sell(t, sim.Atomopay)
	chat := -s.chat // a group that nobody else writes to
	must(t, d.World().AddChat(sim.Chat{ID: chat}))
	shop.api.Must("POST", "/v1/alerts/settings", &paymentsv1.PutAlertSettingsRequest{Settings: &paymentsv1.AlertSettings{ChatId: chat, BotId: shop.bot}},
		&paymentsv1.PutAlertSettingsResponse{})
	told := func(begin string) (n int) {
		for _, m := range d.World().Messages(chat) {
			if strings.HasPrefix(m.Plain, begin) {
				n++
			}
		}
		return n
	}
	await := func(begin string) {
		t.Helper()
		deployment.Eventually(t, retried, "the owner reads "+begin, func() bool { return told(begin) > 0 })
	}
	must(t, d.World().AddChat(sim.Chat{ID: s.chat, State: sim.ChatBlocked}))
	s.pay(t)
	await("💰 Venda paga: R$")
	await("📵 Comprador pagou e não recebeu a mensagem")
	shop.api.Must("POST", "/v1/alerts:test", &paymentsv1.SendTestAlertRequest{}, &paymentsv1.SendTestAlertResponse{})
	await("🔔 Teste da Baixa")
	for _, begin := range []string{"💰", "📵", "🔔"} {
		if n := told(begin); n != 1 {
			t.Errorf("the owner read %s %d times", begin, n)
		}
	}
	for _, m := range d.World().Messages(chat) {
		if strings.Contains(m.Text, "/delivery/") {
			t.Errorf("a link in the owner's chat: %q", m.Plain)
		}
	}
}
