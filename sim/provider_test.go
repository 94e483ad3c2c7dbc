package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Every provider: create with its own fields, ask, pay, hear of it, ask again.
func TestProvider_createPayTell(t *testing.T) {
	for _, a := range asks() {
		t.Run(string(a.provider), func(t *testing.T) {
			g, h := start(t, Config{Seed: 7, PollRules: map[Provider]PollRule{}}), listen(t)
			base := g.s.ProviderURL(a.provider)
			u, head, body := a.create(base, h.URL)
			r := g.call("POST", u, head, body)
			if r.status != a.created {
				t.Fatalf("create: HTTP %d %s, want %d", r.status, r.body, a.created)
			}
			code := fmt.Sprint(r.at(t, a.code...))
			if err := CheckBRCode(code); err != nil {
				t.Fatalf("create: code %q: %v", code, err)
			}
			c, err := g.w.Charge(a.provider, fmt.Sprint(r.at(t, a.id...)))
			g.must(err)
			if c.AmountCentavos != 1990 {
				t.Fatalf("created %d centavos, want 1990", c.AmountCentavos)
			}
			ask := func() (string, string) {
				u, head := a.status(base, c)
				r := g.call("GET", u, head, "")
				if r.status != 200 {
					t.Fatalf("status: HTTP %d %s", r.status, r.body)
				}
				return fmt.Sprint(r.at(t, a.word...)), fmt.Sprint(r.at(t, a.amount...))
			}
			amount := map[string]string{"centavos": "1990", "reais": "19.90"}[a.unit]
			if w, v := ask(); w != Words(a.provider, Pending)[0] || v != amount {
				t.Fatalf("before paying: %q %s, want %q %s", w, v, Words(a.provider, Pending)[0], amount)
			}
			g.must(g.w.Pay(a.provider, c.ID))
			if w, _ := ask(); w != Words(a.provider, Paid)[0] {
				t.Fatalf("after paying: %q, want %q", w, Words(a.provider, Paid)[0])
			}
			g.await("the webhook", func() bool { return g.w.Counters().Providers[a.provider].WebhooksDelivered == 1 })
			got := h.all()[0]
			ids := strings.ToLower(got.body)
			if !strings.Contains(ids, strings.ToLower(c.ID)) && !strings.Contains(ids, strings.ToLower(c.Hash)) {
				t.Fatalf("webhook names neither id: %s", got.body)
			}
			if strings.HasPrefix(got.ctype, "application/json") && !json.Valid([]byte(got.body)) {
				t.Fatalf("webhook is not JSON: %s", got.body)
			}
		})
	}
}

// Every provider refuses what it does not know, in its own way but never 200.
func TestProvider_refusals(t *testing.T) {
	for _, a := range asks() {
		t.Run(string(a.provider), func(t *testing.T) {
			g := start(t, Config{Strict: true})
			c := g.add(Charge{Provider: a.provider})
			u, head := a.status(g.s.ProviderURL(a.provider), c)
			if r := g.call("GET", u, head, ""); r.status != http.StatusUnauthorized {
				t.Errorf("unknown credential: HTTP %d %s, want 401", r.status, r.body)
			}
			g = start(t, Config{})
			base := g.s.ProviderURL(a.provider)
			u, head = a.status(base, Charge{ID: "404404", Hash: "404404"})
			if r := g.call("GET", u, head, ""); r.status != http.StatusNotFound {
				t.Errorf("unknown id: HTTP %d %s, want 404", r.status, r.body)
			}
			u, head, _ = a.create(base, "")
			for _, body := range []string{"", "{", "[]", "{}"} {
				if r := g.call("POST", u, head, body); r.status < 400 || r.status >= 500 {
					t.Errorf("create with %q: HTTP %d %s, want 4xx", body, r.status, r.body)
				}
			}
			if r := g.call("GET", base+"/nowhere", head, ""); r.status != 404 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
				t.Errorf("unknown path: HTTP %d %s", r.status, r.header.Get("Content-Type"))
			}
		})
	}
}

// Every word of every provider's vocabulary can be said.
func TestProvider_everySynonym(t *testing.T) {
	for _, a := range asks() {
		t.Run(string(a.provider), func(t *testing.T) {
			g := start(t, Config{PollRules: map[Provider]PollRule{}})
			n := 0
			for _, st := range []Status{Pending, Paid, Failed, Expired, Cancelled, Refunded, ChargedBack, Disputed} {
				for _, word := range Words(a.provider, st) {
					c := g.add(Charge{Provider: a.provider, Status: st, Word: word})
					u, head := a.status(g.s.ProviderURL(a.provider), c)
					if got := fmt.Sprint(g.call("GET", u, head, "").at(t, a.word...)); got != word {
						t.Errorf("%s said as %q, want %q", st, got, word)
					}
					n++
				}
			}
			if n < 4 {
				t.Errorf("only %d words", n)
			}
		})
	}
}

func TestProvider_tenantsAreApart(t *testing.T) {
	g := start(t, Config{})
	g.must(g.w.AddAccount(Account{Provider: Paradise, Name: "loja-a", Key: "sk_a"}))
	g.must(g.w.AddAccount(Account{Provider: Paradise, Name: "loja-b", Key: "sk_b"}))
	mine := g.add(Charge{Provider: Paradise, Account: "loja-a", Reference: "R1"})
	yours := g.add(Charge{Provider: Paradise, Account: "loja-b", Reference: "R1"})
	base := g.s.ProviderURL(Paradise)
	for _, c := range []struct {
		key, query string
		status     int
		body       string
	}{
		{"sk_a", "action=get_transaction&id=" + mine.ID, 200, `"id":` + mine.ID},
		{"sk_b", "action=get_transaction&id=" + mine.ID, 404, "não encontrada"},
		{"sk_a", "action=list_transactions&external_id=R1", 200, `"id":` + mine.ID},
		{"sk_b", "action=list_transactions&external_id=R1", 200, `"id":` + yours.ID},
		{"sk_c", "action=get_transaction&id=" + mine.ID, 401, "inválida"},
	} {
		r := g.call("GET", base+"/query.php?"+c.query, map[string]string{"X-API-Key": c.key}, "")
		if r.status != c.status || !strings.Contains(string(r.body), c.body) {
			t.Errorf("%s %s: HTTP %d %s, want %d with %s", c.key, c.query, r.status, r.body, c.status, c.body)
		}
	}
}

func TestAtomopay_identifiersAndDates(t *testing.T) {
	g := start(t, Config{Seed: 1})
	c := g.add(Charge{Provider: Atomopay, Reference: "BOT1_1"})
	base := g.s.ProviderURL(Atomopay)
	if r := g.call("GET", base+"/transactions/"+c.ID+"?api_token=x", nil, ""); r.status != 404 {
		t.Errorf("by numeric id: HTTP %d, want 404 (unproven, so refused)", r.status)
	}
	r := g.call("GET", base+"/transactions/"+c.Hash+"?api_token=x", nil, "")
	if _, ok := r.at(t, "id").(json.Number); !ok {
		t.Errorf("id is %T, want a number", r.at(t, "id"))
	}
	if got := r.at(t, "paid_at"); got != zeroDate {
		t.Errorf("paid_at of a pending charge is %v, want %s", got, zeroDate)
	}
	if r := g.call("GET", base+"/transactions/"+c.Hash, nil, ""); r.status != 401 || string(r.body) != `{"message":"Unauthenticated."}` {
		t.Errorf("without token: HTTP %d %s", r.status, r.body)
	}
	g.must(g.w.Pay(Atomopay, "BOT1_1"))
	r = g.call("GET", base+"/transactions/"+c.Hash+"?api_token=x", nil, "")
	if got, want := r.at(t, "paid_at"), "2026-03-14 12:09:26"; got != want {
		t.Errorf("paid_at is %v, want %s (São Paulo)", got, want)
	}
}

func TestAtomopay_createValidates(t *testing.T) {
	g := start(t, Config{})
	u := g.s.ProviderURL(Atomopay) + "/transactions?api_token=x"
	for _, c := range []struct{ from, to, field string }{
		{`"price":1990,`, ``, "cart.0.price"},
		{`"amount":1990`, `"amount":19.90`, "amount"},
		{`"amount":1990`, `"amount":49`, "amount"},
		{`"offer_hash":"of1",`, ``, "offer_hash"},
		{`"name":"Ana Teste"`, `"name":"Ana"`, "customer.name"},
		{`"name":"Ana Teste"`, `"name":"Ana Teste 2"`, "customer.name"},
		{`"payment_method":"pix"`, `"payment_method":"boleto"`, "payment_method"},
	} {
		body := strings.Replace(atomoBody(""), c.from, c.to, 1)
		r := g.call("POST", u, nil, body)
		errs, _ := r.at(t, "errors").(map[string]any)
		if r.status != 422 || errs[c.field] == nil {
			t.Errorf("%s → %s: HTTP %d %s, want 422 naming %s", c.from, c.to, r.status, r.body, c.field)
		}
	}
	r := g.call("POST", u, nil, strings.Replace(atomoBody(""), cpf, "12345678901", 1))
	if r.status != 201 || r.at(t, "payment_status") != "refused" || r.at(t, "pix", "pix_qr_code") != nil {
		t.Errorf("invalid CPF: HTTP %d %s, want 201, refused, no code", r.status, r.body)
	}
}

func TestParadise_endpoints(t *testing.T) {
	g := start(t, Config{})
	base, head := g.s.ProviderURL(Paradise), map[string]string{"X-API-Key": "sk"}
	c := g.add(Charge{Provider: Paradise, Reference: "BOT-9"})
	get := func(q string) reply { return g.call("GET", base+q, head, "") }
	if r := get("/query.php?action=list_transactions&external_id=none"); r.status != 200 || string(r.body) != "[]" {
		t.Errorf("list of nothing: HTTP %d %s", r.status, r.body)
	}
	if r := get("/check_status.php?hash=" + c.ID); string(r.body) != `{"payment_status":"pending"}` {
		t.Errorf("check_status: %s", r.body)
	}
	if r := get("/check_status.php?hash=BOT-9"); r.status != 404 {
		t.Errorf("check_status by reference: HTTP %d, want 404", r.status)
	}
	if r := g.call("POST", base+"/refund.php", head, `{"transaction_id":`+c.ID+`}`); r.status != 422 {
		t.Errorf("refund of a pending charge: HTTP %d, want 422", r.status)
	}
	g.must(g.w.Pay(Paradise, c.ID))
	if r := g.call("POST", base+"/refund.php", head, `{"transaction_id":"`+c.ID+`"}`); r.status != 200 {
		t.Errorf("refund: HTTP %d %s", r.status, r.body)
	}
	if got := get("/query.php?action=get_transaction&id="+c.ID).at(t, "status"); got != "refunded" {
		t.Errorf("after refund: %v", got)
	}
	// A reused reference gives the older transaction back.
	_, _, body := asks()[1].create(base, "")
	first := g.call("POST", base+"/transaction.php", head, body).at(t, "transaction_id")
	second := g.call("POST", base+"/transaction.php", head, body).at(t, "transaction_id")
	if first != second {
		t.Errorf("one reference, two transactions: %v and %v", first, second)
	}
}

func TestPushinpay_pollRule(t *testing.T) {
	g := start(t, Config{})
	head := map[string]string{"Authorization": "Bearer 1|x"}
	c, d := g.add(Charge{Provider: Pushinpay}), g.add(Charge{Provider: Pushinpay})
	look := func(c Charge) int {
		return g.call("GET", g.s.ProviderURL(Pushinpay)+"/transactions/"+c.ID, head, "").status
	}
	violations := func() int64 { return g.w.Counters().Providers[Pushinpay].Violations }
	look(c)
	look(d)
	g.clock.advance(59 * time.Second)
	look(c)
	if violations() != 1 {
		t.Fatalf("%d violations after looking 59 s apart, want 1", violations())
	}
	g.clock.advance(60 * time.Second)
	if look(c); violations() != 1 {
		t.Fatalf("%d violations after looking 60 s apart, want still 1", violations())
	}
	if r := g.call("GET", g.s.ProviderURL(Pushinpay)+"/transactions/"+strings.ToUpper(c.ID), head, ""); r.status != 404 {
		t.Fatalf("id in another case: HTTP %d, want 404", r.status)
	}
	g.must(g.w.SetPollRule(Pushinpay, PollRule{MinInterval: time.Minute, Block: 403}))
	if got := look(c); got != 403 {
		t.Fatalf("blocked look: HTTP %d, want 403", got)
	}
	if n := g.w.Counters().Providers[Pushinpay].Blocked; n != 1 {
		t.Fatalf("%d blocked, want 1", n)
	}
	if r := g.call("GET", g.s.ProviderURL(Pushinpay)+"/transactions/none", head, ""); r.status != 404 || string(r.body) != "null" {
		t.Fatalf("unknown id: HTTP %d %s, want 404 null", r.status, r.body)
	}
}

func TestPushinpay_createLimits(t *testing.T) {
	g := start(t, Config{})
	g.must(g.w.AddAccount(Account{Provider: Pushinpay, Name: "a", Key: "1|x", MaxCentavos: 50000}))
	for body, want := range map[string]int{
		`{"value":49}`:    422,
		`{"value":"500"}`: 422,
		`{"value":50001}`: 400,
		`{"value":1000,"split_rules":[{"value":501,"account_id":"c"}]}`: 422,
		`{"value":1000,"split_rules":[{"value":500,"account_id":"c"}]}`: 200,
		`{"value":1000,"webhook_url":"not a url"}`:                      422,
		`{"value":50}`: 200,
	} {
		r := g.call("POST", g.s.ProviderURL(Pushinpay)+"/pix/cashIn", map[string]string{"Authorization": "Bearer 1|x"}, body)
		if r.status != want {
			t.Errorf("%s: HTTP %d %s, want %d", body, r.status, r.body, want)
		}
	}
}

func TestAtomopay_perMinute(t *testing.T) {
	g := start(t, Config{PollRules: map[Provider]PollRule{Atomopay: {PerMinute: 3, Block: 429}}})
	c := g.add(Charge{Provider: Atomopay})
	u := g.s.ProviderURL(Atomopay) + "/transactions/" + c.Hash + "?api_token=x"
	var got []int
	for range 4 {
		got = append(got, g.call("GET", u, nil, "").status)
	}
	g.clock.advance(time.Minute)
	got = append(got, g.call("GET", u, nil, "").status)
	if want := "[200 200 200 429 200]"; fmt.Sprint(got) != want {
		t.Fatalf("answers %v, want %s", got, want)
	}
}

func TestSyncpay_tokens(t *testing.T) {
	g := start(t, Config{})
	g.must(g.w.AddAccount(Account{Provider: Syncpay, Name: "a", Key: "cid", Secret: "csec"}))
	base := g.s.ProviderURL(Syncpay) + "/api/partner/v1"
	if r := g.call("POST", base+"/auth-token", nil, `{"client_id":"cid","client_secret":"other"}`); r.status != 401 {
		t.Fatalf("wrong secret: HTTP %d", r.status)
	}
	r := g.call("POST", base+"/auth-token", nil, `{"client_id":"cid","client_secret":"csec"}`)
	token := fmt.Sprint(r.at(t, "access_token"))
	head := map[string]string{"Authorization": "Bearer " + token}
	create := `{"amount":19.90,"webhook_url":"","client":{` + person + `,"cpf":"` + cpf + `","phone":"11999990000"}}`
	r = g.call("POST", base+"/cash-in", head, create)
	if r.status != 200 || CheckBRCode(fmt.Sprint(r.at(t, "pix_code"))) != nil {
		t.Fatalf("cash-in: HTTP %d %s", r.status, r.body)
	}
	id := fmt.Sprint(r.at(t, "identifier"))
	g.must(g.w.Pay(Syncpay, id))
	r = g.call("GET", base+"/transaction/"+id, head, "")
	if r.at(t, "data", "status") != "completed" || fmt.Sprint(r.at(t, "data", "amount")) != "19.90" {
		t.Fatalf("status: %s", r.body)
	}
	if r := g.call("GET", base+"/transaction/"+id, map[string]string{"Authorization": "Bearer " + token + "0"}, ""); r.status != 401 {
		t.Fatalf("forged token: HTTP %d", r.status)
	}
	g.clock.advance(time.Hour)
	if r := g.call("GET", base+"/transaction/"+id, head, ""); r.status != 401 {
		t.Fatalf("token after an hour: HTTP %d", r.status)
	}
}

func TestBolt_list(t *testing.T) {
	g := start(t, Config{})
	for i := range 5 {
		g.add(Charge{Provider: Bolt, Reference: fmt.Sprintf("r-%d", i), CreatedAt: noon.Add(time.Duration(i) * time.Minute)})
	}
	r := g.call("GET", g.s.ProviderURL(Bolt)+"/transactions?page=2&limit=2", map[string]string{"Authorization": "Basic c2s6Y28="}, "")
	items, _ := r.at(t, "data").([]any)
	if len(items) != 2 || !strings.Contains(string(r.body), "r-2") || !strings.Contains(string(r.body), "r-1") {
		t.Fatalf("second page: %s", r.body)
	}
	if got := fmt.Sprint(r.at(t, "pagination", "totalPages")); got != "3" {
		t.Fatalf("%s pages, want 3", got)
	}
}

func TestBabylon_paidTwiceAndInAnotherCurrency(t *testing.T) {
	g := start(t, Config{})
	c := g.add(Charge{Provider: Babylon, Currency: "USD"})
	g.must(g.w.Pay(Babylon, c.ID))
	look := func() reply {
		t.Helper()
		return g.call("GET", g.s.ProviderURL(Babylon)+"/transactions/"+c.ID, map[string]string{"Authorization": "Basic eDp4"}, "")
	}
	r := look()
	first := r.at(t, "pix", "end2EndId")
	if r.at(t, "currency") != "USD" || first == nil || first == "" {
		t.Errorf("paid once: %s", r.body)
	}
	g.clock.advance(time.Minute)
	g.must(g.w.Pay(Babylon, c.ID)) // what is paid stays as it is
	if again := look().at(t, "pix", "end2EndId"); again != first {
		t.Errorf("the end-to-end id went from %v to %v without a second transfer", first, again)
	}
	g.must(g.w.PayAgain(Babylon, c.ID))
	if r = look(); r.at(t, "pix", "end2EndId") == first || r.at(t, "status") != "paid" {
		t.Errorf("paid twice: %s", r.body)
	}
	if err := g.w.PayAgain(Babylon, "nobody"); err == nil {
		t.Error("a charge that does not exist was paid again")
	}
}
