package e2e

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/e2e/deployment"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// alertStories are about what owners read and do, and what Meta is told when it is slow.
func alertStories() []story {
	return []story{{"owner reads every kind of alert", everyAlert}, {"Meta is slow", slowMeta}, {"another bot carries the message", fallbackBot},
		{"access commands", accessCommands}, {"a bot without a pixel", noPixel}}
}

// tellOwner gives the shop a chat for its alerts that nobody else writes to.
func (s *shop) tellOwner(t *testing.T) (chat int64) {
	t.Helper()
	chat = -newChat()
	must(t, s.d.World().AddChat(sim.Chat{ID: chat}))
	s.api.Must("POST", "/v1/alerts/settings", &paymentsv1.PutAlertSettingsRequest{Settings: &paymentsv1.AlertSettings{ChatId: chat, BotId: s.bot}},
		&paymentsv1.PutAlertSettingsResponse{})
	return chat
}

// sql changes rows of the shop, whose id is $1, where no clock of a running system can be moved.
func (s *shop) sql(t *testing.T, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.d.Database().DSN())
	must(t, err)
	defer conn.Close(t.Context())
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), statement, s.id)
		must(t, err)
	}
}

// digestNow makes the digest of the shop due.
const digestNow = `UPDATE payments.alert_settings SET digest_at = now() - interval '1 second' WHERE merchant_id = $1`

// read is how many messages of a chat begin so.
func (s *shop) read(chat int64, begin string) (n int) {
	for _, m := range s.d.World().Messages(chat) {
		if strings.HasPrefix(m.Plain, begin) {
			n++
		}
	}
	return n
}

// everyAlert brings about everything that an owner is told of by Telegram, in one shop, and expects each in its chat.
func everyAlert(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	chat := shop.tellOwner(t)
	must(t, d.World().AddPixel(sim.Pixel{ID: shop.pixel, Revoked: true})) // 190 at the first Purchase
	bare := shop.request(sim.Atomopay)
	bare.Product.AccessUrl, bare.Product.ContactText = "", "Fale com @suporte"
	noAccess := shop.sellAs(t, sim.Atomopay, bare)
	noAccess.pay(t)
	shop.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, AmountCentavos: 1, CreatedAt: minutesAgo(2)}) // another amount
	back := shop.sell(t, sim.Atomopay)
	back.pay(t)
	// PushinPay is silent, for longer than one look in a test may take; Paradise refuses the account's key. (A connection that only died would be
	// tried again on every idle one, which counts against PushinPay's rule.)
	_, err := d.World().AddFault(sim.Fault{Kind: sim.FaultCode, HTTPStatus: 503, Target: string(sim.Pushinpay), Endpoint: sim.EndpointStatus, Account: shop.at("")})
	must(t, err)
	for range 3 {
		shop.register(t, sim.Pushinpay, sim.Charge{CreatedAt: minutesAgo(2)})
	}
	must(t, d.World().AddAccount(sim.Account{Provider: sim.Paradise, Name: shop.at(""), Key: secret(d, "sk_")}))
	shop.register(t, sim.Paradise, sim.Charge{CreatedAt: minutesAgo(2)})
	back.awaitStatus(t, deployment.Within, isPaid)
	must(t, d.World().Refund(sim.Atomopay, back.charge))
	must(t, d.World().SendWebhook(sim.Atomopay, back.charge, sim.Refunded, ""))
	shop.sql(t, digestNow)
	var asked sync.Once
	want := []string{"💰", "⚠️ Uma venda espera sua decisão", "🔗 Venda paga sem acesso", "⏸️ Pixel pausado: a Meta recusa o token", "↩️ Dinheiro que voltou",
		"🔕 PushinPay não responde", "🔑 Paradise recusa as credenciais", "📊 Resumo de"}
	missing := func() (out []string) {
		for _, begin := range want {
			if shop.read(chat, begin) == 0 {
				out = append(out, begin)
			}
		}
		return out
	}
	deployment.Eventually(t, deployment.Within, "the owner reads everything", func() bool {
		// Silence counts after five minutes and several looks; both have passed.
		shop.sql(t, `UPDATE payments.payments SET recorded_at = recorded_at - interval '6 minutes', looked_at = looked_at - interval '6 minutes'
			WHERE merchant_id = $1 AND provider = 'pushinpay' AND COALESCE(looked_at, recorded_at) > now() - interval '5 minutes'`,
			`UPDATE payments.looks SET unanswered = greatest(unanswered, 3) WHERE merchant_id = $1 AND provider = 'pushinpay' AND unanswered > 0`)
		asked.Do(func() { noAccess.openAgain(t) })
		return len(missing()) == 0
	}, func() string { return fmt.Sprint("missing: ", missing(), noAccess.history(t), back.history(t)) })
	for _, begin := range want[1:] { // paid sales come in as many messages as there were half minutes
		if n := shop.read(chat, begin); n != 1 {
			t.Errorf("the owner read %q %d times", begin, n)
		}
	}
	// The buyer is not left with nothing: the page says whom to ask.
	buyer := deployment.NewClient(t, d, "")
	if a, err := buyer.Do("GET", noAccess.link(), nil, "User-Agent", phone); err != nil || a.Code != http.StatusOK || !strings.Contains(a.Body, "Fale com @suporte") {
		t.Errorf("the page without access: %d, %v; want the contact text", a.Code, err)
	}
	for _, m := range d.World().Messages(chat) {
		if strings.Contains(m.Text, "/delivery/") || strings.Contains(m.Text, "{") {
			t.Errorf("the owner reads %q", m.Plain)
		}
	}
}

// ownerKill is one owner's message that a kill meets at a certain step.
type ownerKill struct {
	name   string
	digest bool // else the alert of a paid sale
	fault  *sim.Fault
	begin  string // of its text

	shop *shop
	chat int64
	sale *sale
}

// TestOwner_killed kills notifier before, while and after an owner's alert and a digest are sent, and delivery while Meta has its
// Purchase: each is told once, or said to be maybe told, and nothing waits for ever.
func TestOwner_killed(t *testing.T) {
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		hang := &sim.Fault{Kind: sim.FaultHang, Count: 1}
		flood := &sim.Fault{Kind: sim.FaultRateLimited, RetryAfter: 3 * time.Second, RetryInBody: true, Count: 1}
		var all []*ownerKill
		for _, digest := range []bool{false, true} {
			begin := map[bool]string{false: "💰 Venda paga", true: "📊 Resumo de"}[digest]
			for name, f := range map[string]*sim.Fault{"not recorded yet": nil, "recorded, Telegram said to wait": flood, "being sent": hang, "taken by Telegram": nil} {
				k := &ownerKill{name: name, digest: digest, fault: f, begin: begin, shop: openShop(t, d)}
				k.chat = k.shop.tellOwner(t)
				if f != nil {
					fault := *f
					fault.Target, fault.Endpoint, fault.Charge = sim.TargetTelegram, "sendMessage", fmt.Sprint(k.chat)
					_, err := d.World().AddFault(fault)
					must(t, err)
				}
				if !digest {
					k.sale = k.shop.sell(t, sim.Atomopay)
				}
				all = append(all, k)
			}
		}
		begin := func(k *ownerKill) {
			if k.digest {
				k.shop.sql(t, digestNow)
			} else {
				k.sale.pay(t)
			}
		}
		purchase := openShop(t, d)
		_, err := d.World().AddFault(sim.Fault{Kind: sim.FaultHang, Target: sim.TargetMeta, Endpoint: "events", Account: purchase.pixel, Count: 1})
		must(t, err)
		bought := purchase.sell(t, sim.Atomopay)
		bought.pay(t)
		bought.awaitMessage(t, deployment.Within, "sent")
		bought.visit(t)

		each := func(name string, do func(*ownerKill)) {
			for _, k := range all {
				if k.name == name {
					do(k)
				}
			}
		}
		each("recorded, Telegram said to wait", begin)
		each("recorded, Telegram said to wait", func(k *ownerKill) {
			deployment.Eventually(t, deployment.Within, k.name+": Telegram was asked, and nobody waits for its answer", func() bool {
				states, asked := k.ends(t)
				return asked > 0 && !slices.Contains(states, sending)
			})
		})
		each("being sent", begin)
		each("taken by Telegram", begin)
		each("being sent", func(k *ownerKill) {
			deployment.Eventually(t, deployment.Within, k.name+": Telegram is asked", func() bool { _, asked := k.ends(t); return asked > 0 })
		})
		each("taken by Telegram", func(k *ownerKill) {
			deployment.Eventually(t, deployment.Within, "Telegram has it", func() bool { return k.shop.read(k.chat, k.begin) > 0 })
		})
		d.Kill(t, deployment.Notifier) // at once: some results are written, the last perhaps not
		d.Kill(t, deployment.Delivery)
		for _, k := range all {
			k.shop.sql(t, endLeases...) // now: they are those of the dead, and not of their successors
		}
		purchase.sql(t, endLeases...)
		for _, k := range all {
			if k.name == "not recorded yet" {
				begin(k)
			}
		}
		d.Start(t, deployment.Delivery)
		d.Start(t, deployment.Notifier)
		for _, k := range all {
			k.shop.sql(t, endBatches)
			k.judge(t)
		}
		bought.awaitSettled(t, deployment.Within)
	})
}

// endLeases lets the time pass for which what a killed process had begun stays with it.
var endLeases = []string{
	`UPDATE notifier.telegram_queue SET lease_until = now() WHERE merchant_id = $1 AND state = 1`,
	`UPDATE delivery.purchases SET due_at = now() WHERE merchant_id = $1 AND state = 'queued'`,
}

// endBatches lets payments try again what it could not hand over.
const endBatches = `UPDATE payments.alert_lanes SET due_at = now() WHERE merchant_id = $1 AND batch IS NOT NULL`

// sending is what ends says of a message that is with Telegram, beside notifier's own states.
const sending = -1

// visit is the buyer who opens the link.
func (s *sale) visit(t *testing.T) {
	t.Helper()
	buyer := deployment.NewClient(t, s.shop.d, "")
	if a, err := buyer.Do("GET", s.link(), nil, "User-Agent", phone); err != nil || a.Code != http.StatusOK {
		t.Fatalf("the page: %d, %v", a.Code, err)
	}
}

// ends are the owner's messages of the shop by their state, or sending, and asked how often Telegram was asked to send one.
func (k *ownerKill) ends(t *testing.T) (states []int, asked int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), k.shop.d.Database().DSN())
	must(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT CASE WHEN q.state = 1 THEN -1 ELSE n.state END, COALESCE(q.attempt, n.attempts) FROM notifier.notifications n
		LEFT JOIN notifier.telegram_queue q ON q.merchant_id = n.merchant_id AND q.notification_id = n.id
		WHERE n.merchant_id = $1 AND n.kind = 'alert' ORDER BY n.created_at`, k.shop.id)
	must(t, err)
	var state, attempts int
	_, err = pgx.ForEachRow(rows, []any{&state, &attempts}, func() error {
		states, asked = append(states, state), asked+attempts
		return nil
	})
	must(t, err)
	return states, asked
}

// judge compares what notifier says of the message with what the chat has.
func (k *ownerKill) judge(t *testing.T) {
	t.Helper()
	const sent, maybe = 2, 4
	what := fmt.Sprintf("%s, killed when %s", k.begin, k.name)
	var states []int
	deployment.Eventually(t, deployment.Within, what+": it has come to an end", func() bool {
		states, _ = k.ends(t)
		return len(states) > 0 && (states[0] == sent || states[0] == maybe)
	}, func() string { return fmt.Sprint(states) })
	n := k.shop.read(k.chat, k.begin)
	if len(states) != 1 || n > 1 || states[0] == sent && n != 1 {
		t.Errorf("%s: recorded as %v, and the chat has it %d times", what, states, n)
	}
	if k.name == "being sent" && (states[0] != maybe || n != 0) {
		t.Errorf("%s: recorded as %v, and the chat has it %d times; want maybe sent, and not sent again", what, states, n)
	}
	if k.name != "being sent" && n != 1 {
		t.Errorf("%s: the chat has it %d times, recorded as %v", what, n, states)
	}
	if states[0] == maybe {
		// On a slow machine notifier may have given up on the silent answer before it was killed.
		why := []string{"interrupted"}
		if k.name == "being sent" {
			why = append(why, "timeout")
		}
		settings := &paymentsv1.GetAlertSettingsResponse{}
		deployment.Eventually(t, deployment.Within, what+": the settings say that it may not have arrived", func() bool {
			k.shop.api.Must("GET", "/v1/alerts/settings", nil, settings)
			return slices.Contains(why, settings.GetSettings().GetLastFailure())
		}, func() string { return settings.String() })
	}
}

// secondBot gives the shop one more bot, "36" in the merchant's own system, which has no pixel.
func (s *shop) secondBot(t *testing.T) (id string) {
	t.Helper()
	made := &paymentsv1.PutBotResponse{}
	s.api.Must("POST", "/v1/bots", &paymentsv1.PutBotRequest{ExternalId: "36", Name: "reserva_" + s.name}, made)
	token := fmt.Sprintf("%d:AA-%s", 100_000_000+lastChat.Add(1), (rand.Text() + rand.Text())[:32])
	s.d.Canary(token)
	must(t, s.d.World().AddBot(sim.Bot{Token: token}))
	s.operator.Must("POST", "/v1/bots/"+made.GetBot().GetId()+"/telegram", &notifierv1.PutBotRequest{MerchantId: s.id, Token: token, BaseUrl: s.d.Sims().TelegramURL()},
		&notifierv1.PutBotResponse{})
	return made.GetBot().GetId()
}

// noPixel: a bot without a pixel sells as well; nothing is told to Meta, the story says so and the owner is told once.
func noPixel(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	chat := shop.tellOwner(t)
	shop.secondBot(t)
	const told = "📉 Um bot vende sem pixel"
	for range 2 {
		req := shop.request(sim.Atomopay)
		req.BotId = "36"
		s := shop.sellAs(t, sim.Atomopay, req)
		s.pay(t)
		s.awaitMessage(t, deployment.Within, "sent")
		s.openAgain(t)
		deployment.Eventually(t, deployment.Within, "the sale has no Purchase, and says so", func() bool { return s.get(t).GetFulfilment().GetPurchase() == "not_configured" },
			func() string { return s.history(t) })
		deployment.Eventually(t, deployment.Within, "the owner reads of it", func() bool { return shop.read(chat, told) > 0 })
		s.explains(t, "Nenhum Purchase foi enviado: não há pixel cadastrado para este bot.")
	}
	if n := shop.read(chat, told); n != 1 {
		t.Errorf("the owner read %d times of one bot without a pixel", n)
	}
	if n := len(d.World().Events(shop.pixel)); n != 0 {
		t.Errorf("another bot's pixel got %d events", n)
	}
}

// fallbackBot: Telegram does not take the sale's bot any more, another one carries the message, and everybody is told which and why.
func fallbackBot(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	second := shop.secondBot(t)
	shop.operator.Must("POST", "/v1/bots/"+shop.bot+"/telegram", &notifierv1.PutBotRequest{MerchantId: shop.id, Token: shop.botToken, BaseUrl: d.Sims().TelegramURL(),
		FallbackBotId: second}, &notifierv1.PutBotResponse{})
	s := shop.sell(t, sim.Atomopay)
	must(t, d.World().RevokeBot(shop.botToken))
	s.pay(t)
	s.awaitSettled(t, retried)
	s.explains(t, "pelo bot reserva “reserva_"+shop.name+"” (com o da venda: o Telegram não aceita o token do bot)")
	env, args := shop.as("doctor", "--lang", "en")
	if c := deployment.Run(t, env, args...); !strings.Contains(strings.Join(strings.Fields(c.Stdout), " "), "1 message of the last 24 h carried by the fallback bot") {
		t.Errorf("doctor does not tell of the fallback: code %d\n%s%s", c.Code, c.Stdout, c.Stderr)
	}
	told := &notifierv1.GetNotificationsResponse{}
	must(t, shop.api.Ask(notifierv1.NotifierService_GetNotifications_FullMethodName, &notifierv1.GetNotificationsRequest{PaymentId: s.id}, told))
	found := false
	for _, n := range told.GetNotifications() {
		found = found || n.GetCarrierBotId() == second && n.GetCarrierBecause() == "bot_unauthorized"
	}
	if !found {
		t.Errorf("no notification names its carrier: %v", told)
	}
}
