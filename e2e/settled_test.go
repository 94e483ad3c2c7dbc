package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// pay pays the charge at the provider, which tells its webhook where it has one.
func (s *sale) pay(t *testing.T) {
	t.Helper()
	must(t, s.shop.d.World().Pay(s.provider, s.charge))
}

// get is the sale as the API shows it.
func (s *sale) get(t *testing.T) *paymentsv1.Payment {
	t.Helper()
	resp := &paymentsv1.GetPaymentResponse{}
	s.shop.api.Must("GET", "/v1/payments/"+s.id, nil, resp)
	return resp.GetPayment()
}

func (s *sale) status(t *testing.T) paymentsv1.PaymentStatus { t.Helper(); return s.get(t).GetStatus() }

// events is the sale's history in words, for failures and for counting.
func (s *sale) events(t *testing.T) []*paymentsv1.Event {
	t.Helper()
	resp := &paymentsv1.ListPaymentEventsResponse{}
	s.shop.api.Must("GET", "/v1/payments/"+s.id+"/events", nil, resp)
	return resp.GetEvents()
}

func (s *sale) history(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, e := range s.events(t) {
		fmt.Fprintf(&b, "\n  %d %s %s %s %v", e.GetNumber(), e.GetAt().AsTime().Format(time.TimeOnly), e.GetKind(), e.GetSource(), e.GetDetails())
	}
	return b.String()
}

// count is how often a kind is in the history.
func (s *sale) count(t *testing.T, kind string) (n int) {
	t.Helper()
	for _, e := range s.events(t) {
		if e.GetKind() == kind {
			n++
		}
	}
	return n
}

// awaitStatus waits until the sale has a status.
func (s *sale) awaitStatus(t *testing.T, within time.Duration, want paymentsv1.PaymentStatus) {
	t.Helper()
	deployment.Eventually(t, within, fmt.Sprintf("sale %s at %s is %v", s.id, s.provider, want),
		func() bool { return s.status(t) == want }, func() string { return s.status(t).String() + s.history(t) })
}

// awaitSettled waits until the buyer has opened the page and Meta has the Purchase, and checks that everything came once.
func (s *sale) awaitSettled(t *testing.T, within time.Duration) {
	t.Helper()
	deployment.Eventually(t, within, fmt.Sprintf("sale %s at %s is paid, messaged, opened and its Purchase sent", s.id, s.provider), func() bool {
		p := s.get(t)
		f := p.GetFulfilment()
		return p.GetStatus() == paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID && f.GetMessage() == "sent" && f.GetOpenedAt() != nil && f.GetPurchase() == "sent"
	}, func() string {
		p := s.get(t)
		return fmt.Sprint(p.GetStatus(), p.GetFulfilment(), p.GetKnowledge()) + s.history(t)
	})
	s.checkOnce(t)
}

// openAgain is a buyer who found the page away and comes back, until it is there.
func (s *sale) openAgain(t *testing.T) {
	t.Helper()
	w := s.shop.d.World()
	visits := func() (seen, opened int) {
		for _, v := range w.Visits() {
			if v.Chat == s.chat {
				seen++
				if v.HTTPStatus == http.StatusOK {
					opened++
				}
			}
		}
		return seen, opened
	}
	deployment.Eventually(t, deployment.Within, "the buyer has tried the link", func() bool { seen, _ := visits(); return seen > 0 })
	if _, opened := visits(); opened > 0 {
		return
	}
	buyer := deployment.NewClient(t, s.shop.d, "")
	deployment.Eventually(t, deployment.Within, "the page is there", func() bool {
		a, err := buyer.Do("GET", s.link(), nil, "User-Agent", phone)
		return err == nil && a.Code == http.StatusOK
	})
}

// phone is what a buyer's browser says that it is.
const phone = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36"

// link is the delivery link that the buyer got, empty when there is none.
func (s *sale) link() string {
	for _, m := range s.shop.d.World().Messages(s.chat) {
		for _, l := range m.Links {
			if strings.Contains(l, "/delivery/") {
				return l
			}
		}
	}
	return ""
}

// checkOnce fails unless the buyer has exactly one message with a link, and Meta exactly one Purchase, told twice: by the page
// and by the server, under one id.
func (s *sale) checkOnce(t *testing.T) {
	t.Helper()
	w := s.shop.d.World()
	if n := len(w.Messages(s.chat)); n != 1 {
		t.Errorf("sale %s at %s: the buyer got %d messages, want 1", s.id, s.provider, n)
	}
	link := s.link()
	if !strings.HasPrefix(link, s.shop.d.PagesURL()+"/delivery/") {
		t.Errorf("sale %s: the link does not lead to %s/delivery/", s.id, s.shop.d.PagesURL())
	} else {
		s.shop.d.Canary(strings.TrimPrefix(link, s.shop.d.PagesURL()+"/delivery/"))
	}
	counted := s.purchases(t)
	if len(counted) != 1 {
		t.Errorf("sale %s: Meta counted %d Purchases, want 1", s.id, len(counted))
	}
}

// purchases are the sale's Purchases that Meta counted, each once however often it was told.
func (s *sale) purchases(t *testing.T) (counted []sim.Event) {
	t.Helper()
	id := s.delivery(t).GetPurchase().GetEventId()
	if id == "" {
		return nil
	}
	for _, e := range s.shop.d.World().Events(s.shop.pixel) {
		if e.Name == "Purchase" && e.ID == id && !e.Duplicate {
			counted = append(counted, e)
		}
	}
	return counted
}

// delivery is what delivery tells of the sale.
func (s *sale) delivery(t *testing.T) *deliveryv1.Delivery {
	t.Helper()
	resp := &deliveryv1.GetDeliveryResponse{}
	must(t, s.shop.api.Ask(deliveryv1.DeliveryService_GetDelivery_FullMethodName, &deliveryv1.GetDeliveryRequest{PaymentId: s.id}, resp))
	return resp.GetDelivery()
}

// checkUntouched fails unless nothing was ever given for the sale.
func (s *sale) checkUntouched(t *testing.T) {
	t.Helper()
	p := s.get(t)
	if f := p.GetFulfilment(); p.GetStatus() == isPaid || f.GetTokenIssuedAt() != nil || f.GetMessage() != "" {
		t.Errorf("sale %s at %s was given away: %v %v%s", s.id, s.provider, p.GetStatus(), f, s.history(t))
	}
	if n := len(s.shop.d.World().Messages(s.chat)); n != 0 {
		t.Errorf("sale %s at %s: the buyer got %d messages, want none", s.id, s.provider, n)
	}
}

// statistics are what the shop has sold.
func (s *shop) statistics(t *testing.T) (count, gross int64) {
	t.Helper()
	resp := &paymentsv1.GetStatisticsResponse{}
	s.api.Must("GET", "/v1/statistics", nil, resp)
	for _, l := range resp.GetLines() {
		count += l.GetPaidCount()
		gross += l.GetGross().GetCentavos()
	}
	return count, gross
}

// checkStatistics fails unless the shop has sold so many for the usual price.
func (s *shop) checkStatistics(t *testing.T, want int64) {
	t.Helper()
	if count, gross := s.statistics(t); count != want || gross != want*price {
		t.Errorf("statistics of %s: %d sales for %d centavos, want %d for %d", s.name, count, gross, want, want*price)
	}
}

// prove runs `baixa prove` on the shop's sales until what waits has been done: whatever was tried, the whole history holds.
func (s *shop) prove(t *testing.T) {
	t.Helper()
	var last deployment.Command
	deployment.Eventually(t, lease+deployment.Within, "`baixa prove` finds nothing wrong", func() bool {
		last = deployment.Run(t, []string{"BAIXA_API_KEY=" + s.d.OperatorKey()}, "prove", "--json", "--merchant", s.id, "--address", s.d.GRPC())
		return last.Code == 0
	}, func() string { return last.Stdout + last.Stderr })
}
