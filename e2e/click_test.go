package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// clickStories are about ads.
func clickStories() []story {
	return []story{{"a click reaches the Purchase", clickToPurchase}, {"a click that nobody knows costs nothing", clickUnknown}}
}

var started = regexp.MustCompile(`^https://t\.me/clube_bot\?start=([0-9a-f]{32})$`)

// visit opens a link of ads as a person in an app's browser, and returns what the bot is started with.
func (s *shop) visit(t *testing.T, slug, query string, header ...string) string {
	t.Helper()
	req, err := http.NewRequest("GET", s.d.URL()+"/go/"+slug+"?"+query, nil)
	must(t, err)
	req.Header.Set("User-Agent", phone)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	m := started.FindStringSubmatch(resp.Header.Get("Location"))
	if resp.StatusCode != http.StatusFound || m == nil {
		t.Fatalf("a click is answered %d, to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	return m[1]
}

func (s *shop) clickLink(t *testing.T) *paymentsv1.ClickLink {
	t.Helper()
	resp := &paymentsv1.PutClickLinkResponse{}
	s.api.Must("POST", "/v1/click-links", &paymentsv1.PutClickLinkRequest{Slug: "ad-" + s.name, BotUsername: "@clube_bot", CampaignCode: "c-77"}, resp)
	if want := s.d.URL() + "/go/ad-" + s.name; resp.GetLink().GetUrl() != want {
		t.Errorf("the link is %q, want %q", resp.GetLink().GetUrl(), want)
	}
	return resp.GetLink()
}

// Two clicks with one fbclid, both of which start the bot: the sale carries the last one, with the first one's time.
func clickToPurchase(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	link := shop.clickLink(t)
	const fbclid = "IwAR0ExEmPlO_-aBc"
	query := url.Values{"utm_source": {"FB"}, "utm_campaign": {"lançamento"}, "utm_medium": {"cpc"}, "fbclid": {fbclid}}
	first := shop.visit(t, link.GetSlug(), query.Encode())
	query.Set("utm_medium", "story")
	last := shop.visit(t, link.GetSlug(), query.Encode(), "Cookie", "_fbp=fb.1.1700000000000.987654321")

	req := shop.request(sim.Atomopay)
	req.Tracking = nil
	chat := req.GetBuyer().GetTelegramId()
	attached := map[string]*paymentsv1.AttachClickResponse{}
	for _, token := range []string{first, last} {
		attached[token] = &paymentsv1.AttachClickResponse{}
		shop.api.Must("POST", "/v1/clicks:attach", &paymentsv1.AttachClickRequest{BotId: "35", TelegramId: chat, ClickToken: token}, attached[token])
	}
	if !attached[last].GetLast() || attached[last].GetClick().GetFirstClickedAt().AsTime() != attached[first].GetClick().GetClickedAt().AsTime() {
		t.Errorf("attached %v", attached)
	}
	s := shop.sellAs(t, sim.Atomopay, req)
	got := s.get(t).GetTracking()
	if got.GetTrackingToken() != last || got.GetUtmMedium() != "story" || got.GetUtmCampaign() != "lançamento" || got.GetCampaignCode() != "c-77" || got.GetClientUserAgent() != phone {
		t.Errorf("the sale carries %v", got)
	}
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	s.checkPurchase(t)
	for _, e := range d.World().Events(shop.pixel) {
		if e.Name != "Purchase" || e.Source != "server" {
			continue
		}
		var user, custom map[string]any
		must(t, json.Unmarshal(e.UserData, &user))
		must(t, json.Unmarshal(e.CustomData, &custom))
		fbc := fmt.Sprintf("fb.1.%d.%s", attached[first].GetClick().GetClickedAt().AsTime().UnixMilli(), fbclid)
		if user["fbc"] != fbc || user["fbp"] != "fb.1.1700000000000.987654321" {
			t.Errorf("fbc %v, fbp %v; want %s", user["fbc"], user["fbp"], fbc)
		}
		for name, want := range map[string]string{"utm_source": "FB", "utm_medium": "story", "utm_campaign": "lançamento", "campaign_code": "c-77"} {
			if custom[name] != want {
				t.Errorf("%s is %v, want %s", name, custom[name], want)
			}
		}
		if e.ID != attached[last].GetClick().GetId() {
			t.Errorf("the event's id is %s, the click's %s", e.ID, attached[last].GetClick().GetId())
		}
	}
	history := &paymentsv1.ListClicksResponse{}
	shop.api.Must("GET", fmt.Sprintf("/v1/clicks?bot_id=35&telegram_id=%d", chat), nil, history)
	if n := len(history.GetClicks()); n != 2 || history.GetClicks()[0].GetToken() != last {
		t.Errorf("the buyer's history has %d clicks: %v", n, history)
	}
	// A second sale of the same click has an event id of its own, or Meta would swallow it.
	again := proto.Clone(req).(*paymentsv1.CreatePaymentRequest)
	again.IdempotencyKey, again.ExternalId, again.ClickToken = "again-"+last, "", last
	s2 := shop.sellAs(t, sim.Atomopay, again)
	s2.pay(t)
	s2.awaitStatus(t, deployment.Within, paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID)
	deployment.Eventually(t, deployment.Within, "the second Purchase is sent", func() bool { return s2.get(t).GetFulfilment().GetPurchase() == "sent" })
	if id := s2.delivery(t).GetPurchase().GetEventId(); id != "purchase_"+s2.id {
		t.Errorf("the second sale's event id is %s", id)
	}
}

func clickUnknown(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	req := shop.request(sim.Atomopay)
	req.Tracking, req.ClickToken = nil, strings.Repeat("f", 32)
	s := shop.sellAs(t, sim.Atomopay, req)
	if got := s.get(t).GetTracking(); got.GetTrackingToken() != req.GetClickToken() || got.GetFbclid() != "" {
		t.Errorf("the sale carries %v", got)
	}
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	guess := deployment.NewClient(t, d, "")
	if a, err := guess.Do("GET", "/go/nothing-"+shop.name, nil, "User-Agent", phone); err != nil || a.Code != http.StatusNotFound {
		t.Errorf("a link that is none: %d, %v", a.Code, err)
	}
}
