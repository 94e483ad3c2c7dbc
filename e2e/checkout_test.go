package e2e

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/baixapay/baixa/e2e/browser"
	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// The checkout page in a real browser, where no provider ever sends a webhook: what makes the sale settle is that the page is open.
func TestCheckout(t *testing.T) {
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		for _, p := range three {
			must(t, d.World().SetWebhooks(p, sim.Webhooks{Mode: sim.WebhookNever}))
		}
		shop := openShop(t, d)
		t.Run("pages", func(t *testing.T) {
			for _, s := range []struct {
				name string
				run  func(*testing.T, *shopOf)
			}{{"turns into the link", checkoutTurns}, {"without JavaScript", checkoutWithoutScript}, {"waits for its charge", checkoutWaits},
				{"in English in the dark", checkoutInEnglish}} {
				t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) {
					t.Parallel()
					s.run(t, &shopOf{shop})
				})
			}
		})
		badKeys(t, shop) // last: afterwards this address may not guess any more
	})
}

// shopOf is a shop whose sales' pages are opened.
type shopOf struct{ *shop }

func (s *shopOf) page(t *testing.T, p sim.Provider) (*sale, string) {
	t.Helper()
	made := s.sell(t, p)
	link := made.get(t).GetPayUrl()
	if !strings.HasPrefix(link, s.d.URL()+"/pay/") {
		t.Fatalf("pay_url is %q", link)
	}
	unprinted(t, s.d, link)
	return made, link
}

// unprinted fails the test when a process has printed the key in a link by its end. It is no canary, for the API may say it.
func unprinted(t *testing.T, d deployment.Deployment, link string) {
	t.Helper()
	t.Cleanup(func() {
		if strings.Contains(d.Output(), link[strings.LastIndexByte(link, '/')+1:]) {
			t.Error("a process has printed the key of a buyer's page")
		}
	})
}

// clean fails the test when a page did what its visitor would not like.
func clean(t *testing.T, p *browser.Page, hosts ...string) {
	t.Helper()
	for _, problem := range p.Problems() {
		t.Errorf("in the console: %s", problem)
	}
	for _, r := range p.Requests() {
		u, err := url.Parse(r)
		must(t, err)
		own := u.Scheme == "data"
		for _, h := range hosts {
			own = own || strings.HasPrefix(r, h+"/")
		}
		if !own {
			t.Errorf("the page asked for %s", r)
		}
	}
}

// awaitText waits until the page shows a text.
func awaitText(t *testing.T, p *browser.Page, text string) {
	t.Helper()
	says := func() string {
		ctx, cancel := context.WithTimeout(p.Context(), deployment.Within)
		defer cancel()
		said, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
		if err != nil { // the page is being loaded anew at this very moment
			return err.Error()
		}
		return said
	}
	deployment.Eventually(t, retried, "the page says "+text, func() bool { return strings.Contains(says(), text) }, says)
}

func checkoutTurns(t *testing.T, s *shopOf) {
	made, link := s.page(t, sim.Atomopay)
	p := browser.New(t, browser.Options{})
	if status := p.Open(link); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	code := made.get(t).GetCharge().GetCopyPaste()
	if got := readQR(t, browser.Run(p, chromedp.ScreenshotScale(chromedp.CSS(".qr"), 2))); got != code {
		t.Errorf("the QR code says %q, the code is %q", got, code)
	}
	if got := browser.Run(p, chromedp.TextContent(chromedp.CSS("#code"))); got != code {
		t.Errorf("copia-e-cola is %q", got)
	}
	for _, part := range []string{"Acesso VIP <mensal> & mais", "R$\u00a019,90", "Aguardando o pagamento", "apenas processa este pagamento"} {
		if text := p.Text(); !strings.Contains(strings.ReplaceAll(text, " ", "\u00a0"), strings.ReplaceAll(part, " ", "\u00a0")) {
			t.Errorf("the page does not say %q: %s", part, text)
		}
	}
	shot(t, p, "checkout-pending.png")

	// One tap copies.
	p.Do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, name := range []string{"clipboard-write", "clipboard-read"} {
			if _, err := cdp.Call(ctx, target, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
				Permission: &cdpbrowser.PermissionDescriptor{Name: name}, Setting: cdpbrowser.PermissionSettingGranted, Origin: s.d.URL(),
				BrowserContextID: chromedp.FromContext(p.Context()).BrowserContextID}); err != nil {
				return err
			}
		}
		return nil
	}))
	var held string // the browsers of all tests share one clipboard
	deployment.Eventually(t, deployment.Within, "the clipboard holds the code", func() bool {
		p.Do(chromedp.Click(chromedp.CSS(".copy")))
		awaitText(t, p, "Código copiado")
		held = browser.Run(p, chromedp.Evaluate[string](`navigator.clipboard.readText()`, chromedp.EvalAwaitPromise))
		return held == code
	}, func() string { return held })

	made.pay(t)
	awaitText(t, p, "Pagamento confirmado")
	if n := made.count(t, "buyer_present"); n != 1 {
		t.Errorf("the buyer was noted %d times%s", n, made.history(t))
	}
	if n := made.count(t, "hint_received"); n != 0 {
		t.Errorf("%d webhooks; there was to be none", n)
	}
	shot(t, p, "checkout-paid.png")
	if focus := browser.Run(p, chromedp.Evaluate[string](`document.activeElement.id`)); focus != "say" {
		t.Errorf("the focus is on %q, not on the news", focus)
	}
	clean(t, p, s.d.URL())
	p.Do(chromedp.Click(chromedp.CSS("a.go")))
	awaitText(t, p, "O seu acesso está pronto")
	if at := browser.Run(p, chromedp.Location()); !strings.HasPrefix(at, s.d.PagesURL()+"/delivery/") {
		t.Errorf("the button leads to %q", at)
	}
	made.awaitStatus(t, deployment.Within, paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID)
	deployment.Eventually(t, deployment.Within, "one link", func() bool { return made.count(t, "token_issued") == 1 }, func() string { return made.history(t) })
	if msg := made.link(); msg != "" && !strings.HasPrefix(msg, s.d.PagesURL()+"/delivery/") {
		t.Errorf("the message's link is %q", msg)
	}
	if c := s.d.World().Counters().Providers[sim.Atomopay]; c.Violations != 0 {
		t.Errorf("the provider was asked too often %d times", c.Violations)
	}
}

func checkoutWithoutScript(t *testing.T, s *shopOf) {
	made, link := s.page(t, sim.Paradise)
	p := browser.New(t, browser.Options{NoScript: true})
	p.Open(link)
	if text := p.Text(); !strings.Contains(text, made.get(t).GetCharge().GetCopyPaste()) || !strings.Contains(text, "Toque no código") || strings.Contains(text, "Copiar código") {
		t.Errorf("without JavaScript the page says %s", text)
	}
	shot(t, p, "checkout-no-script.png")
	made.pay(t)
	awaitText(t, p, "Pagamento confirmado")
	clean(t, p, s.d.URL())
}

// A sale whose provider answers late has a page before it has a code.
func checkoutWaits(t *testing.T, s *shopOf) {
	made := s.placed(t, sim.Pushinpay, sim.Charge{})
	registered := s.follow(t, sim.Pushinpay, made) // told without its copia-e-cola
	link := registered.get(t).GetPayUrl()
	unprinted(t, s.d, link)
	p := browser.New(t, browser.Options{})
	p.Open(link)
	if text := p.Text(); !strings.Contains(text, "Gerando o seu Pix") || !strings.Contains(text, "PushinPay apenas processa este pagamento") {
		t.Errorf("the page says %s", text)
	}
	shot(t, p, "checkout-making.png")
	must(t, s.d.World().Expire(sim.Pushinpay, made.ID))
	awaitText(t, p, "O prazo deste código terminou")
	if text := p.Text(); !strings.Contains(text, "o pagamento conta mesmo depois do prazo") {
		t.Errorf("the page says %s", text)
	}
	shot(t, p, "checkout-expired.png")
	clean(t, p, s.d.URL())
}

func checkoutInEnglish(t *testing.T, s *shopOf) {
	_, link := s.page(t, sim.Atomopay)
	p := browser.New(t, browser.Options{Lang: "en", Dark: true})
	p.Open(link)
	if text := p.Text(); !strings.Contains(text, "Waiting for the payment") || !strings.Contains(text, "Copy Pix code") {
		t.Errorf("in English the page says %s", text)
	}
	shot(t, p, "checkout-dark-en.png")
	wide := browser.New(t, browser.Options{Width: 1280, Height: 800})
	wide.Open(link)
	shot(t, wide, "checkout-wide.png")
	// Nothing is wider than the smallest phone.
	small := browser.New(t, browser.Options{Width: 320, Height: 568})
	small.Open(link)
	if w := browser.Run(small, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)); w > 320 {
		t.Errorf("the page is %d pixels wide on a phone of 320", w)
	}
	clean(t, small, s.d.URL())
}

// badKeys guesses from one address: one 404 for whatever names no page, and soon nothing at all.
func badKeys(t *testing.T, s *shop) {
	t.Helper()
	guess := deployment.NewClient(t, s.d, "")
	const atOnce, regained = 30, 2 * time.Second // wrong keys of one address, and after which time it may try one more
	began := time.Now()
	var mu sync.Mutex
	var first string
	codes, tried := map[int]int{}, 0
	one := func(n int) {
		a, err := guess.Do("GET", s.d.URL()+"/pay/"+strings.Repeat(string(rune('a'+n%26)), 20+n%60), nil, "User-Agent", phone)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Errorf("a guess: %v", err)
			return
		}
		codes[a.Code]++
		if body := nonces.ReplaceAllString(a.Body, ""); a.Code == http.StatusNotFound && first == "" {
			first = body
		} else if a.Code == http.StatusNotFound && body != first {
			t.Errorf("two wrong keys have two answers:\n%s\n%s", first, body)
		}
	}
	// Many at a time: what a slow machine answers one after the other could be slow enough to be allowed.
	deployment.Eventually(t, deployment.Within, "whoever guesses is stopped", func() bool {
		var wg sync.WaitGroup
		for range atOnce {
			n := tried
			tried++
			wg.Go(func() { one(n) })
		}
		wg.Wait()
		return codes[http.StatusTooManyRequests] >= 10
	}, func() string { return fmt.Sprint(codes) })
	allowed := atOnce + 1 + int(time.Since(began)/regained)
	if n := codes[http.StatusNotFound]; n < 20 || n > allowed || len(codes) != 2 {
		t.Errorf("%d guesses in %v: %v, of which at most %d may be looked up", tried, time.Since(began).Round(time.Second), codes, allowed)
	}
}

// readQR reads a picture as a bank's app does.
func readQR(t *testing.T, raw []byte) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(raw))
	must(t, err)
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	must(t, err)
	got, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatalf("the QR code cannot be read: %v", err)
	}
	return got.GetText()
}
