package sim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func delivered(g *rig, p Provider, n int64) func() bool {
	return func() bool { return g.w.Counters().Providers[p].WebhooksDelivered >= n }
}

func TestWebhook_modes(t *testing.T) {
	for _, c := range []struct {
		name  string
		hooks Webhooks
		want  []string // the statuses told after Pay, in order
	}{
		{"default", Webhooks{}, []string{"paid"}},
		{"late", Webhooks{Mode: WebhookLate, Delay: 20 * time.Millisecond}, []string{"paid"}},
		{"doubled", Webhooks{Mode: WebhookDoubled}, []string{"paid", "paid"}},
		{"eight copies", Webhooks{Mode: WebhookDoubled, Copies: 8}, []string{"paid", "paid", "paid", "paid", "paid", "paid", "paid", "paid"}},
		{"reordered", Webhooks{Mode: WebhookReordered}, []string{"paid", "created"}},
		{"created too", Webhooks{Created: true}, []string{"created", "paid"}},
		{"forged", Webhooks{Mode: WebhookForged}, []string{"paid", "paid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, h := start(t, Config{}), listen(t)
			g.must(g.w.SetWebhooks(Pushinpay, c.hooks))
			ch := g.add(Charge{Provider: Pushinpay, WebhookURL: h.URL})
			early := int64(0)
			if c.hooks.Created || c.hooks.Mode == WebhookForged {
				early = 1
				g.await("the early webhook", delivered(g, Pushinpay, 1))
				if got, _ := g.w.Charge(Pushinpay, ch.ID); got.Status != Pending {
					t.Fatalf("charge is %s before anyone paid", got.Status)
				}
			}
			if n := g.w.Counters().Providers[Pushinpay].WebhooksSent; n != early {
				t.Fatalf("%d webhooks before paying, want %d", n, early)
			}
			g.must(g.w.Pay(Pushinpay, ch.ID))
			g.await("webhooks", delivered(g, Pushinpay, int64(len(c.want))))
			var got []string
			for _, r := range h.all() {
				got = append(got, form(r.body).Get("status"))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Fatalf("told %v, want %v", got, c.want)
			}
		})
	}
}

func TestWebhook_never(t *testing.T) {
	g, h := start(t, Config{}), listen(t)
	silent := g.add(Charge{Provider: Atomopay, WebhookURL: h.URL, Webhooks: &Webhooks{Mode: WebhookNever}})
	loud := g.add(Charge{Provider: Atomopay, WebhookURL: h.URL})
	g.must(g.w.Pay(Atomopay, silent.ID))
	g.must(g.w.Pay(Atomopay, loud.ID))
	g.await("the other webhook", delivered(g, Atomopay, 1))
	if got := h.all(); len(got) != 1 || !strings.Contains(got[0].body, loud.Hash) {
		t.Fatalf("got %v, want one about %s", got, loud.Hash)
	}
}

// An early webhook is answered before the create call is.
func TestWebhook_earlyBeforeCreateAnswers(t *testing.T) {
	g, h := start(t, Config{}), listen(t)
	g.must(g.w.SetWebhooks(Pushinpay, Webhooks{Mode: WebhookEarly}))
	r := g.call("POST", g.s.ProviderURL(Pushinpay)+"/pix/cashIn", map[string]string{"Authorization": "Bearer 1|x"},
		`{"value":100,"webhook_url":`+quoted(h.URL)+`}`)
	if got := h.all(); len(got) != 1 || form(got[0].body).Get("status") != "paid" {
		t.Fatalf("when create answered, the receiver had %v, want one paid", got)
	}
	if r.at(t, "status") != "paid" {
		t.Fatalf("create says %v", r.at(t, "status"))
	}
}

func TestWebhook_pushinpayRetriesThreeTimes(t *testing.T) {
	g, h := start(t, Config{}), listen(t)
	h.code = func(n int) int { return 500 }
	g.must(g.w.SetWebhooks(Pushinpay, Webhooks{Backoff: time.Millisecond}))
	c := g.add(Charge{Provider: Pushinpay, WebhookURL: h.URL})
	g.must(g.w.Pay(Pushinpay, c.ID))
	g.await("giving up", func() bool { return g.w.Counters().Providers[Pushinpay].WebhooksFailed == 1 })
	if n := len(h.all()); n != 3 {
		t.Fatalf("%d attempts, want 3", n)
	}
	d := g.w.Deliveries(Pushinpay)
	if len(d) != 3 || d[2].Attempt != 3 || d[2].HTTPStatus != 500 {
		t.Fatalf("deliveries %+v", d)
	}
	h.mu.Lock()
	h.code = func(n int) int { return map[bool]int{true: 503, false: 204}[n < 5] }
	h.mu.Unlock()
	g.must(g.w.SendWebhook(Pushinpay, c.ID, "", ""))
	g.await("success", delivered(g, Pushinpay, 1))
	if n := len(h.all()); n != 5 {
		t.Fatalf("%d attempts in all, want 5: one refused, then one taken", n)
	}
}

func TestWebhook_variants(t *testing.T) {
	for _, p := range Providers() {
		for _, variant := range Variants(p) {
			t.Run(string(p)+"/"+variant, func(t *testing.T) {
				g, h := start(t, Config{}), listen(t)
				c := g.add(Charge{Provider: p, WebhookURL: h.URL, Reference: "BOT-1"})
				g.must(g.w.SetWebhooks(p, Webhooks{Variant: variant}))
				g.must(g.w.Pay(p, c.ID))
				g.await("the webhook", delivered(g, p, 1))
				got := h.all()[0]
				if got.body[0] == '{' {
					if !json.Valid([]byte(got.body)) {
						t.Fatalf("not JSON: %s", got.body)
					}
				} else if form(got.body).Get("status") != "paid" {
					t.Fatalf("not a form: %s", got.body)
				}
				named := false
				for _, id := range []string{c.ID, c.Hash, "BOT-1"} {
					named = named || id != "" && strings.Contains(strings.ToLower(got.body), strings.ToLower(id))
				}
				if !named {
					t.Fatalf("names no identifier: %s", got.body)
				}
			})
		}
	}
}

func TestWebhook_pushinpayHeadersDisagree(t *testing.T) {
	for variant, want := range map[string][2]string{
		"form":         {"application/x-www-form-urlencoded", "end_to_end_id="},
		"json":         {"application/json", "{"},
		"form_as_json": {"application/json", "end_to_end_id="},
		"json_as_form": {"application/x-www-form-urlencoded", "{"},
	} {
		g, h := start(t, Config{}), listen(t)
		g.must(g.w.AddAccount(Account{
			Provider: Pushinpay, Name: "a", Key: "1|x", WebhookHeader: "x-pushinpay-token", WebhookSecret: "segredo-inventado",
		}))
		c := g.add(Charge{Provider: Pushinpay, Account: "a", WebhookURL: h.URL})
		g.must(g.w.SetWebhooks(Pushinpay, Webhooks{Variant: variant}))
		g.must(g.w.Pay(Pushinpay, c.ID))
		g.await("the webhook", delivered(g, Pushinpay, 1))
		got := h.all()[0]
		if got.ctype != want[0] || !strings.HasPrefix(got.body, want[1]) {
			t.Errorf("%s: %s %s", variant, got.ctype, got.body)
		}
		if !strings.Contains(got.body, strings.ToUpper(c.ID)) {
			t.Errorf("%s: the id is not in upper case: %s", variant, got.body)
		}
		if got.header.Get("X-Pushinpay-Token") != "segredo-inventado" {
			t.Errorf("%s: static header missing", variant)
		}
	}
}

func TestWebhook_accountSecrets(t *testing.T) {
	g, h := start(t, Config{}), listen(t)
	g.must(g.w.AddAccount(Account{Provider: Orionpay, Name: "a", Key: "k", WebhookSecret: "segredo-um"}))
	g.must(g.w.AddAccount(Account{Provider: Sigilopay, Name: "a", Key: "k", Secret: "s", WebhookSecret: "segredo-dois"}))
	for _, p := range []Provider{Orionpay, Sigilopay} {
		c := g.add(Charge{Provider: p, Account: "a", WebhookURL: h.URL})
		g.must(g.w.Pay(p, c.ID))
		g.await("the webhook", delivered(g, p, 1))
	}
	got := h.all()
	if got[0].header.Get("X-Webhook-Secret") != "segredo-um" {
		t.Errorf("OrionPay's header is %q", got[0].header.Get("X-Webhook-Secret"))
	}
	if !strings.Contains(got[1].body, `"token":"segredo-dois"`) || !strings.Contains(got[1].body, "TRANSACTION_PAID") {
		t.Errorf("SigiloPay's body is %s", got[1].body)
	}
}

func TestWebhook_lieAndForgery(t *testing.T) {
	g, h := start(t, Config{}), listen(t)
	c := g.add(Charge{Provider: Pushinpay, WebhookURL: h.URL})
	g.fault(Fault{Kind: FaultLie, Target: string(Pushinpay)})
	g.must(g.w.Pay(Pushinpay, c.ID))
	g.await("the webhook", delivered(g, Pushinpay, 1))
	r, err := pushinLook(g, c)
	g.must(err)
	if form(h.all()[0].body).Get("status") != "paid" || r.at(t, "status") != "created" {
		t.Fatalf("webhook %s, status %s; want paid and created", h.all()[0].body, r.body)
	}
	g.w.ClearFaults("")
	d := g.add(Charge{Provider: Pushinpay, WebhookURL: h.URL})
	g.must(g.w.SendWebhook(Pushinpay, d.ID, Paid, "json"))
	g.await("the forgery", delivered(g, Pushinpay, 2))
	if got, _ := g.w.Charge(Pushinpay, d.ID); got.Status != Pending {
		t.Fatalf("a forged webhook made the charge %s", got.Status)
	}
}

func TestWebhook_staysOnThisMachine(t *testing.T) {
	g := start(t, Config{})
	// 192.0.2.0/24 is reserved for documentation: nothing would be reached anyway.
	c := g.add(Charge{Provider: Atomopay, WebhookURL: "http://192.0.2.1:9/hook"})
	g.must(g.w.Pay(Atomopay, c.ID))
	g.await("the refusal", func() bool { return g.w.Counters().Providers[Atomopay].WebhooksFailed == 1 })
	if d := g.w.Deliveries(Atomopay); !strings.Contains(d[0].Err, errRemote.Error()) {
		t.Fatalf("delivery %+v, want %v", d[0], errRemote)
	}
}

func TestWebhook_faults(t *testing.T) {
	g, h := start(t, Config{Seed: 11}), listen(t)
	lost := g.fault(Fault{Kind: FaultDown, Target: string(Paradise), Endpoint: EndpointWebhook, Probability: 0.4})
	for i := range 50 {
		c := g.add(Charge{Provider: Paradise, ID: fmt.Sprint(500 + i), WebhookURL: h.URL})
		g.must(g.w.Pay(Paradise, c.ID))
	}
	struck := g.w.Faults()[0].Fired
	if struck < 10 || struck > 30 {
		t.Fatalf("%d of 50 webhooks lost, want about 20", struck)
	}
	g.await("those not lost", delivered(g, Paradise, 50-struck))
	g.w.RemoveFault(lost)
	n := len(h.all())
	if int64(n) != 50-struck {
		t.Fatalf("%d webhooks arrived, want %d", n, 50-struck)
	}
	for _, f := range []struct {
		fault Fault
		want  func(body string) bool
	}{
		{Fault{Kind: FaultHuge, Bytes: 2 << 20}, func(b string) bool { return len(b) > 2<<20 && json.Valid([]byte(b)) }},
		{Fault{Kind: FaultTruncated}, func(b string) bool { return b != "" && !json.Valid([]byte(b)) }},
		{Fault{Kind: FaultEmpty}, func(b string) bool { return b == "" }},
		{Fault{Kind: FaultSlow, Latency: 5 * time.Millisecond}, func(b string) bool { return strings.Contains(b, `"approved"`) }},
		{Fault{Kind: FaultAmount, AmountCentavos: 3}, func(b string) bool { return strings.Contains(b, `"amount":3,`) }},
		{Fault{Kind: FaultShape, Shape: Shape{Envelope: "payload", IDs: "string"}}, func(b string) bool {
			return strings.HasPrefix(b, `{"payload":{"transaction_id":"5`)
		}},
	} {
		f.fault.Endpoint = EndpointWebhook
		id := g.fault(f.fault)
		g.must(g.w.SendWebhook(Paradise, "500", "", ""))
		n++
		g.await(string(f.fault.Kind), delivered(g, Paradise, int64(n)))
		if got := h.all()[n-1].body; !f.want(got) {
			t.Errorf("%s: %.200s", f.fault.Kind, got)
		}
		g.w.RemoveFault(id)
	}
}

func TestPayers_payWhatAppears(t *testing.T) {
	g, h := start(t, Config{Seed: 3}), listen(t)
	g.must(g.w.SetPayers(Payers{Pay: true, Delay: time.Millisecond, Spread: 5 * time.Millisecond}))
	for range 20 {
		g.add(Charge{Provider: Paradise, WebhookURL: h.URL})
	}
	g.await("payments", delivered(g, Paradise, 20))
	for _, c := range g.w.Charges(Paradise) {
		if c.Status != Paid || c.EndToEnd == "" || c.PaidAt.IsZero() {
			t.Fatalf("charge %+v is not paid", c)
		}
	}
	g.must(g.w.SetPayers(Payers{}))
	c := g.add(Charge{Provider: Paradise})
	if n := g.w.PayPending(Paradise); n != 1 {
		t.Fatalf("paid %d pending charges, want only %s", n, c.ID)
	}
}

func TestOperate_unknownAndTaken(t *testing.T) {
	g := start(t, Config{})
	if err := g.w.Pay(Atomopay, "none"); err == nil {
		t.Error("paid an unknown charge")
	}
	if err := g.w.Pay("nobody", "none"); err == nil {
		t.Error("paid at an unknown provider")
	}
	c := g.add(Charge{Provider: Atomopay, ID: "1", Hash: "h1", Reference: "r1"})
	for _, bad := range []Charge{
		{Provider: Atomopay, ID: "1", AmountCentavos: 1}, {Provider: Atomopay, Hash: "H1", AmountCentavos: 1},
		{Provider: Atomopay, Reference: "r1", AmountCentavos: 1}, {Provider: Atomopay},
		{Provider: Atomopay, AmountCentavos: 1, Status: "nonsense"}, {Provider: Atomopay, AmountCentavos: 1, Account: "none"},
		{Provider: Atomopay, AmountCentavos: 1, Webhooks: &Webhooks{Variant: "nonsense"}},
	} {
		if _, err := g.w.AddCharge(bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	for _, id := range []string{"1", "h1", "H1", "r1"} {
		if got, err := g.w.Charge(Atomopay, id); err != nil || got.ID != c.ID {
			t.Errorf("by %q: %v %v", id, got.ID, err)
		}
	}
	for _, step := range []struct {
		do   func(Provider, string) error
		want Status
	}{
		{g.w.Expire, Expired},
		{g.w.Pay, Paid},
		{g.w.Dispute, Disputed},
		{g.w.Refund, Refunded},
		{g.w.Chargeback, ChargedBack},
		{g.w.Cancel, Cancelled},
		{g.w.Fail, Failed},
	} {
		g.must(step.do(Atomopay, "h1"))
		if got, _ := g.w.Charge(Atomopay, "1"); got.Status != step.want {
			t.Errorf("status %s, want %s", got.Status, step.want)
		}
	}
	g.clock.advance(time.Hour)
	young := g.add(Charge{Provider: Atomopay})
	if n := g.w.Forget(Atomopay, noon.Add(time.Minute)); n != 1 {
		t.Errorf("forgot %d charges, want 1", n)
	}
	if _, err := g.w.Charge(Atomopay, "r1"); err == nil {
		t.Error("a forgotten charge is still found")
	}
	if _, err := g.w.Charge(Atomopay, young.Hash); err != nil {
		t.Error("a younger charge was forgotten")
	}
	g.w.Reset()
	if _, err := g.w.Charge(Atomopay, "1"); err == nil {
		t.Error("a charge outlived Reset")
	}
}
