package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func (g *rig) control(method, path, body string) reply {
	g.t.Helper()
	return g.call(method, g.s.URL+"/control/"+path, map[string]string{"Content-Type": "application/json"}, body)
}

// One sale's whole life through the control API alone, as a separate process
// would do it.
func TestControl_wholeLife(t *testing.T) {
	g, h := start(t, Config{}), listen(t)
	ok := func(r reply) reply {
		t.Helper()
		if r.status != 200 {
			t.Fatalf("HTTP %d %s", r.status, r.body)
		}
		return r
	}
	ok(g.control("POST", "accounts", `{"provider":"atomopay","name":"loja","key":"tok"}`))
	r := ok(g.control("POST", "charges", `{"provider":"atomopay","account":"loja","reference":"V1","amount_centavos":1990,
		"webhook_url":`+quoted(h.URL)+`,"webhooks":{"mode":"late","delay":"10ms","attempts":2,"backoff":"1ms"}}`))
	hash := fmt.Sprint(r.at(t, "hash"))
	if fmt.Sprint(r.at(t, "webhooks", "delay")) != "10ms" || r.at(t, "status") != "pending" {
		t.Fatalf("charge %s", r.body)
	}
	ok(g.control("POST", "faults", `{"kind":"rate_limited","target":"atomopay","retry_after":"3s","count":1}`))
	look := func() reply {
		return g.call("GET", g.s.ProviderURL(Atomopay)+"/transactions/"+hash+"?api_token=tok", nil, "")
	}
	if r := look(); r.status != 429 || r.header.Get("Retry-After") != "3" {
		t.Fatalf("with the fault: HTTP %d", r.status)
	}
	if r := ok(g.control("GET", "faults", "")); fmt.Sprint(r.at(t, "0", "fired")) != "1" || r.at(t, "0", "fault", "retry_after") != "3s" {
		t.Fatalf("faults %s", r.body)
	}
	ok(g.control("POST", "charges/pay", `{"provider":"atomopay","ids":["V1"]}`))
	g.await("the webhook", delivered(g, Atomopay, 1))
	if r := look(); r.at(t, "payment_status") != "paid" {
		t.Fatalf("status %s", r.body)
	}
	ok(g.control("POST", "charges/word", `{"provider":"atomopay","id":"V1","word":"confirmed"}`))
	ok(g.control("POST", "charges/amount", `{"provider":"atomopay","id":"V1","amount_centavos":5}`))
	if r := look(); r.at(t, "payment_status") != "confirmed" || fmt.Sprint(r.at(t, "amount")) != "5" {
		t.Fatalf("status %s", r.body)
	}
	ok(g.control("POST", "charges/webhook", `{"provider":"atomopay","id":"V1","status":"refunded","variant":"doc"}`))
	g.await("the forgery", delivered(g, Atomopay, 2))
	if got := h.all()[1].body; !strings.Contains(got, `"status":"refunded"`) || !strings.Contains(got, "transaction_hash") {
		t.Fatalf("forgery %s", got)
	}
	r = ok(g.control("GET", "counters", ""))
	if fmt.Sprint(r.at(t, "providers", "atomopay", "status")) != "3" {
		t.Fatalf("counters %s", r.body)
	}
	if r := ok(g.control("GET", "deliveries?provider=atomopay", "")); len(r.json(t).([]any)) != 2 {
		t.Fatalf("deliveries %s", r.body)
	}
	if r := ok(g.control("DELETE", "faults?target=atomopay", "")); fmt.Sprint(r.at(t, "removed")) != "1" {
		t.Fatalf("removing faults: %s", r.body)
	}
	ok(g.control("POST", "reset", ""))
	if r := g.control("GET", "charges?provider=atomopay&id=V1", ""); r.status != 404 {
		t.Fatalf("after reset: HTTP %d %s", r.status, r.body)
	}
}

func TestControl_everySwitch(t *testing.T) {
	g := start(t, Config{})
	r := g.control("POST", "charges", `[{"provider":"paradise","amount_centavos":1,"id":"7"},{"provider":"paradise","amount_centavos":2}]`)
	if r.status != 200 || len(r.json(t).([]any)) != 2 {
		t.Fatalf("charges: HTTP %d %s", r.status, r.body)
	}
	for path, body := range map[string]string{
		"charges/pay":         `{"provider":"paradise","id":"7"}`,
		"charges/refund":      `{"provider":"paradise","id":"7"}`,
		"charges/expire":      `{"provider":"paradise","id":"7"}`,
		"charges/cancel":      `{"provider":"paradise","id":"7"}`,
		"charges/fail":        `{"provider":"paradise","id":"7"}`,
		"charges/chargeback":  `{"provider":"paradise","id":"7"}`,
		"charges/dispute":     `{"provider":"paradise","id":"7"}`,
		"charges/status":      `{"provider":"paradise","id":"7","status":"paid"}`,
		"charges/pay-again":   `{"provider":"paradise","id":"7"}`,
		"charges/pay-pending": `{"provider":"paradise"}`,
		"charges/forget":      `{"provider":"paradise","older":"1h"}`,
		"webhooks":            `{"provider":"pushinpay","mode":"doubled","copies":3,"variant":"json","delay":"1s"}`,
		"poll-rules":          `{"provider":"pushinpay","min_interval":"60s","block":429}`,
		"buyers":              `{"open":true,"delay":"10ms","spread":"5ms","workers":2,"share":0.5}`,
		"payers":              `{"pay":true,"delay":"10ms","share":0.5}`,
		"telegram/bots":       `{"token":"` + botToken + `"}`,
		"telegram/chats":      `{"id":5,"state":"blocked"}`,
		"telegram/limits":     `{"enforce":true}`,
		"meta/pixels":         `{"id":"1001","token":"t"}`,
	} {
		if r := g.control("POST", path, body); r.status != 200 {
			t.Errorf("%s: HTTP %d %s", path, r.status, r.body)
		}
		if r := g.control("POST", path, `{"no such field":1}`); r.status != 400 {
			t.Errorf("%s with an unknown field: HTTP %d %s", path, r.status, r.body)
		}
		if r := g.control("POST", path, "nonsense"); r.status != 400 {
			t.Errorf("%s with nonsense: HTTP %d", path, r.status)
		}
	}
	for _, path := range []string{"health", "charges?provider=paradise", "telegram/messages", "telegram/messages?chat=5", "telegram/calls", "meta/events", "visits", "deliveries", "faults", "counters"} {
		if r := g.control("GET", path, ""); r.status != 200 || !json.Valid(r.body) {
			t.Errorf("GET %s: HTTP %d %s", path, r.status, r.body)
		}
	}
	if rule := g.w.shops[Pushinpay].rule.Load(); rule.MinInterval != time.Minute || rule.Block != 429 {
		t.Errorf("poll rule %+v", rule)
	}
	if h := g.w.shops[Pushinpay].webhooks.Load(); h.Delay != time.Second || h.Copies != 3 {
		t.Errorf("webhooks %+v", h)
	}
	for path, want := range map[string]int{"nowhere": 404, "charges?provider=nobody": 400, "charges?provider=paradise&id=x": 404, "telegram/messages?chat=x": 400} {
		if r := g.control("GET", path, ""); r.status != want {
			t.Errorf("GET %s: HTTP %d, want %d", path, r.status, want)
		}
	}
}

func TestServe_untilContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	urls, errs := make(chan string, 1), make(chan error, 1)
	go func() {
		errs <- Serve(ctx, Config{}, "127.0.0.1:0", func(_ *World, s *Server) { urls <- s.URL })
	}()
	g := &rig{t: t}
	if r := g.call("GET", <-urls+"/control/health", nil, ""); r.status != 200 {
		t.Fatalf("health: HTTP %d", r.status)
	}
	cancel()
	if err := <-errs; err != nil {
		t.Fatalf("Serve: %v", err)
	}
	if err := Serve(context.Background(), Config{}, "256.0.0.1:x", nil); err == nil {
		t.Fatal("Serve on nonsense succeeded")
	}
	if err := Serve(context.Background(), Config{PollRules: map[Provider]PollRule{"nobody": {}}}, "", nil); err == nil {
		t.Fatal("a poll rule for nobody was accepted")
	}
}

func TestRing_keepsTheLast(t *testing.T) {
	r := ring[int]{max: 3}
	for i := range 5 {
		r.add(i)
	}
	if got := fmt.Sprint(r.all()); got != "[2 3 4]" {
		t.Fatalf("kept %s", got)
	}
}
