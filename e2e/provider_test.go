package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

const (
	pending = paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING
	isPaid  = paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID
	review  = paymentsv1.PaymentStatus_PAYMENT_STATUS_NEEDS_REVIEW
	failed  = paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED
)

// retried is how long a look that got no answer may take to be repeated, with its answer's way.
const retried = time.Minute + deployment.Within

// providerStories are about providers on a bad day.
func providerStories() []story {
	list := []story{{"provider lies", lyingProvider}, {"provider flaps", flappingProvider}, {"provider uses an unknown word", unknownWord},
		{"provider says another amount", otherAmount}, {"provider refuses the charge", refusedCharge},
		{"PushinPay is never asked twice a minute", pushinpayPace},
		{"provider refuses the credentials", refusedCredentials}, {"provider falls silent", silentProvider}}
	for _, p := range three {
		list = append(list, story{"creation not answered by " + string(p), func(t *testing.T, d deployment.Deployment) { lostCreation(t, d, p) }})
	}
	for _, f := range []sim.Fault{
		{Kind: sim.FaultDown}, {Kind: sim.FaultSlow, Latency: 2 * time.Second}, {Kind: sim.FaultHTML}, {Kind: sim.FaultHTML, HTTPStatus: 200},
		{Kind: sim.FaultCode, HTTPStatus: 500}, {Kind: sim.FaultTruncated}, {Kind: sim.FaultEmpty}, {Kind: sim.FaultErrorBody}, {Kind: sim.FaultHuge},
		{Kind: sim.FaultRateLimited, RetryAfter: 3 * time.Second, Count: 1}, {Kind: sim.FaultHidden, Age: time.Hour},
	} {
		name := fmt.Sprintf("provider %s %d", f.Kind, f.HTTPStatus)
		list = append(list, story{name, func(t *testing.T, d deployment.Deployment) { badDay(t, d, f) }})
	}
	return list
}

// strike puts a fault on one shop's looks.
func (s *shop) strike(t *testing.T, p sim.Provider, f sim.Fault) sim.FaultID {
	t.Helper()
	f.Target, f.Account = string(p), s.at("")
	if f.Endpoint == "" {
		f.Endpoint = sim.EndpointStatus
	}
	id, err := s.d.World().AddFault(f)
	must(t, err)
	return id
}

// A paid sale is met with the fault, stays as it is, and settles when the provider is well again.
func badDay(t *testing.T, d deployment.Deployment, f sim.Fault) {
	shop := openShop(t, d)
	fault := shop.strike(t, sim.Atomopay, f)
	began := time.Now()
	s := shop.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(3), PaidAt: minutesAgo(2)})
	if f.Kind != sim.FaultSlow { // a slow answer is a good one
		deployment.Eventually(t, deployment.Within, "a look without an answer is in the history",
			func() bool { return s.count(t, "poll_failed") > 0 }, func() string { return s.history(t) })
		s.checkKnowledge(t, f)
	}
	if f.Count == 0 {
		d.World().RemoveFault(fault)
	}
	s.awaitSettled(t, retried)
	if f.Kind == sim.FaultRateLimited && time.Since(began) < f.RetryAfter {
		t.Errorf("settled after %v although the provider asked for %v", time.Since(began), f.RetryAfter)
	}
	shop.checkStatistics(t, 1)
}

// checkKnowledge looks at what is known of a sale after a look that failed; the sale is pending unless it has been settled
// meanwhile.
func (s *sale) checkKnowledge(t *testing.T, f sim.Fault) {
	t.Helper()
	want := "transient"
	switch f.Kind {
	case sim.FaultRateLimited:
		want = "rate_limited"
	case sim.FaultHidden:
		want = "not_found"
	case sim.FaultHuge: // no answer of theirs is that large
		want = "contract"
	}
	for _, e := range s.events(t) {
		if e.GetKind() != "poll_failed" {
			continue
		}
		if got := e.GetDetails()["outcome"]; got != want {
			t.Errorf("%s: the look ended as %q, want %q%s", f.Kind, got, want, s.history(t))
		}
		if e.GetFrom() != pending || e.GetTo() != pending {
			t.Errorf("%s: a look without an answer moved the sale from %v to %v", f.Kind, e.GetFrom(), e.GetTo())
		}
	}
}

// Webhooks say paid, the status says pending: nothing is delivered until the status says so too.
func lyingProvider(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	fault := shop.strike(t, sim.Atomopay, sim.Fault{Kind: sim.FaultLie})
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	deployment.Eventually(t, deployment.Within, "the claim was looked into", func() bool { return s.get(t).GetKnowledge().GetPolls() > 0 })
	if st := s.status(t); st != pending {
		t.Errorf("the sale is %v although the status says pending%s", st, s.history(t))
	}
	s.checkUntouched(t)
	d.World().RemoveFault(fault)
	s.awaitSettled(t, retried)
}

// The status says paid, then pending: what was learned once stays.
func flappingProvider(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	shop.strike(t, sim.Atomopay, sim.Fault{Kind: sim.FaultFlap})
	s := shop.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(2), WebhookURL: shop.hookURL(sim.Atomopay, "atomopay", true)})
	s.awaitSettled(t, deployment.Within)
	looks, err := d.World().Looks(sim.Atomopay, s.charge)
	must(t, err)
	must(t, d.World().SendWebhook(sim.Atomopay, s.charge, sim.Refunded, ""))
	deployment.Eventually(t, deployment.Within, "the claim of a refund was looked into", func() bool {
		n, err := d.World().Looks(sim.Atomopay, s.charge)
		return err == nil && n > looks
	}, func() string { return s.history(t) })
	deployment.Eventually(t, deployment.Within, "the look is in the history", func() bool { return s.count(t, "reported") > 1 })
	if st := s.status(t); st != isPaid {
		t.Errorf("the sale went from paid to %v%s", st, s.history(t))
	}
	s.checkOnce(t)
	shop.checkStatistics(t, 1)
}

func unknownWord(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, Word: "liquidadissimo", CreatedAt: minutesAgo(2)})
	deployment.Eventually(t, deployment.Within, "the word is known to us as unknown", func() bool {
		return s.get(t).GetKnowledge().GetLastProviderStatus() == "liquidadissimo"
	}, func() string { return s.history(t) })
	if st := s.status(t); st != pending {
		t.Errorf("an unknown word made the sale %v", st)
	}
	s.checkUntouched(t)
	must(t, d.World().SetStatus(sim.Atomopay, s.charge, sim.Paid))
	s.awaitSettled(t, time.Minute+deployment.Within)
}

// What was paid is not what was owed: a person decides.
func otherAmount(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.register(t, sim.Paradise, sim.Charge{Status: sim.Paid, AmountCentavos: price - 1000, CreatedAt: minutesAgo(2)})
	s.awaitStatus(t, deployment.Within, review)
	s.checkUntouched(t)
	shop.checkStatistics(t, 0)
	shop.api.Must("POST", "/v1/payments/"+s.id+":review", &paymentsv1.ReviewPaymentRequest{Decision: paymentsv1.ReviewDecision_REVIEW_DECISION_ACCEPT,
		Note: "desconto combinado"}, &paymentsv1.ReviewPaymentResponse{})
	s.awaitSettled(t, deployment.Within)
}

// A charge may be refused with an answer that looks like success.
func refusedCharge(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	shop.strike(t, sim.Atomopay, sim.Fault{Kind: sim.FaultRefuse, Endpoint: sim.EndpointCreate})
	req := shop.request(sim.Atomopay)
	for n := range 2 { // repeating it changes nothing
		if a := shop.api.REST("POST", "/v1/payments", req, nil); a.Code != http.StatusBadRequest || a.Problem().Code != "FAILED_PRECONDITION" {
			t.Errorf("refused charge, request %d: %d %s, want 400 FAILED_PRECONDITION", n+1, a.Code, a.Body)
		}
	}
	list := &paymentsv1.ListPaymentsResponse{}
	shop.api.Must("GET", "/v1/payments", nil, list)
	if len(list.GetPayments()) != 1 || list.GetPayments()[0].GetStatus() != failed {
		t.Errorf("the refused sale in the list: %v, want one that failed", list.GetPayments())
	}
}

// The charge is made and its answer lost: the sale stands, the buyer can pay, and the money is found.
func lostCreation(t *testing.T, d deployment.Deployment, p sim.Provider) {
	shop := openShop(t, d)
	shop.strike(t, p, sim.Fault{Kind: sim.FaultSwallow, Endpoint: sim.EndpointCreate})
	req := shop.request(p)
	must(t, d.World().AddChat(sim.Chat{ID: req.GetBuyer().GetTelegramId()}))
	resp := &paymentsv1.CreatePaymentResponse{}
	shop.api.Must("POST", "/v1/payments", req, resp)
	if st := resp.GetPayment().GetStatus(); st != pending {
		t.Fatalf("the sale whose creation was not answered is %v", st)
	}
	var charges []sim.Charge
	for _, c := range d.World().Charges(p) {
		if c.Account == shop.at("") {
			charges = append(charges, c)
		}
	}
	if len(charges) != 1 {
		t.Fatalf("the provider has %d charges, want 1", len(charges))
	}
	s := &sale{shop: shop, id: resp.GetPayment().GetId(), provider: p, charge: charges[0].ID, chat: req.GetBuyer().GetTelegramId(), centavos: price}
	s.pay(t)
	s.awaitSettled(t, retried)
	shop.checkStatistics(t, 1)
}

// However often anybody asks, PushinPay is asked about one sale at most once in 60 seconds.
func pushinpayPace(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.register(t, sim.Pushinpay, sim.Charge{CreatedAt: minutesAgo(2), WebhookURL: shop.hookURL(sim.Pushinpay, "pushinpay", true)})
	deployment.Eventually(t, deployment.Within, "the first look", func() bool { return s.get(t).GetKnowledge().GetPolls() == 1 })
	first := s.get(t).GetKnowledge().GetLastPollAt().AsTime()
	for range 10 {
		must(t, d.World().SendWebhook(sim.Pushinpay, s.charge, sim.Paid, ""))
		resp := &paymentsv1.RecheckPaymentResponse{}
		shop.api.Must("POST", "/v1/payments/"+s.id+":recheck", &paymentsv1.RecheckPaymentRequest{}, resp)
		if next := resp.GetNextPollAt().AsTime(); next.Before(first.Add(time.Minute)) {
			t.Fatalf("a recheck brings the next look to %v after the first", next.Sub(first))
		}
	}
	deployment.Eventually(t, deployment.Within, "a webhook is in the history", func() bool { return s.count(t, "hint_received") > 0 })
	looks, err := d.World().Looks(sim.Pushinpay, s.charge)
	if allowed := 1 + int64(time.Since(first)/time.Minute); err != nil || int64(looks) > allowed { // a minute may have passed meanwhile
		t.Errorf("PushinPay was asked %d times, %d are allowed by now (%v)", looks, allowed, err)
	}
	if k := s.get(t).GetKnowledge(); k.GetNextPollAt().AsTime().Before(k.GetLastPollAt().AsTime().Add(time.Minute)) {
		t.Errorf("the next look is %v after the last", k.GetNextPollAt().AsTime().Sub(k.GetLastPollAt().AsTime()))
	}
	if n := d.World().Counters().Providers[sim.Pushinpay].Violations; n != 0 {
		t.Errorf("PushinPay's rule was broken %d times", n)
	}
}

// Credentials that are refused pause the account; new ones go on.
func refusedCredentials(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	must(t, d.World().AddAccount(sim.Account{Provider: sim.Atomopay, Name: shop.at(""), Key: secret(d, "")}))
	s := shop.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(2)})
	deployment.Eventually(t, deployment.Within, "the refusal is known", func() bool { return s.get(t).GetKnowledge().GetLastOutcome() == "credential" },
		func() string { return s.history(t) })
	s.checkUntouched(t)
	shop.putAccount(t, sim.Atomopay, "")
	a := shop.api.REST("POST", "/v1/payments/"+s.id+":recheck", &paymentsv1.RecheckPaymentRequest{}, nil)
	if a.Code != http.StatusOK {
		t.Errorf("recheck: %d %s", a.Code, a.Body)
	}
	k := s.get(t).GetKnowledge()
	if wait := time.Until(k.GetNextPollAt().AsTime()); wait > 6*time.Minute {
		t.Errorf("after new credentials the sale is looked at only in %v", wait)
	}
}
