package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// lease is how long work that a killed process had begun stays with it.
const lease = time.Minute

// TestLeafDown kills one service after another while sales are paid. What can be done without it is done; when it is back
// everything is done that was left, once.
func TestLeafDown(t *testing.T) {
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		must(t, d.World().SetBuyers(openAtOnce))
		shop := openShop(t, d)
		screen := shop.watch(t)
		var all []*sale
		for _, leaf := range []string{deployment.Gateways, deployment.Delivery, deployment.Notifier, deployment.Payments} {
			var some []*sale
			for _, p := range []sim.Provider{sim.Atomopay, sim.Paradise} {
				some = append(some, shop.sell(t, p))
			}
			d.Kill(t, leaf)
			for _, s := range some {
				s.pay(t)
			}
			if d.Alone() && leaf != deployment.Payments {
				meanwhile(t, leaf, some)
			}
			d.Start(t, leaf)
			if leaf == deployment.Notifier || !d.Alone() {
				<-screen.done // its socket went with the process
				screen.connect(t)
			}
			for _, s := range some { // a message that the next kill catches on its way could only be "maybe sent"
				s.awaitMessage(t, lease+retried, "sent")
			}
			all = append(all, some...)
		}
		for _, s := range all {
			s.openAgain(t)
			s.awaitSettled(t, lease+deployment.Within)
			for _, kind := range []string{"payment_update", "delivery_sent", "delivery_opened", "purchase_sent"} {
				screen.awaitOnce(t, lease+deployment.Within, s.id, kind)
			}
		}
		if screen.copies != 0 {
			t.Errorf("the owner's screen got %d events twice although it went on from its cursor", screen.copies)
		}
		shop.checkStatistics(t, int64(len(all)))
	})
}

// meanwhile is what the others do without a leaf.
func meanwhile(t *testing.T, leaf string, sales []*sale) {
	t.Helper()
	for _, s := range sales {
		deployment.Eventually(t, deployment.Within, "the webhook is answered 200 without "+leaf, func() bool { return s.answered(http.StatusOK) == 1 })
	}
	shop := sales[0].shop
	if leaf != deployment.Gateways { // the truth is learned and the money counted
		for _, s := range sales {
			s.awaitStatus(t, deployment.Within, isPaid)
			if n := len(shop.d.World().Messages(s.chat)); n != 0 {
				t.Errorf("without %s the buyer got %d messages", leaf, n)
			}
		}
		return
	}
	for _, s := range sales {
		s.checkUntouched(t)
	}
}

// TestCreate_withoutGateways: what cannot be checked is not recorded; what is recorded gets its charge when the request is
// repeated, once.
func TestCreate_withoutGateways(t *testing.T) {
	t.Parallel()
	d := deployment.New(t, deployment.SeparateProcesses)
	must(t, d.World().SetBuyers(openAtOnce))
	shop := openShop(t, d)
	stranger := openShop(t, d) // of its accounts payments has not heard lately
	shop.sell(t, sim.Atomopay)
	req := shop.request(sim.Atomopay)
	must(t, d.World().AddChat(sim.Chat{ID: req.GetBuyer().GetTelegramId()}))
	d.Kill(t, deployment.Gateways)
	made := &paymentsv1.CreatePaymentResponse{}
	// First: what payments has heard of the accounts is believed for half a minute.
	if a := shop.api.REST("POST", "/v1/payments", req, made); a.Code != http.StatusOK {
		t.Fatalf("a sale without gateways: %d %s, want 200", a.Code, a.Body)
	}
	if p := made.GetPayment(); p.GetStatus() != pending || p.GetCharge().GetCopyPaste() != "" {
		t.Errorf("a sale without gateways: %v", p)
	}
	a := stranger.api.REST("POST", "/v1/payments", stranger.request(sim.Atomopay), nil)
	if a.Code != http.StatusServiceUnavailable || a.Problem().Code != "UNAVAILABLE" || a.Header.Get("Retry-After") == "" {
		t.Errorf("a sale that cannot be checked: %d %s, want 503 UNAVAILABLE with Retry-After", a.Code, a.Body)
	}
	list := &paymentsv1.ListPaymentsResponse{}
	if stranger.api.Must("GET", "/v1/payments", nil, list); len(list.GetPayments()) != 0 {
		t.Errorf("a refused sale was recorded: %v", list.GetPayments())
	}
	d.Start(t, deployment.Gateways)
	again := &paymentsv1.CreatePaymentResponse{}
	deployment.Eventually(t, deployment.Within, "the same request gets the charge", func() bool {
		return shop.api.REST("POST", "/v1/payments", req, again).Code == http.StatusOK && again.GetPayment().GetCharge().GetHash() != ""
	})
	if again.GetCreated() || again.GetPayment().GetId() != made.GetPayment().GetId() {
		t.Errorf("the same request made another sale: %v", again)
	}
	if n := d.World().Counters().Providers[sim.Atomopay].Creates; n != 2 {
		t.Errorf("the provider was asked for %d charges, want 2", n)
	}
	s := &sale{shop: shop, id: made.GetPayment().GetId(), provider: sim.Atomopay, charge: again.GetPayment().GetCharge().GetHash(),
		chat: req.GetBuyer().GetTelegramId(), centavos: price}
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
}

// TestStop asks each service to end and starts it again, as an update does.
func TestStop(t *testing.T) {
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		must(t, d.World().SetBuyers(openAtOnce))
		shop := openShop(t, d)
		var all []*sale
		for _, name := range deployment.Services() {
			s := shop.sell(t, sim.Atomopay)
			s.pay(t)
			d.Stop(t, name)
			d.Start(t, name)
			all = append(all, s)
		}
		for _, s := range all {
			s.awaitMessage(t, lease+retried, "sent")
			s.openAgain(t)
			s.awaitSettled(t, deployment.Within)
		}
		shop.checkStatistics(t, int64(len(all)))
	})
}
