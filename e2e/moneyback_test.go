package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/e2e/deployment"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// moneyBackStories are about money that goes back, and money that comes back.
func moneyBackStories() []story {
	return []story{{"money goes back after delivery", moneyBack}, {"a dispute is won", disputeWon}, {"money goes back at once", backAtOnce},
		{"a refund that no webhook tells", quietRefund}}
}

const (
	isChargedBack = paymentsv1.PaymentStatus_PAYMENT_STATUS_CHARGED_BACK
	isDisputed    = paymentsv1.PaymentStatus_PAYMENT_STATUS_DISPUTED
)

// moneyBack refunds, charges back and disputes a delivered sale each: everybody is told, the link is closed and the sums are compensated.
func moneyBack(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	screen, chat := shop.watch(t), -newChat()
	must(t, d.World().AddChat(sim.Chat{ID: chat}))
	shop.api.Must("POST", "/v1/alerts/settings", &paymentsv1.PutAlertSettingsRequest{Settings: &paymentsv1.AlertSettings{ChatId: chat, BotId: shop.bot}},
		&paymentsv1.PutAlertSettingsResponse{})
	ways := []struct {
		does   sim.Status
		status paymentsv1.PaymentStatus
		word   string
		tells  [2]string // of `baixa explain`
		sale   *sale
	}{
		{sim.Refunded, paymentsv1.PaymentStatus_PAYMENT_STATUS_REFUNDED, "refunded", [2]string{"O dinheiro voltou para o comprador", "The money went back to the buyer"}, nil},
		{sim.ChargedBack, isChargedBack, "charged_back", [2]string{"O dinheiro foi tomado de volta (chargeback)", "The money was taken back (chargeback)"}, nil},
		{sim.Disputed, isDisputed, "disputed", [2]string{"O dinheiro está bloqueado por uma disputa (MED)", "The money is blocked by a dispute (MED)"}, nil},
	}
	for i := range ways {
		ways[i].sale = shop.sell(t, sim.Atomopay)
		ways[i].sale.pay(t)
	}
	for _, w := range ways {
		w.sale.awaitSettled(t, deployment.Within)
		w.sale.checkLink(t, http.StatusOK, "Pagamento confirmado")
	}
	shop.checkReversed(t, 3, 0)
	for _, w := range ways {
		must(t, d.World().SetStatus(sim.Atomopay, w.sale.charge, w.does))
	}
	for _, w := range ways {
		s := w.sale
		s.awaitStatus(t, deployment.Within, w.status)
		s.awaitLink(t, deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED)
		s.checkLink(t, http.StatusGone, "Este acesso foi encerrado")
		s.awaitNews(t, screen, w.word)
		for i, lang := range []string{"pt-BR", "en"} {
			if told := s.told(t, lang); !strings.Contains(told, w.tells[i]) {
				t.Errorf("explain in %s does not say %q:\n%s", lang, w.tells[i], told)
			}
		}
	}
	shop.checkReversed(t, 3, 3)
	// The same news once more, and an old webhook that still says paid: nothing happens.
	for _, w := range ways {
		must(t, d.World().SendWebhook(sim.Atomopay, w.sale.charge, "", ""))
		must(t, d.World().SendWebhook(sim.Atomopay, w.sale.charge, sim.Paid, ""))
	}
	for _, w := range ways {
		before := w.sale.get(t).GetKnowledge().GetPolls()
		w.sale.recheck(t)
		deployment.Eventually(t, retried, "the provider was asked again", func() bool { return w.sale.get(t).GetKnowledge().GetPolls() > before })
		if st := w.sale.status(t); st != w.status {
			t.Errorf("from %v to %v by news that are none%s", w.status, st, w.sale.history(t))
		}
		if n := len(w.sale.news(screen, w.word)); n != 1 {
			t.Errorf("the owner heard %s %d times", w.word, n)
		}
		w.sale.checkOnce(t)
	}
	shop.checkReversed(t, 3, 3)
	for _, w := range ways { // alerts of one kind are put together for half a minute
		deployment.Eventually(t, deployment.Within, "the owner's chat is told of "+w.word, func() bool {
			return slices.ContainsFunc(d.World().Messages(chat), func(m sim.Message) bool {
				return strings.HasPrefix(m.Plain, "↩️") && strings.Contains(m.Plain, w.sale.get(t).GetExternalId())
			})
		}, func() string { return fmt.Sprint(d.World().Messages(chat)) })
	}
	shop.prove(t)
}

// disputeWon: the money is blocked, and free again: the same link works, and nobody is told or counted twice. Then a second dispute is lost.
func disputeWon(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	screen := shop.watch(t)
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	link := s.link()
	must(t, d.World().Dispute(sim.Atomopay, s.charge))
	s.awaitStatus(t, deployment.Within, isDisputed)
	s.awaitLink(t, deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED)
	s.checkLink(t, http.StatusGone, "Este acesso foi encerrado")
	shop.checkReversed(t, 1, 1)

	must(t, d.World().SetStatus(sim.Atomopay, s.charge, sim.Paid))
	s.awaitStatus(t, retried, isPaid)
	s.awaitLink(t, deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE)
	s.checkLink(t, http.StatusOK, "Pagamento confirmado")
	shop.checkReversed(t, 1, 0)
	deployment.Eventually(t, deployment.Within, "the owner hears paid, disputed, paid", func() bool {
		return len(s.news(screen, "paid")) == 2 && len(s.news(screen, "disputed")) == 1
	}, func() string { return fmt.Sprint(screen.events(s.id, "payment_update")) })

	must(t, d.World().Dispute(sim.Atomopay, s.charge))
	s.awaitStatus(t, retried, isDisputed)
	must(t, d.World().Chargeback(sim.Atomopay, s.charge))
	s.awaitStatus(t, retried, isChargedBack)
	s.awaitLink(t, deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED)
	s.checkLink(t, http.StatusGone, "Este acesso foi encerrado")
	shop.checkReversed(t, 1, 1)
	if s.link() != link {
		t.Error("the link changed on the way")
	}
	s.checkOnce(t)
	shop.prove(t)
}

// backAtOnce: the money goes back while the sale is being delivered. However far that was, in the end nothing can be opened.
func backAtOnce(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	var sales []*sale
	for i := range 6 {
		s := shop.sell(t, sim.Atomopay)
		sales = append(sales, s)
		s.pay(t)
		if i%3 > 0 { // between the decision and the message, or after it
			s.awaitStatus(t, deployment.Within, isPaid)
		}
		must(t, d.World().Refund(sim.Atomopay, s.charge))
	}
	seen := 0
	for _, s := range sales {
		s.awaitStatus(t, retried, isRefunded)
		if s.get(t).GetPaidAmount() != nil {
			seen++
		}
		deployment.Eventually(t, lease+deployment.Within, "the link is closed, or was never made", func() bool {
			resp := &deliveryv1.GetDeliveryResponse{}
			err := shop.api.Ask(deliveryv1.DeliveryService_GetDelivery_FullMethodName, &deliveryv1.GetDeliveryRequest{PaymentId: s.id}, resp)
			return status.Code(err) == codes.NotFound || err == nil && resp.GetDelivery().GetState() == deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED
		}, func() string { return s.history(t) })
		if link := s.link(); link != "" {
			s.checkLink(t, http.StatusGone, "Este acesso foi encerrado")
		}
	}
	t.Logf("%d of %d were seen paid before their money went back", seen, len(sales))
	if count, gross := shop.statistics(t); count > int64(len(sales)) || gross != count*price {
		t.Errorf("%d sales for %d centavos", count, gross)
	}
	if net := shop.sums(t).GetNet().GetCentavos(); net != 0 {
		t.Errorf("%d centavos remain of sales whose money all went back", net)
	}
	shop.prove(t)
}

// quietRefund: a merchant who has paid sales watched learns of a refund that no webhook tells.
func quietRefund(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	watched := shop.branch(t, sim.Atomopay, "vigia", "watch_paid_for=30d", "rare_min=6s", "rare_growth=0.05")
	s := watched.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(1)})
	s.awaitSettled(t, deployment.Within)
	must(t, d.World().Refund(sim.Atomopay, s.charge))
	s.awaitStatus(t, retried, isRefunded)
	s.awaitLink(t, deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED)
	s.checkLink(t, http.StatusGone, "Este acesso foi encerrado")
	if n := s.count(t, "hint_received"); n != 0 {
		t.Errorf("%d webhooks told of it%s", n, s.history(t))
	}
	shop.checkReversed(t, 1, 1)
}

// awaitLink waits until delivery says so of the sale's link.
func (s *sale) awaitLink(t *testing.T, want deliveryv1.DeliveryState) {
	t.Helper()
	deployment.Eventually(t, lease+deployment.Within, fmt.Sprintf("the link of %s is %v", s.id, want), func() bool { return s.delivery(t).GetState() == want },
		func() string { return s.history(t) })
}

// checkLink opens the buyer's link: the page has a status and says something, also in English where it is closed, and only an open one leads on.
func (s *sale) checkLink(t *testing.T, code int, says string) {
	t.Helper()
	buyer := deployment.NewClient(t, s.shop.d, "")
	a, err := buyer.Do("GET", s.link(), nil, "User-Agent", phone, "Accept-Language", "pt-BR")
	must(t, err)
	if a.Code != code || !strings.Contains(a.Body, says) {
		t.Errorf("the page of %s: %d, want %d and %q:\n%s", s.id, a.Code, code, says, a.Body)
	}
	if code == http.StatusOK {
		return
	}
	if a, err = buyer.Do("GET", s.link(), nil, "User-Agent", phone, "Accept-Language", "en"); err != nil || !strings.Contains(a.Body, "This access was closed") {
		t.Errorf("the closed page in English: %v\n%s", err, a.Body)
	}
	if strings.Contains(a.Body, "exemplo.invalid/acesso") {
		t.Error("the page of a closed link has the access")
	}
}

// news are the owner's events of a sale that say a status.
func (s *sale) news(o *owner, status string) (out []frame) {
	for _, f := range o.events(s.id, "payment_update") {
		if f.Status == status {
			out = append(out, f)
		}
	}
	return out
}

func (s *sale) awaitNews(t *testing.T, o *owner, status string) {
	t.Helper()
	deployment.Eventually(t, deployment.Within, fmt.Sprintf("the owner's screen shows %s as %s", s.id, status), func() bool { return len(s.news(o, status)) > 0 },
		func() string { return fmt.Sprint(o.events(s.id, "payment_update")) })
}

// sums are the shop's statistics in one line.
func (s *shop) sums(t *testing.T) *paymentsv1.StatisticsLine {
	t.Helper()
	resp := &paymentsv1.GetStatisticsResponse{}
	s.api.Must("GET", "/v1/statistics", nil, resp)
	if len(resp.GetLines()) == 0 {
		return &paymentsv1.StatisticsLine{}
	}
	return resp.GetLines()[0]
}

// checkReversed compares what was sold and what of it went back, at the usual price; today's entries are the same, for all happened today.
func (s *shop) checkReversed(t *testing.T, paid, reversed int64) {
	t.Helper()
	l := s.sums(t)
	if l.GetPaidCount() != paid || l.GetGross().GetCentavos() != paid*price || l.GetReversedCount() != reversed || l.GetReversed().GetCentavos() != reversed*price ||
		l.GetNet().GetCentavos() != (paid-reversed)*price {
		t.Errorf("statistics of %s: %v, want %d sales of which %d went back", s.name, l, paid, reversed)
	}
}
