package checkout

import (
	"context"
	"errors"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestPage_everyState(t *testing.T) {
	s := open(t, nil)
	past := s.clock().Add(-time.Minute)
	for name, c := range map[string]struct {
		change  func(*store.Sale)
		then    func(store.Sale)
		kind    kind
		says    string
		live    bool
		hasLink bool
	}{
		"pending":             {nil, nil, pagePending, "Pague com Pix", true, false},
		"no charge yet":       {func(x *store.Sale) { x.Charge.CopyPaste, x.QRExpiresAt = "", nil }, nil, pageMaking, "Gerando o seu Pix", true, false},
		"code over":           {func(x *store.Sale) { x.QRExpiresAt = &past }, nil, pageExpired, "o pagamento conta mesmo depois do prazo", true, false},
		"failed":              {nil, func(x store.Sale) { s.reads(x, payment.StatusFailed, 0) }, pageFailed, "não foi concluído", true, false},
		"cancelled":           {nil, func(x store.Sale) { s.reads(x, payment.StatusCancelled, 0) }, pageCancelled, "foi cancelado", true, false},
		"paid":                {nil, func(x store.Sale) { s.reads(x, payment.StatusPaid, 123456) }, pagePaid, "Pagamento confirmado", false, true},
		"paid something else": {nil, func(x store.Sale) { s.reads(x, payment.StatusPaid, 1) }, pageReview, "Pagamento em conferência", true, false},
		"refunded": {nil, func(x store.Sale) {
			s.reads(x, payment.StatusPaid, 123456)
			s.reads(x, payment.StatusRefunded, 0)
		}, pageReturned, "Pagamento devolvido", false, false},
		"delivered elsewhere": {func(x *store.Sale) { x.DeliveredElsewhere, x.DeliveredEver = true, true }, func(x store.Sale) { s.reads(x, payment.StatusPaid, 123456) },
			pageElsewhere, "já entregou", false, false},
	} {
		sale := s.sale(c.change)
		if c.then != nil {
			c.then(sale)
		}
		a := s.ask("GET", "/pay/"+sale.PageKey)
		text := html.UnescapeString(a.body)
		if a.code != 200 || !strings.Contains(a.body, `data-kind="`+string(c.kind)+`"`) || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d, want %s with %q in\n%s", name, a.code, c.kind, c.says, a.body)
		}
		if got := strings.Contains(a.body, emv); got != (c.kind == pagePending) {
			t.Errorf("%s: the code is shown: %t", name, got)
		}
		if got := strings.Contains(a.body, "data-live="); got != c.live {
			t.Errorf("%s: live %t", name, got)
		}
		if got := strings.Contains(a.body, "/delivery/"); got != c.hasLink {
			t.Errorf("%s: the link is shown: %t", name, got)
		}
		for _, part := range []string{"Clube <VIP> & mais", "R$ 1.234,56", "Loja <da Ana> & Cia", "PushinPay apenas processa este pagamento"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: does not say %q", name, part)
			}
		}
		if strings.Contains(a.body, sale.SaleKey) || strings.Contains(a.body, sale.PageKey) || strings.Contains(a.body, "<da Ana>") {
			t.Errorf("%s: says a key, or does not escape", name)
		}
	}
}

func TestPage_headers(t *testing.T) {
	s := open(t, func(c *Config) { c.Secure = true })
	sale := s.sale(nil)
	a, b := s.ask("GET", "/pay/"+sale.PageKey), s.ask("GET", "/pay/"+sale.PageKey)
	nonce := regexp.MustCompile(`'nonce-([\w-]{24})'`).FindStringSubmatch(a.header.Get("Content-Security-Policy"))
	if nonce == nil || strings.Contains(b.body, nonce[1]) || strings.Count(a.body, `nonce="`+nonce[1]+`"`) != 2 {
		t.Fatalf("policy %q", a.header.Get("Content-Security-Policy"))
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
		t.Errorf("policy %q", csp)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store, private", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive",
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=31536000", "Content-Language": "pt-BR"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if regexp.MustCompile(`(src|href|action)="https?:`).MatchString(a.body) || a.header.Get("Set-Cookie") != "" {
		t.Error("the page reaches out or sets a cookie")
	}
	part := s.ask("GET", "/pay/"+sale.PageKey, partHeader, "main")
	if !strings.HasPrefix(part.body, "<main ") || strings.Contains(part.body, "<style") || strings.Contains(part.body, "<script") || !strings.Contains(a.body, part.body) {
		t.Errorf("the part that an open page reads again: %s", part.body)
	}
	en := s.ask("GET", "/pay/"+sale.PageKey, "Accept-Language", "en-GB,pt;q=0.5")
	if en.header.Get("Content-Language") != "en" || !strings.Contains(en.body, "Pay with Pix") || !strings.Contains(en.body, "only processes this payment") {
		t.Errorf("in English: %q", en.header.Get("Content-Language"))
	}
	if !strings.Contains(a.body, `<noscript><meta http-equiv="refresh" content="10"></noscript>`) || !strings.Contains(a.body, "15:00") {
		t.Error("no refresh without JavaScript, or no time left")
	}
}

func TestPage_anOpenPageMakesTheSaleDue(t *testing.T) {
	s := open(t, nil)
	sale := s.sale(nil)
	key := store.Key{MerchantID: s.merchant, PaymentID: sale.ID}
	s.reads(sale, payment.StatusPending, 0)
	first, err := s.Store.GetLook(t.Context(), key)
	must(t, err)
	s.pass(10 * time.Second)
	for range 5 {
		s.ask("GET", "/pay/"+sale.PageKey)
	}
	look, err := s.Store.GetLook(t.Context(), key)
	must(t, err)
	if look.Reason != "hint" || look.DueAt.After(first.DueAt) || look.BuyerUntil == nil || !look.BuyerUntil.Equal(s.clock().Add(presence)) {
		t.Errorf("the next look is %+v, before it was %+v", look, first)
	}
	// PushinPay: a minute between two looks at one sale, buyers or not.
	if rule := s.clock().Add(-10 * time.Second).Add(time.Minute); look.DueAt.Before(rule) {
		t.Errorf("due at %s, the provider's rule is %s", look.DueAt, rule)
	}
	count := func() int { return s.visits(sale) }
	if n := count(); n != 1 {
		t.Errorf("noted %d times for one visit", n)
	}
	s.pass(2 * time.Minute) // still the same visit: renewed, not noted
	s.ask("GET", "/pay/"+sale.PageKey)
	if look, err = s.Store.GetLook(t.Context(), key); err != nil || !look.BuyerUntil.Equal(s.clock().Add(presence)) || count() != 1 {
		t.Errorf("not renewed: %+v, %v, %d", look, err, count())
	}
	s.pass(time.Hour)
	s.ask("GET", "/pay/"+sale.PageKey)
	if n := count(); n != 2 {
		t.Errorf("another visit: noted %d times in all", n)
	}
}

// A charge that is being made is not asked about before its provider can know it; later it is.
func TestPage_aSaleWithoutChargeIsLeftAloneAtFirst(t *testing.T) {
	s := open(t, nil)
	sale := s.sale(func(x *store.Sale) { x.Charge, x.QRExpiresAt = store.Charge{Reference: x.ID.String()}, nil })
	noted := func() bool {
		s.ask("GET", "/pay/"+sale.PageKey)
		look, err := s.Store.GetLook(t.Context(), store.Key{MerchantID: s.merchant, PaymentID: sale.ID})
		must(t, err)
		return look.BuyerUntil != nil
	}
	if noted() {
		t.Error("asked about at once")
	}
	s.pass(2 * time.Minute)
	if !noted() {
		t.Error("never asked about")
	}
}

func TestPage_machinesSeeNothingAndCountForNothing(t *testing.T) {
	s := open(t, nil)
	sale := s.sale(nil)
	before := s.ask("GET", "/pay/nothing", "User-Agent", "TelegramBot (like TwitterBot)").body
	for name, a := range map[string]answer{
		"Telegram":  s.ask("GET", "/pay/"+sale.PageKey, "User-Agent", "TelegramBot (like TwitterBot)"),
		"WhatsApp":  s.ask("GET", "/pay/"+sale.PageKey, "User-Agent", "WhatsApp/2.23.20.0"),
		"no name":   s.ask("GET", "/pay/"+sale.PageKey, "User-Agent", ""),
		"HEAD":      s.ask("HEAD", "/pay/"+sale.PageKey),
		"prefetch":  s.ask("GET", "/pay/"+sale.PageKey, "Sec-Purpose", "prefetch"),
		"of stream": s.ask("GET", "/pay/"+sale.PageKey+"/events", "User-Agent", "curl/8"),
	} {
		if a.code != 200 || strings.Contains(a.body, "1.234,56") || strings.Contains(a.body, emv) || name != "HEAD" && stripped(a.body) != stripped(before) {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
	}
	if look, err := s.Store.GetLook(t.Context(), store.Key{MerchantID: s.merchant, PaymentID: sale.ID}); err != nil || look.BuyerUntil != nil {
		t.Errorf("a machine waits: %+v, %v", look, err)
	}
	if a := s.ask("POST", "/pay/"+sale.PageKey, "User-Agent", "curl/8"); a.code != 200 || !strings.Contains(a.body, emv) {
		t.Errorf("who is taken for a machine has no way in: %d", a.code)
	}
	if a := s.ask("GET", "/pay/"+sale.PageKey, "User-Agent", "curl/8", partHeader, "main"); a.code != 200 || !strings.Contains(a.body, emv) {
		t.Errorf("an open page of who is taken for a machine does not stay open: %d %s", a.code, a.body)
	}
	if a := s.ask("DELETE", "/pay/"+sale.PageKey); a.code != 405 || a.header.Get("Allow") == "" {
		t.Errorf("DELETE: %d", a.code)
	}
}

var nonces = regexp.MustCompile(`nonce="[\w-]+"`)

func stripped(body string) string { return nonces.ReplaceAllString(body, "") }

func TestPage_badKeysAreOne404ThenLimited(t *testing.T) {
	s := open(t, nil)
	sale := s.sale(nil)
	var first string
	bad := []string{"", "x", sale.SaleKey, strings.ToUpper(sale.PageKey), sale.PageKey + "A", sale.PageKey[:42], "%00", "../v1", strings.Repeat("a", 5000), "é", sale.ID.String(),
		sale.PageKey + "/", sale.PageKey + "/x", "' OR 1=1 --"}
	for _, key := range bad {
		for _, suffix := range []string{"", "/events"} {
			a := s.ask("GET", "/pay/"+strings.NewReplacer(" ", "%20").Replace(key)+suffix)
			if a.code != 404 || first != "" && stripped(a.body) != first {
				t.Errorf("key %.50q%s: %d\n%s", key, suffix, a.code, a.body)
			}
			first = stripped(a.body)
		}
	}
	var limited answer
	for range 2 * guesses {
		if limited = s.ask("GET", "/pay/"+strings.Repeat("z", 43)); limited.code != 404 {
			break
		}
	}
	if limited.code != 429 || limited.header.Get("Retry-After") == "" {
		t.Errorf("after many: %d", limited.code)
	}
	if a := s.ask("GET", "/pay/"+sale.PageKey); a.code != 429 {
		t.Errorf("a right guess among wrong ones tells: %d", a.code)
	}
	s.pass(time.Hour)
	if a := s.ask("GET", "/pay/"+sale.PageKey); a.code != 200 {
		t.Errorf("an hour later: %d", a.code)
	}
}

func TestPage_noLinkYetIsAskedForAgain(t *testing.T) {
	s := open(t, nil)
	sale := s.sale(nil)
	s.reads(sale, payment.StatusPaid, 123456)
	for _, link := range []func(context.Context, store.Sale) (string, error){
		func(context.Context, store.Sale) (string, error) { return "", errDown },
		func(ctx context.Context, _ store.Sale) (string, error) { return "", errors.Join(ctx.Err(), errDown) },
	} {
		s.links(link)
		if a := s.ask("GET", "/pay/"+sale.PageKey); a.code != 200 || !strings.Contains(a.body, `data-kind="preparing"`) || !strings.Contains(a.body, `data-again="3"`) {
			t.Errorf("%d %s", a.code, a.body)
		}
	}
	s.links(func(context.Context, store.Sale) (string, error) { return "javascript:alert(1)", nil })
	if a := s.ask("GET", "/pay/"+sale.PageKey); strings.Contains(a.body, "javascript:") {
		t.Error("anything becomes a link")
	}
}

func TestNew_namesWhatIsMissing(t *testing.T) {
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Store, Ledger and Link") {
		t.Error(err)
	}
	s := open(t, nil)
	c := s.Config
	c.Streams = -1
	if _, err := New(c); err == nil {
		t.Error("a negative limit was taken")
	}
}
