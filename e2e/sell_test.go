package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/baixapay/baixa/e2e/deployment"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// sellStories are about sales that go as they should.
func sellStories() []story {
	var list []story
	for _, p := range three {
		list = append(list, story{"happy path at " + string(p), func(t *testing.T, d deployment.Deployment) { happyPath(t, d, p) }})
	}
	return append(list, story{"repeated requests are one sale", repeatedRequest}, story{"refund closes the link", refunded})
}

func happyPath(t *testing.T, d deployment.Deployment, p sim.Provider) {
	shop := openShop(t, d)
	screen := shop.watch(t)
	s := shop.sell(t, p)
	s.checkUntouched(t)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	s.awaitHint(t)

	for _, kind := range []string{"payment_update", "delivery_sent", "delivery_opened", "purchase_sent"} {
		screen.awaitOnce(t, deployment.Within, s.id, kind)
	}
	f := screen.awaitOnce(t, deployment.Within, s.id, "payment_update")
	if f.Status != "paid" || f.Amount != "19.90" || string(f.BotID) != "35" || f.CustomerName != "Ana Exemplo" {
		t.Errorf("the owner's payment_update: %+v", f)
	}
	s.checkMessage(t)
	s.checkPurchase(t)
	shop.checkStatistics(t, 1)
	s.checkStory(t)

	got := s.get(t)
	want := shop.request(p).GetTracking()
	if !proto.Equal(got.GetTracking(), want) {
		t.Errorf("tracking came back as %v, want %v", got.GetTracking(), want)
	}
	if got.GetBuyer().GetDocument() != "" {
		t.Error("the buyer's document is shown")
	}
	if c := d.World().Counters().Providers[p]; c.Violations != 0 {
		t.Errorf("%s was asked too often %d times", p, c.Violations)
	}
}

// checkMessage reads what the buyer reads.
func (s *sale) checkMessage(t *testing.T) {
	t.Helper()
	m := s.shop.d.World().Messages(s.chat)[0]
	for _, part := range []string{"Acesso VIP <mensal> & mais", "19,90"} {
		if !strings.Contains(m.Plain, part) {
			t.Errorf("the buyer's message does not say %q: %q", part, m.Plain)
		}
	}
	var visited bool
	for _, v := range s.shop.d.World().Visits() {
		if v.Chat == s.chat {
			visited = visited || v.HTTPStatus == http.StatusOK
		}
	}
	if !visited {
		t.Error("the buyer's page did not answer 200")
	}
}

// checkPurchase compares what the page and the server told Meta.
func (s *sale) checkPurchase(t *testing.T) {
	t.Helper()
	id := s.delivery(t).GetPurchase().GetEventId()
	sources := map[string]int{}
	deployment.Eventually(t, deployment.Within, "Meta knows the Purchase from the page and from the server", func() bool {
		clear(sources)
		for _, e := range s.shop.d.World().Events(s.shop.pixel) {
			if e.Name == "Purchase" {
				if e.ID != id || e.Currency != "BRL" || strings.TrimSuffix(e.Value, "0") != "19.9" {
					t.Errorf("a Purchase %s of %s %s from the %s; its id is %s", e.ID, e.Currency, e.Value, e.Source, id)
				}
				sources[e.Source]++
			}
		}
		return sources["browser"] == 1 && sources["server"] == 1
	})
}

// checkStory asks for the sale's story by every name that it has.
func (s *sale) checkStory(t *testing.T) {
	t.Helper()
	p := s.get(t)
	queries := map[string]string{p.GetId(): "payment_id", p.GetExternalId(): "external_id", s.link(): "token"}
	if p.GetCharge().GetId() != "" {
		queries[p.GetCharge().GetId()] = "charge_id"
	}
	for query, by := range queries {
		resp := &paymentsv1.ExplainPaymentResponse{}
		s.shop.api.Must("GET", "/v1/payments:explain?query="+url.QueryEscape(query), nil, resp)
		if resp.GetPayment().GetId() != s.id || resp.GetMatchedBy() != by {
			t.Errorf("explain by %s: sale %s by %s, want %s", by, resp.GetPayment().GetId(), resp.GetMatchedBy(), s.id)
		}
		services := map[string]bool{}
		for _, line := range resp.GetTimeline() {
			services[line.GetService()] = true
		}
		if resp.GetSummary() == "" || !services["payments"] || !services["gateways"] || !services["delivery"] || !services["notifier"] {
			t.Errorf("explain by %s: summary %q, services %v in %v", by, resp.GetSummary(), services, resp.GetTimeline())
		}
	}
}

func repeatedRequest(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	req := shop.request(sim.Atomopay)
	s := shop.sellAs(t, sim.Atomopay, req)
	again := &paymentsv1.CreatePaymentResponse{}
	shop.api.Must("POST", "/v1/payments", req, again)
	if again.GetCreated() || again.GetPayment().GetId() != s.id {
		t.Errorf("the same request again: created %v, sale %s, want %s", again.GetCreated(), again.GetPayment().GetId(), s.id)
	}
	other := proto.Clone(req).(*paymentsv1.CreatePaymentRequest)
	other.Amount.Centavos++
	if a := shop.api.REST("POST", "/v1/payments", other, nil); a.Code != http.StatusConflict || a.Problem().Code != "ALREADY_EXISTS" {
		t.Errorf("the same key with another price: %d %s, want 409 ALREADY_EXISTS", a.Code, a.Body)
	}
	charges := 0
	for _, c := range d.World().Charges(sim.Atomopay) {
		if c.Account == shop.at("") {
			charges++
		}
	}
	if charges != 1 {
		t.Errorf("the provider has %d charges, want 1", charges)
	}
}

func refunded(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	must(t, d.World().Refund(s.provider, s.charge))
	s.awaitStatus(t, deployment.Within, paymentsv1.PaymentStatus_PAYMENT_STATUS_REFUNDED)
	deployment.Eventually(t, deployment.Within, "the link is closed", func() bool {
		return s.delivery(t).GetState() == deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED
	})
	resp := &paymentsv1.GetStatisticsResponse{}
	shop.api.Must("GET", "/v1/statistics", nil, resp)
	if l := resp.GetLines(); len(l) != 1 || l[0].GetPaidCount() != 1 || l[0].GetReversedCount() != 1 || l[0].GetNet().GetCentavos() != 0 {
		t.Errorf("statistics after the refund: %v", l)
	}
	s.checkOnce(t)
}
