package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/e2e/browser"
	"github.com/baixapay/baixa/e2e/deployment"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// linked sells, pays and waits until the buyer has the link.
func (s *shop) linked(t *testing.T, edit ...func(*paymentsv1.CreatePaymentRequest)) *sale {
	t.Helper()
	req := s.request(sim.Atomopay)
	req.Product.Name = "Clube VIP · acesso mensal"
	req.Amount.Centavos = 123456
	for _, e := range edit {
		e(req)
	}
	out := s.sellAs(t, sim.Atomopay, req)
	out.pay(t)
	out.awaitMessage(t, deployment.Within, "sent")
	return out
}

func (s *shop) putPolicy(p *deliveryv1.PutLinkPolicyRequest) {
	s.api.Must("POST", "/v1/link-policies", p, &deliveryv1.PutLinkPolicyResponse{})
}

// visitor opens the link with another browser than the test's.
func (s *sale) visitor(t *testing.T) {
	t.Helper()
	a, err := deployment.NewClient(t, s.shop.d, "").Do("GET", s.link(), nil, "User-Agent", phone+" other")
	if err != nil || a.Code != http.StatusOK {
		t.Fatalf("another visitor: %d, %v", a.Code, err)
	}
}

// phonePage is a phone's browser; every problem that it notices fails the test.
func phonePage(t *testing.T, o browser.Options) *browser.Page {
	t.Helper()
	if o.UserAgent == "" {
		o.UserAgent = phone
	}
	p := browser.New(t, o)
	t.Cleanup(func() {
		if list := p.Problems(); len(list) != 0 && !t.Failed() {
			t.Errorf("the browser noticed: %q", list)
		}
	})
	return p
}

// refusals are the entries that a browser writes because a page answered 4xx or 5xx; nothing else may be among its problems.
func refusals(t *testing.T, p *browser.Page) {
	t.Helper()
	for _, problem := range p.Problems() {
		if !strings.Contains(problem, "Failed to load resource: the server responded with a status of 4") {
			t.Errorf("the browser noticed: %s", problem)
		}
	}
}

func shows(t *testing.T, p *browser.Page, want ...string) {
	t.Helper()
	text := p.Text()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the page does not show %q:\n%s", w, text)
		}
	}
}

func TestDeliveryPage(t *testing.T) {
	t.Parallel()
	d := deployment.New(t, deployment.OneProcess)
	seller := openShop(t, d)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *shop)
	}{
		{"open", pageOpen}, {"without script", pageWithoutScript}, {"a preview's visit", pagePreview}, {"revoked", pageRevoked},
		{"expired", pageExpired}, {"used up", pageUsedUp}, {"another device", pageOtherDevice}, {"made anew", pageMadeAnew}, {"a file", pageFile},
		{"contact instead of access", pageContact}, {"unknown", pageUnknown}, {"every paid sale once", pageEverySale},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { c.run(t, seller) })
	}
}

func pageOpen(t *testing.T, shop *shop) {
	s := shop.linked(t)
	link := s.link()
	p := phonePage(t, browser.Options{})
	if status := p.Open(link); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	shows(t, p, "Pagamento confirmado", "Clube VIP · acesso mensal", "R$ 1.234,56", "Acessar agora")
	s.bothPurchases(t)
	if at := browser.Run(p, chromedp.Location()); at != shop.d.PagesURL()+"/delivery/" {
		t.Errorf("the address still has the token")
	}
	_, token, _ := strings.Cut(link, "/delivery/")
	for i, r := range p.Requests() {
		if i > 0 && strings.Contains(r, token) {
			t.Errorf("request %d tells the token", i+1)
		}
		if !strings.HasPrefix(r, "http://127.0.0.1") && !strings.HasPrefix(r, "data:") {
			t.Errorf("a third party is asked: %s", r)
		}
	}
	p.Do(chromedp.Reload())
	shows(t, p, "Pagamento confirmado")
	if n := len(s.purchases(t)); n != 1 {
		t.Errorf("Meta counts %d Purchases after a reload", n)
	}
	accessible(t, p)
	focused(t, p)
	picture(t, link, "active")
}

// bothPurchases waits until browser and server have told Meta of the sale, and checks that they tell the same.
func (s *sale) bothPurchases(t *testing.T) {
	t.Helper()
	id := ""
	told := func() map[string]sim.Event {
		out := map[string]sim.Event{}
		if id = s.delivery(t).GetPurchase().GetEventId(); id == "" {
			return out
		}
		for _, e := range s.shop.d.World().Events(s.shop.pixel) {
			if e.Name == "Purchase" && e.ID == id {
				out[e.Source] = e
			}
		}
		return out
	}
	deployment.Eventually(t, deployment.Within, "browser and server have told Meta of the Purchase", func() bool { return len(told()) == 2 })
	list := told()
	type user struct {
		ExternalID any    `json:"external_id"`
		FBP        string `json:"fbp"`
		FBC        string `json:"fbc"`
	}
	var b, v user
	must(t, json.Unmarshal(list["browser"].UserData, &b))
	must(t, json.Unmarshal(list["server"].UserData, &v))
	if fmt.Sprint(b.ExternalID) != strings.Trim(fmt.Sprint(v.ExternalID), "[]") || b.FBC != v.FBC {
		t.Errorf("the browser says %+v, the server %+v", b, v)
	}
	if x, y := list["browser"], list["server"]; asNumber(x.Value) != asNumber(y.Value) || x.Currency != y.Currency || len(x.Warnings)+len(y.Warnings) != 0 {
		t.Errorf("the browser says %s %s %v, the server %s %s %v", x.Value, x.Currency, x.Warnings, y.Value, y.Currency, y.Warnings)
	}
	if n := len(s.purchases(t)); n != 1 {
		t.Errorf("Meta counts %d Purchases, want 1", n)
	}
}

// asNumber is a value as a browser writes it: 19.9 for 19.90.
func asNumber(value string) float64 {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return -1
	}
	return n
}

func pageWithoutScript(t *testing.T, shop *shop) {
	s := shop.linked(t)
	p := phonePage(t, browser.Options{NoScript: true})
	p.Open(s.link())
	shows(t, p, "Pagamento confirmado", "R$ 1.234,56", "Acessar agora")
	s.awaitSettled(t, deployment.Within) // the server's Purchase alone
}

func pagePreview(t *testing.T, shop *shop) {
	s := shop.linked(t)
	p := phonePage(t, browser.Options{UserAgent: "TelegramBot (like TwitterBot)"})
	if status := p.Open(s.link()); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	shows(t, p, "Seu acesso")
	if text := p.Text(); strings.Contains(text, "Clube VIP") || strings.Contains(text, "R$") {
		t.Errorf("a preview shows the sale: %s", text)
	}
	if got := s.delivery(t); got.GetOpens() != 0 || got.GetPurchase().GetEventId() != "" {
		t.Errorf("a preview counted as a visit: %v", got)
	}
	accessible(t, p)
	picture(t, s.link(), "preview", browser.Options{UserAgent: "TelegramBot (like TwitterBot)"})
	p.Do(chromedp.Click(chromedp.CSS("button.go"))) // whoever is taken for a machine gets in all the same
	p.Do(chromedp.WaitVisible(chromedp.CSS("a.go")))
	shows(t, p, "Pagamento confirmado")
}

func pageRevoked(t *testing.T, shop *shop) {
	s := shop.linked(t)
	must(t, shop.d.World().Refund(sim.Atomopay, s.charge))
	deployment.Eventually(t, deployment.Within, "the link is closed", func() bool {
		shop.api.Must("POST", "/v1/payments/"+s.id+":recheck", &paymentsv1.RecheckPaymentRequest{}, &paymentsv1.RecheckPaymentResponse{})
		return s.delivery(t).GetState() == deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED
	}, func() string { return s.history(t) })
	closedPage(t, s, http.StatusGone, "revoked", "Este acesso foi encerrado", s.id)
}

func pageExpired(t *testing.T, shop *shop) {
	shop.putPolicy(&deliveryv1.PutLinkPolicyRequest{LifetimeSeconds: 3600})
	s := shop.linked(t)
	shop.putPolicy(&deliveryv1.PutLinkPolicyRequest{})
	conn, err := pgx.Connect(t.Context(), shop.d.Database().DSN())
	must(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `UPDATE delivery.deliveries SET expires_at = now() WHERE payment_id = $1 AND expires_at > now()`, s.id)
	must(t, err) // an hour passes
	closedPage(t, s, http.StatusGone, "expired", "Este link expirou")
}

func pageUsedUp(t *testing.T, shop *shop) {
	shop.putPolicy(&deliveryv1.PutLinkPolicyRequest{MaxOpens: 1})
	s := shop.linked(t)
	shop.putPolicy(&deliveryv1.PutLinkPolicyRequest{})
	s.visitor(t)
	closedPage(t, s, http.StatusGone, "used-up", "Este link já foi usado")
}

func pageOtherDevice(t *testing.T, shop *shop) {
	shop.putPolicy(&deliveryv1.PutLinkPolicyRequest{BindToDevice: true, MaxOpens: 5, LifetimeAfterOpenSeconds: 3600})
	s, mine := shop.linked(t), shop.linked(t)
	shop.putPolicy(&deliveryv1.PutLinkPolicyRequest{})
	s.visitor(t)
	closedPage(t, s, http.StatusForbidden, "other-device", "Este link é de outro aparelho")
	p := phonePage(t, browser.Options{})
	p.Open(mine.link())
	p.Do(chromedp.Reload())
	shows(t, p, "Pagamento confirmado", "Abre somente neste aparelho.", "Restam 4 acessos.", "Vale até")
	accessible(t, p)
}

// closedPage opens a link that gives nothing.
func closedPage(t *testing.T, s *sale, status int, name string, want ...string) {
	t.Helper()
	p := browser.New(t, browser.Options{UserAgent: phone})
	if got := p.Open(s.link()); got != status {
		t.Errorf("status %d, want %d", got, status)
	}
	shows(t, p, append(want, "R$ 1.234,56")...)
	if html := browser.Run(p, chromedp.Evaluate[string]("document.documentElement.outerHTML")); strings.Contains(html, "exemplo.invalid") || strings.Contains(html, "<script") {
		t.Error("the page of a closed link has the access or a script")
	}
	refusals(t, p)
	accessible(t, p)
	picture(t, s.link(), name)
}

func pageMadeAnew(t *testing.T, shop *shop) {
	s := shop.linked(t)
	old := s.link()
	made := &paymentsv1.ResendDeliveryResponse{}
	shop.api.Must("POST", "/v1/payments/"+s.id+":resend", &paymentsv1.ResendDeliveryRequest{Regenerate: true, IdempotencyKey: "1"}, made)
	again := &paymentsv1.ResendDeliveryResponse{}
	shop.api.Must("POST", "/v1/payments/"+s.id+":resend", &paymentsv1.ResendDeliveryRequest{Regenerate: true, IdempotencyKey: "1"}, again)
	if made.GetUrl() == "" || made.GetUrl() == old || made.GetUrl() != again.GetUrl() {
		t.Fatalf("the new link is the old one, or none, or two")
	}
	_, token, _ := strings.Cut(made.GetUrl(), "/delivery/")
	shop.d.Canary(token)
	deployment.Eventually(t, deployment.Within, "the buyer has the new link", func() bool {
		m := shop.d.World().Messages(s.chat)
		return len(m) == 2 && strings.Contains(strings.Join(m[1].Links, " "), token)
	}, func() string { return s.history(t) })
	p := browser.New(t, browser.Options{UserAgent: phone})
	if got := p.Open(old); got != http.StatusNotFound {
		t.Errorf("the old link: status %d", got)
	}
	if got := p.Open(made.GetUrl()); got != http.StatusOK {
		t.Errorf("the new link: status %d", got)
	}
	deployment.Eventually(t, deployment.Within, "the new link and its order are in the history once", func() bool {
		return s.count(t, "token_regenerated") == 1 && s.count(t, "resend_ordered") == 1
	}, func() string { return s.history(t) })
}

func pageFile(t *testing.T, shop *shop) {
	shop.api.Must("POST", "/v1/file-keys", &deliveryv1.PutFileKeyRequest{KeyId: "k1", Secret: secret(shop.d, "s-")}, &deliveryv1.PutFileKeyResponse{})
	s := shop.linked(t, func(r *paymentsv1.CreatePaymentRequest) {
		r.Product.Name, r.Product.AccessUrl, r.Product.FileUrl = "E-book · Violão em 30 dias", "", "https://arquivos.exemplo.invalid/violao.pdf"
	})
	p := phonePage(t, browser.Options{})
	p.Open(s.link())
	shows(t, p, "Baixar arquivo")
	href := browser.Run(p, chromedp.Evaluate[string]("document.querySelector('a.go').href"))
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, href, nil)
	must(t, err)
	req.Header.Set("User-Agent", phone)
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	if at := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(at, "https://arquivos.exemplo.invalid/violao.pdf?baixa_expires=") {
		t.Errorf("a click: status %d to %q", resp.StatusCode, at)
	}
	picture(t, s.link(), "file")
}

func pageContact(t *testing.T, shop *shop) {
	screen := shop.watch(t)
	s := shop.linked(t, func(r *paymentsv1.CreatePaymentRequest) {
		r.Product.AccessUrl, r.Product.ContactText = "", "Chame a Ana no Telegram: @loja_exemplo.\nAtendimento das 9h às 18h."
	})
	p := phonePage(t, browser.Options{})
	p.Open(s.link())
	shows(t, p, "Como receber", "Chame a Ana no Telegram")
	if f := screen.awaitOnce(t, deployment.Within, s.id, "alert"); f.Status != "access_missing" {
		t.Errorf("the owner's alert: %+v", f)
	}
	picture(t, s.link(), "contact")
}

func pageUnknown(t *testing.T, shop *shop) {
	p := browser.New(t, browser.Options{UserAgent: phone})
	link := shop.d.PagesURL() + "/delivery/" + strings.Repeat("A", 43)
	if got := p.Open(link); got != http.StatusNotFound {
		t.Errorf("status %d", got)
	}
	shows(t, p, "Link não encontrado")
	refusals(t, p)
	accessible(t, p)
	picture(t, link, "unknown")
}

// pageEverySale is the whole way, as the demonstration shows it: paid at every provider, told by one message, opened in a browser,
// one Purchase from both sides, one event each on the owner's screen, and a story that has all of it with times.
func pageEverySale(t *testing.T, shop *shop) {
	screen := shop.watch(t)
	var sales []*sale
	for range 2 {
		for _, p := range three {
			sales = append(sales, shop.sell(t, p))
		}
	}
	for _, s := range sales {
		s.pay(t)
	}
	for _, s := range sales {
		s.awaitMessage(t, deployment.Within, "sent")
		p := phonePage(t, browser.Options{})
		if status := p.Open(s.link()); status != http.StatusOK {
			t.Errorf("the page of %s: status %d", s.id, status)
		}
		s.bothPurchases(t)
	}
	for _, s := range sales {
		s.awaitSettled(t, deployment.Within) // and one message, one Purchase
		for _, kind := range []string{"payment_update", "delivery_sent", "delivery_opened", "purchase_sent"} {
			screen.awaitOnce(t, deployment.Within, s.id, kind)
		}
		story := &paymentsv1.ExplainPaymentResponse{}
		deployment.Eventually(t, deployment.Within, "the story of "+s.id+" has everything with its time", func() bool {
			shop.api.Must("GET", "/v1/payments:explain?query="+s.id, nil, story)
			at := map[string]time.Time{}
			for _, l := range story.GetTimeline() {
				at[l.GetKind()] = l.GetAt().AsTime()
			}
			return !slices.ContainsFunc([]string{"token_issued", "message_sent", "opened", "purchase_queued", "purchase_sent", "owner_notified"},
				func(kind string) bool { return at[kind].Unix() <= 0 })
		}, func() string { return fmt.Sprint(story.GetTimeline()) })
	}
}

// picture takes the page as phones show it, light in Portuguese and dark in English.
func picture(t *testing.T, link, name string, as ...browser.Options) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	for suffix, o := range map[string]browser.Options{"-light.pt-BR.png": {}, "-dark.en.png": {Dark: true, Lang: "en"}} {
		o.UserAgent, o.Width, o.Height = phone, 390, 720
		if len(as) > 0 {
			o.UserAgent = as[0].UserAgent
		}
		p := browser.New(t, o)
		p.Open(link)
		shot(t, p, "delivery-"+name+suffix)
	}
}
