package alert

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// A year of digests, followed from one to the next as the job does, has every day once, whatever the clocks do.
func TestNext_everyDayOnce(t *testing.T) {
	for _, name := range []string{"America/Sao_Paulo", "America/Manaus", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"} {
		z := zone(t, name)
		for _, hour := range []int{0, 1, 2, 9, 23} {
			at := time.Date(2018, 1, 1, 0, 0, 0, 0, z).Add(-time.Minute)
			last, day := Next(at, z, hour)
			for range 800 {
				next, d := Next(last, z, hour)
				from, to := Period(d, z)
				if gap := d.Sub(day); gap != 24*time.Hour {
					t.Fatalf("%s at %d: %s after %s", name, hour, d, day)
				}
				if local := next.In(z); local.Day() != d.Day() || local.Hour() < hour || local.Hour() > hour+1 {
					t.Fatalf("%s at %d: the digest of %s is sent at %s", name, hour, d, local)
				}
				if span := to.Sub(from); span < 23*time.Hour || span > 25*time.Hour || to.After(next) {
					t.Fatalf("%s at %d: period %s to %s of the digest at %s", name, hour, from, to, next)
				}
				if before, _ := Period(day, z); !before.Before(from) {
					t.Fatalf("%s: %s does not follow", name, from)
				}
				if _, end := Period(day, z); !end.Equal(from) {
					t.Fatalf("%s: a gap between %s and %s", name, end, from)
				}
				last, day = next, d
			}
		}
	}
}

func TestNext_hourThatIsLeftOut(t *testing.T) {
	z := zone(t, "America/Sao_Paulo") // 2018-11-04 began at one o'clock
	at, day := Next(time.Date(2018, 11, 3, 12, 0, 0, 0, z), z, 0)
	if got := at.Format(time.RFC3339); got != "2018-11-04T01:00:00-02:00" || day.Day() != 4 {
		t.Errorf("sent at %s, day %s", got, day)
	}
}

func TestOf_whatIsWorthAMessage(t *testing.T) {
	for _, c := range []struct {
		kind, status, detail string
		want                 Kind
	}{
		{"payment_update", "paid", "paid", SalePaid}, {"payment_update", "needs_review", "review_needed", NeedsReview},
		{"payment_update", "paid", "second_payment", NeedsReview}, {"payment_update", "refunded", "refunded", MoneyBack},
		{"payment_update", "expired", "expired", ""}, {"delivery_sent", "delivered", "", ""},
		{"alert", string(payment.MessageFailed), "blocked", BuyerUnreachable}, {"alert", string(payment.MessageUnsure), "timeout", BuyerUnreachable},
		{"alert", string(payment.PurchaseFailed), "", PurchaseFailed}, {"alert", string(payment.TokenFailed), "invalid_request", LinkUndeliverable},
		{"alert", "webhooks_silent", "atomopay: …", WebhooksSilent}, {"alert", string(payment.PixelPaused), "", PurchaseFailed}, {"alert", string(payment.PixelMissing), "", PurchaseFailed},
	} {
		if got, ok := Of(c.kind, c.status, c.detail); got != c.want || ok != (c.want != "") {
			t.Errorf("%s %s %s: %q, %v", c.kind, c.status, c.detail, got, ok)
		}
	}
}

var sale = Item{PaymentID: "0198", ExternalID: "BOT35_1", Amount: 1990, Product: "Curso", Buyer: "Bia", Provider: "Átomo Pay", Word: "paid"}

func TestCompose_oneAndMany(t *testing.T) {
	title, body := Compose(wording.Portuguese, SalePaid, []Item{sale})
	if title != "💰 Venda paga: R$ 19,90" || body != "• R$ 19,90 · Curso · Bia · BOT35_1 · Átomo Pay" {
		t.Errorf("one: %q, %q", title, body)
	}
	var many []Item
	for range 1234 {
		many = append(many, sale)
	}
	title, body = Compose(wording.English, SalePaid, many)
	if title != "💰 1234 sales paid: R$ 24.556,60" || strings.Count(body, "• ") != listed || !strings.HasSuffix(body, "… and 1224 more") {
		t.Errorf("many: %q, %q", title, body)
	}
}

func TestCompose_everyKindInEveryLanguage(t *testing.T) {
	long := Item{PaymentID: strings.Repeat("f", 36), ExternalID: strings.Repeat("x", 160), Amount: 99999999999, Product: strings.Repeat("ã", 200),
		Buyer: strings.Repeat("é", 200), Provider: "Paradise", Word: "review_needed", Reason: "chat_not_found", Sales: 3,
		Digest: &Digest{Day: "2026-11-22", Stuck: Sum{2, 3980}}}
	for _, k := range Kinds() {
		for _, l := range []wording.Lang{wording.Portuguese, wording.English} {
			for _, items := range [][]Item{{long}, {long, long}, {long, long, long, long, long, long, long, long, long, long, long, long}} {
				title, body := Compose(l, k, items)
				if title == "" || len(title) > 200 || len(body) > 3500 || strings.ContainsAny(title+strings.ReplaceAll(body, "?stuck", ""), "{}[]?") {
					t.Errorf("%s: %d bytes %.60q, %d bytes %.200q", k, len(title), title, len(body), body)
				}
			}
		}
	}
}

func TestCompose_buyersWhoMayHaveIt(t *testing.T) {
	i := sale
	i.Word, i.Reason = string(payment.MessageUnsure), "timeout"
	if _, body := Compose(wording.English, BuyerUnreachable, []Item{i}); !strings.Contains(body, "it may have arrived, Telegram did not answer in time; ask the buyer") ||
		!strings.Contains(body, "/v1/payments/0198:resend") {
		t.Errorf("got %q", body)
	}
}

// What is told says what it is, also where several things share a kind, and so a message.
func TestCompose_whatItsWordSays(t *testing.T) {
	of := func(k payment.Kind, reason string) Item {
		i := sale
		i.Word, i.Reason, i.Bot = string(k), reason, "clube"
		return i
	}
	for _, c := range []struct {
		kind        Kind
		items       []Item
		title, line string
	}{
		{LinkUndeliverable, []Item{of(payment.AccessMissing, "no_access")}, "🔗 A paid sale without access for its buyer: R$ 19,90", ": the sale has neither an address nor a file"},
		{LinkUndeliverable, []Item{of(payment.GroupFailed, "bot_not_admin")}, "👥 A buyer's access to the group needs you: R$ 19,90", ": the bot is no administrator of the group"},
		{LinkUndeliverable, []Item{of(payment.GroupLate, "bot_not_admin")}, "🔗 A paid sale without access", "was not ready in time (the bot is no administrator"},
		{LinkUndeliverable, []Item{of(payment.GroupFailed, "banned"), of(payment.AccessMissing, "no_access")}, "🔗 2 paid sales without access", ": the buyer is banned"},
		{PurchaseFailed, []Item{of(payment.PixelPaused, "HTTP 400, code 190")}, "⏸️ A pixel is paused: Meta refuses its token", "bot clube: HTTP 400, code 190. Purchases wait"},
		{PurchaseFailed, []Item{of(payment.PixelMissing, "")}, "📉 A bot sells without a pixel", "bot clube, at the sale R$ 19,90"},
		{PurchaseFailed, []Item{of(payment.PixelMissing, ""), of(payment.PurchaseFailed, "x")}, "📉 Meta refused 2 Purchases", "bot clube, at the sale"},
		{WebhooksSilent, []Item{{Provider: "Átomo Pay", Sales: 5}}, "📪 The webhooks of Átomo Pay have stopped", "came by looks alone"},
	} {
		title, body := Compose(wording.English, c.kind, c.items)
		if !strings.HasPrefix(title, c.title) || !strings.Contains(body, c.line) || strings.ContainsAny(title+body, "{}[]?") {
			t.Errorf("got %q, %q; want %q and %q", title, body, c.title, c.line)
		}
	}
}

func TestCompose_digest(t *testing.T) {
	d := &Digest{Day: "2026-11-22", Paid: Sum{42, 83580}, Back: Sum{1, 1990}, Pending: Sum{7, 13930}, Stuck: Sum{2, 3980}}
	title, body := Compose(wording.Portuguese, DailyDigest, []Item{{Digest: d}})
	want := "Pagas: 42 vendas, R$ 835,80\nDevolvidas ou contestadas: 1 venda, R$ 19,90\nPendentes agora: 7 vendas, R$ 139,30\n" +
		"Precisam de alguém agora: 2 vendas, R$ 39,80 em risco\n\nVeja quais são: GET /v1/payments?stuck=true"
	if diff := cmp.Diff(want, body); diff != "" || title != "📊 Resumo de 22/11/2026" {
		t.Errorf("%q\n%s", title, diff)
	}
}

// What a provider's silence is told as, in both languages, for one merchant's sales and for everybody's.
func TestCompose_webhooksSilent(t *testing.T) {
	if k, ok := Of("alert", "webhooks_silent", "x"); k != WebhooksSilent || !ok {
		t.Fatalf("it is told as %q", k)
	}
	for l, want := range map[wording.Lang][]string{
		wording.Portuguese: {"📪 Os webhooks de Átomo Pay pararam", "• Átomo Pay: as últimas 5 vendas pagas vieram só pelas consultas", "• Paradise: os webhooks pararam de chegar, e não só os seus"},
		wording.English:    {"📪 The webhooks of Átomo Pay have stopped", "• Átomo Pay: the last 5 sales that were paid came by looks alone", "• Paradise: webhooks have stopped coming, and not only yours"},
	} {
		title, body := Compose(l, WebhooksSilent, []Item{{Provider: "Átomo Pay", Sales: 5}})
		_, two := Compose(l, WebhooksSilent, []Item{{Provider: "Átomo Pay", Sales: 5}, {Provider: "Paradise"}})
		if title != want[0] || !strings.HasPrefix(body, want[1]+"\n") || !strings.Contains(two, want[2]) {
			t.Errorf("%s: %s\n%s\n%s", l.Tag(), title, body, two)
		}
	}
}
