package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// webhookStories are about what providers post, and about what they do not.
func webhookStories() []story {
	list := []story{{"webhook by sale key", saleKeyURL}, {"webhook doubled", doubledWebhook}, {"webhook forged", forgedWebhook},
		{"webhook with odd bodies at the usual addresses", webhookAddresses}, {"paid while the sweep looks", paidWhileSweeping}}
	for _, p := range three {
		list = append(list,
			story{"webhook lost at " + string(p), func(t *testing.T, d deployment.Deployment) { lostWebhook(t, d, p) }},
			story{"webhook early at " + string(p), func(t *testing.T, d deployment.Deployment) { earlyWebhook(t, d, p) }},
			story{"webhook in every shape of " + string(p), func(t *testing.T, d deployment.Deployment) { webhookShapes(t, d, p) }})
	}
	return list
}

// minutesAgo makes a sale old enough to be due at once.
func minutesAgo(n int) time.Time { return time.Now().Add(-time.Duration(n) * time.Minute) }

// hookURL is where a provider is configured to post: with the account's key, or without it as in the origin system.
func (s *shop) hookURL(p sim.Provider, name string, withKey bool) string {
	url := s.d.URL() + "/webhook/payment/" + name
	if withKey {
		url += "/" + s.accounts[p].GetAccountKey()
	}
	return url
}

// cadence is the longest time between two looks at a young sale: the origin system's.
var cadence = map[sim.Provider]time.Duration{sim.Atomopay: time.Minute, sim.Paradise: 5 * time.Minute, sim.Pushinpay: time.Minute}

// No webhook ever comes: what is paid settles by looking, and what is not is looked at again within the provider's cadence.
func lostWebhook(t *testing.T, d deployment.Deployment, p sim.Provider) {
	shop := openShop(t, d)
	paid := shop.register(t, p, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(2), PaidAt: minutesAgo(1)})
	open := shop.register(t, p, sim.Charge{CreatedAt: minutesAgo(4)})
	paid.awaitSettled(t, deployment.Within)
	if n := paid.count(t, "hint_received"); n != 0 {
		t.Errorf("%d webhooks in the history of a sale that had none", n)
	}
	deployment.Eventually(t, deployment.Within, "the unpaid sale was looked at", func() bool { return open.get(t).GetKnowledge().GetPolls() > 0 })
	k := open.get(t).GetKnowledge()
	wait := k.GetNextPollAt().AsTime().Sub(k.GetLastPollAt().AsTime())
	if k.GetLastOutcome() != "status" || wait <= 0 || wait > cadence[p]+time.Second {
		t.Errorf("the unpaid sale after its look: %v; the next look is %v later, want at most %v", k, wait, cadence[p])
	}
	if p == sim.Pushinpay && wait < time.Minute {
		t.Errorf("PushinPay would be asked again after %v", wait)
	}
	open.checkUntouched(t)
	shop.checkStatistics(t, 1)
}

// The money comes after the first look, and nothing tells of it.
func paidWhileSweeping(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.register(t, sim.Atomopay, sim.Charge{})
	deployment.Eventually(t, deployment.Within, "the first look", func() bool { return s.get(t).GetKnowledge().GetPolls() > 0 })
	s.checkUntouched(t)
	s.pay(t)
	s.awaitSettled(t, cadence[sim.Atomopay]+deployment.Within)
}

func saleKeyURL(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	for _, p := range three {
		s := shop.sell(t, p)
		c, err := d.World().Charge(p, s.charge)
		must(t, err)
		path, ok := strings.CutPrefix(c.WebhookURL, shop.hookURL(p, string(p), true)+"/")
		if !ok || len(path) < 8 || strings.Contains(path, "/") {
			t.Errorf("%s was told to post to %s, want the account's address and the sale's key", p, c.WebhookURL)
		}
	}
}

func doubledWebhook(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	const copies = 8
	var all []*sale
	for _, p := range three {
		calm := shop.calm(t, p)
		all = append(all, calm.register(t, p, sim.Charge{WebhookURL: calm.hookURL(p, string(p), true),
			Webhooks: &sim.Webhooks{Mode: sim.WebhookDoubled, Copies: copies}}))
	}
	for _, s := range all {
		s.pay(t)
	}
	for _, s := range all {
		s.awaitSettled(t, deployment.Within)
		deployment.Eventually(t, deployment.Within, "all copies are answered 200", func() bool { return s.answered(http.StatusOK) == copies })
		if n := s.count(t, "reported"); n != 1 {
			t.Errorf("%s: %d looks for %d copies of one webhook%s", s.provider, n, copies, s.history(t))
		}
	}
	shop.checkStatistics(t, int64(len(all)))
}

// answered counts the webhooks of a sale that were answered with a code.
func (s *sale) answered(code int) (n int) {
	for _, h := range s.shop.d.World().Deliveries(s.provider) {
		if h.Charge == s.charge && h.HTTPStatus == code {
			n++
		}
	}
	return n
}

// Somebody claims that an unpaid sale is paid. It is answered like the truth and nothing moves.
func forgedWebhook(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	stranger := deployment.NewClient(t, d, "")
	for _, p := range three {
		s, honest := shop.register(t, p, sim.Charge{WebhookURL: shop.hookURL(p, string(p), true)}), shop.sell(t, p)
		must(t, d.World().SendWebhook(p, s.charge, sim.Paid, ""))
		honest.pay(t)
		deployment.Eventually(t, deployment.Within, "both are answered 200", func() bool {
			return s.answered(http.StatusOK) == 1 && honest.answered(http.StatusOK) == 1
		})
		deployment.Eventually(t, deployment.Within, "the claim is disproved", func() bool { return s.get(t).GetKnowledge().GetPolls() > 0 && s.hints(t) == 1 },
			func() string { return s.history(t) })
		honest.awaitSettled(t, deployment.Within)
		if st := s.status(t); st != paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING {
			t.Errorf("%s: a forged webhook made the sale %v%s", p, st, s.history(t))
		}
		s.checkUntouched(t)

		// A claim about nothing that exists is answered the same way, with the same words.
		a, err := stranger.Do("POST", "/webhook/payment/"+string(p), []byte(`{"id":"00000000-0000-4000-8000-000000000000","status":"paid","value":100}`),
			"Content-Type", "application/json")
		must(t, err)
		if a.Code != http.StatusOK || !strings.Contains(a.Body, `"received":true`) {
			t.Errorf("%s: a claim about an unknown charge: %d %s", p, a.Code, a.Body)
		}
	}
	shop.checkStatistics(t, int64(len(three)))
}

// hints is how many webhooks are in the history. One that was being read for longer than it is anybody's, on a slow machine, is read again and
// there twice, with one time of arrival.
func (s *sale) hints(t *testing.T) int {
	t.Helper()
	arrived := map[string]bool{}
	for _, e := range s.events(t) {
		if e.GetKind() == "hint_received" {
			arrived[e.GetDetails()["received_at"]] = true
		}
	}
	return len(arrived)
}

// awaitHint waits until a webhook is in the history, and fails when there are several.
func (s *sale) awaitHint(t *testing.T) {
	t.Helper()
	deployment.Eventually(t, deployment.Within, fmt.Sprintf("the webhook of sale %s at %s is in the history", s.id, s.provider),
		func() bool { return s.hints(t) > 0 }, func() string { return s.history(t) })
	if n := s.hints(t); n != 1 {
		t.Errorf("sale %s at %s: %d webhooks in the history, want 1%s", s.id, s.provider, n, s.history(t))
	}
}

// calm is the shop at an account where nobody looks at a new sale by itself for longer than a test waits: whatever is found, a webhook led to it.
func (s *shop) calm(t *testing.T, p sim.Provider) *shop {
	t.Helper()
	return s.branch(t, p, "calma", "first_look=1h")
}

// The provider posts before the merchant's program has told us of the sale.
func earlyWebhook(t *testing.T, d deployment.Deployment, p sim.Provider) {
	shop := openShop(t, d).calm(t, p)
	c := shop.placed(t, p, sim.Charge{WebhookURL: shop.hookURL(p, string(p), true), Status: sim.Paid})
	must(t, d.World().SendWebhook(p, c.ID, "", ""))
	waiting := &sale{shop: shop, provider: p, charge: c.ID}
	deployment.Eventually(t, deployment.Within, "the webhook is answered 200", func() bool { return waiting.answered(http.StatusOK) == 1 })
	s := shop.follow(t, p, c)
	s.awaitSettled(t, deployment.Within)
	s.awaitHint(t)
}

// Every body that the provider was seen to send.
func webhookShapes(t *testing.T, d deployment.Deployment, p sim.Provider) {
	shop := openShop(t, d)
	var all []*sale
	for _, v := range sim.Variants(p) {
		all = append(all, shop.register(t, p, sim.Charge{WebhookURL: shop.hookURL(p, string(p), true), Webhooks: &sim.Webhooks{Variant: v}}))
	}
	for _, s := range all {
		s.pay(t)
	}
	for i, s := range all {
		deployment.Eventually(t, deployment.Within, fmt.Sprintf("variant %s of %s settles the sale", sim.Variants(p)[i], p), func() bool {
			return s.status(t) == paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID
		}, func() string { return s.history(t) })
		s.awaitHint(t) // a look may have been sooner than its reading
	}
	for _, s := range all {
		s.awaitSettled(t, deployment.Within)
	}
}

// The addresses that providers are configured with today, and bodies whose header says something else than they are.
func webhookAddresses(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	var wg sync.WaitGroup
	defer wg.Wait()
	for name, c := range map[string]struct {
		p       sim.Provider
		url     string
		variant string
	}{
		"the alias, a form":               {sim.Pushinpay, shop.hookURL(sim.Pushinpay, "pushynpay", false), "form"},
		"the alias, a form called JSON":   {sim.Pushinpay, shop.hookURL(sim.Pushinpay, "pushynpay", false), "form_as_json"},
		"the name, JSON called a form":    {sim.Pushinpay, shop.hookURL(sim.Pushinpay, "pushinpay", false), "json_as_form"},
		"the alias with an account's key": {sim.Pushinpay, shop.hookURL(sim.Pushinpay, "pushynpay", true), "json"},
		"atomopay without a key":          {sim.Atomopay, shop.hookURL(sim.Atomopay, "atomopay", false), "flat"},
		"atomopay in capitals, a slash":   {sim.Atomopay, shop.hookURL(sim.Atomopay, "AtomoPay", false) + "/", "transaction"},
		"paradise without a key":          {sim.Paradise, shop.hookURL(sim.Paradise, "paradise", false), "flat"},
	} {
		s := shop.register(t, c.p, sim.Charge{WebhookURL: c.url, Webhooks: &sim.Webhooks{Variant: c.variant}})
		s.pay(t)
		wg.Go(func() {
			if !deployment.Happens(deployment.Within, func() bool {
				return s.status(t) == paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID && s.hints(t) == 1
			}) {
				t.Errorf("%s: %v%s", name, s.status(t), s.history(t))
			}
		})
	}
}
