package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// pushinLook asks for one PushinPay charge.
func pushinLook(g *rig, c Charge) (reply, error) {
	return g.do("GET", g.s.ProviderURL(Pushinpay)+"/transactions/"+c.ID, map[string]string{"Authorization": "Bearer 1|x"}, "")
}

func TestFault_answers(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault Fault
		want  func(r reply) bool
	}{
		{"html 502", Fault{Kind: FaultHTML}, func(r reply) bool {
			return r.status == 502 && strings.HasPrefix(r.header.Get("Content-Type"), "text/html")
		}},
		{"html 200", Fault{Kind: FaultHTML, HTTPStatus: 200}, func(r reply) bool { return r.status == 200 && r.body[0] == '<' }},
		{"truncated", Fault{Kind: FaultTruncated}, func(r reply) bool {
			return r.status == 200 && r.body[0] == '{' && !json.Valid(r.body)
		}},
		{"empty", Fault{Kind: FaultEmpty}, func(r reply) bool { return r.status == 200 && len(r.body) == 0 }},
		{"huge", Fault{Kind: FaultHuge}, func(r reply) bool { return len(r.body) > 10<<20 && json.Valid(r.body) }},
		{"huge of a size", Fault{Kind: FaultHuge, Bytes: 3000}, func(r reply) bool { return len(r.body) > 3000 && len(r.body) < 10000 }},
		{"500", Fault{Kind: FaultCode}, func(r reply) bool { return r.status == 500 && string(r.body) == `{"message":"Server Error"}` }},
		{"401", Fault{Kind: FaultCode, HTTPStatus: 401}, func(r reply) bool {
			return r.status == 401 && string(r.body) == `{"message":"Unauthenticated."}`
		}},
		{"429 bare", Fault{Kind: FaultRateLimited}, func(r reply) bool { return r.status == 429 && r.header.Get("Retry-After") == "" }},
		{"429 header", Fault{Kind: FaultRateLimited, RetryAfter: 1500 * time.Millisecond}, func(r reply) bool {
			return r.status == 429 && r.header.Get("Retry-After") == "2"
		}},
		{"429 body", Fault{Kind: FaultRateLimited, RetryAfter: 7 * time.Second, RetryInBody: true}, func(r reply) bool {
			return r.status == 429 && r.header.Get("Retry-After") == "" && strings.Contains(string(r.body), `"retry_after":7`)
		}},
		{"hidden", Fault{Kind: FaultHidden, Age: time.Minute}, func(r reply) bool { return r.status == 404 && string(r.body) == "null" }},
		{"hidden no more", Fault{Kind: FaultHidden, Age: time.Second / 2}, func(r reply) bool { return r.status == 200 }},
		{"error body", Fault{Kind: FaultErrorBody}, func(r reply) bool {
			return r.status == 200 && strings.HasPrefix(string(r.body), `{"status":"error"`)
		}},
		{"amount", Fault{Kind: FaultAmount, AmountCentavos: 7}, func(r reply) bool { return strings.Contains(string(r.body), `"value":7,`) }},
		{"say status", Fault{Kind: FaultSay, Status: Refunded}, func(r reply) bool { return strings.Contains(string(r.body), `"refunded"`) }},
		{"say word", Fault{Kind: FaultSay, Word: "quase"}, func(r reply) bool { return strings.Contains(string(r.body), `"quase"`) }},
		{"lie", Fault{Kind: FaultLie}, func(r reply) bool { return strings.Contains(string(r.body), `"status":"created"`) }},
		{"nested", Fault{Kind: FaultShape, Shape: Shape{Envelope: "data.data"}}, func(r reply) bool {
			return strings.HasPrefix(string(r.body), `{"data":{"data":{"id":`) && json.Valid(r.body)
		}},
		{"success", Fault{Kind: FaultShape, Shape: Shape{Envelope: "success"}}, func(r reply) bool {
			return strings.HasPrefix(string(r.body), `{"success":true,"data":{`) && json.Valid(r.body)
		}},
		{"upper ids, decimal", Fault{Kind: FaultShape, Shape: Shape{IDs: "upper", Amount: "decimal"}}, func(r reply) bool {
			return strings.Contains(string(r.body), `"value":"19.90"`) && strings.Contains(string(r.body), "-4")
		}},
		{"no amount", Fault{Kind: FaultShape, Shape: Shape{Amount: "absent"}}, func(r reply) bool { return !strings.Contains(string(r.body), "value") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, Config{})
			ch := g.add(Charge{Provider: Pushinpay, Status: Paid, CreatedAt: noon.Add(-time.Second)})
			c.fault.Target, c.fault.Endpoint = string(Pushinpay), EndpointStatus
			id := g.fault(c.fault)
			r, err := pushinLook(g, ch)
			if err != nil {
				t.Fatal(err)
			}
			if !c.want(r) {
				t.Errorf("HTTP %d %v %.300s", r.status, r.header, r.body)
			}
			if !g.w.RemoveFault(id) {
				t.Fatal("the fault was not in force")
			}
			g.clock.advance(time.Hour)
			if r, err := pushinLook(g, ch); err != nil || r.status != 200 || r.at(t, "status") != "paid" {
				t.Errorf("after removing: HTTP %d %s %v", r.status, r.body, err)
			}
		})
	}
}

func TestFault_downAndSwallow(t *testing.T) {
	g := start(t, Config{})
	g.fault(Fault{Kind: FaultDown, Target: string(Pushinpay), Endpoint: EndpointStatus})
	c := g.add(Charge{Provider: Pushinpay})
	if r, err := pushinLook(g, c); err == nil {
		t.Fatalf("down answered HTTP %d", r.status)
	}
	g.fault(Fault{Kind: FaultSwallow, Target: string(Pushinpay), Endpoint: EndpointCreate})
	_, err := g.do("POST", g.s.ProviderURL(Pushinpay)+"/pix/cashIn", map[string]string{"Authorization": "Bearer 1|x"}, `{"value":777}`)
	if err == nil {
		t.Fatal("a swallowed create was answered")
	}
	made := 0
	for _, c := range g.w.Charges(Pushinpay) {
		if c.AmountCentavos == 777 {
			made++
		}
	}
	if made != 1 {
		t.Fatalf("%d charges made by a swallowed create, want 1", made)
	}
}

func TestFault_hangEndsWithCaller(t *testing.T) {
	g := start(t, Config{})
	c := g.add(Charge{Provider: Pushinpay})
	g.fault(Fault{Kind: FaultHang})
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", g.s.ProviderURL(Pushinpay)+"/transactions/"+c.ID, nil)
	g.must(err)
	req.Header.Set("Authorization", "Bearer 1|x")
	errs := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		errs <- err
	}()
	deadline := time.Now().Add(90 * time.Second)
	for g.w.Faults()[0].Fired == 0 && time.Now().Before(deadline) {
		select {
		case err := <-errs:
			t.Fatalf("a hanging call ended: %v", err)
		default:
		}
	}
	cancel()
	if err := <-errs; err == nil {
		t.Fatal("a hanging call was answered")
	}
}

func TestFault_slow(t *testing.T) {
	g := start(t, Config{})
	c := g.add(Charge{Provider: Pushinpay})
	g.fault(Fault{Kind: FaultSlow, Latency: 60 * time.Millisecond})
	began := time.Now()
	r, err := pushinLook(g, c)
	if err != nil || r.status != 200 || time.Since(began) < 60*time.Millisecond {
		t.Fatalf("HTTP %d %v after %v, want 200 after 60 ms", r.status, err, time.Since(began))
	}
}

func TestFault_flap(t *testing.T) {
	g := start(t, Config{})
	c := g.add(Charge{Provider: Pushinpay, Status: Paid})
	other := g.add(Charge{Provider: Pushinpay, Status: Paid})
	g.fault(Fault{Kind: FaultFlap, Charge: strings.ToUpper(c.ID)})
	var got []string
	for range 4 {
		for _, ch := range []Charge{c, other} {
			r, err := pushinLook(g, ch)
			g.must(err)
			got = append(got, fmt.Sprint(r.at(t, "status")))
		}
	}
	if want := "[paid paid created paid paid paid created paid]"; fmt.Sprint(got) != want {
		t.Fatalf("said %v, want %s", got, want)
	}
}

func TestFault_skipCountWindow(t *testing.T) {
	g := start(t, Config{PollRules: map[Provider]PollRule{}})
	c := g.add(Charge{Provider: Pushinpay})
	g.fault(Fault{Kind: FaultCode, HTTPStatus: 503, Skip: 1, Count: 2})
	g.fault(Fault{Kind: FaultCode, HTTPStatus: 418, From: noon.Add(time.Minute), For: time.Minute})
	var got []int
	for i := range 7 {
		if i >= 4 {
			g.clock.advance(time.Minute)
		}
		r, err := pushinLook(g, c)
		g.must(err)
		got = append(got, r.status)
	}
	if want := "[200 503 503 200 418 200 200]"; fmt.Sprint(got) != want {
		t.Fatalf("answers %v, want %s", got, want)
	}
	if f := g.w.Faults()[0]; f.Seen != 7 || f.Fired != 2 {
		t.Fatalf("first fault seen %d fired %d, want 7 and 2", f.Seen, f.Fired)
	}
}

// With one seed the same looks fail, in whatever order the charges are asked.
func TestFault_probabilityRepeats(t *testing.T) {
	run := func(seed int64, reverse bool) map[string]string {
		g := start(t, Config{Seed: seed, PollRules: map[Provider]PollRule{}})
		g.fault(Fault{Kind: FaultCode, Probability: 0.5, Target: string(Paradise)})
		out := make(map[string]string)
		for i := range 40 {
			id := fmt.Sprint(9000 + i)
			if reverse {
				id = fmt.Sprint(9039 - i)
			}
			g.add(Charge{Provider: Paradise, ID: id})
			for range 3 {
				r := g.call("GET", g.s.ProviderURL(Paradise)+"/query.php?action=get_transaction&id="+id, map[string]string{"X-API-Key": "k"}, "")
				out[id] += fmt.Sprint(r.status, " ")
			}
		}
		return out
	}
	a, b, other := run(5, false), run(5, true), run(6, false)
	same := 0
	fails := 0
	for id := range a {
		if a[id] != b[id] {
			t.Errorf("charge %s: %s forwards, %s backwards", id, a[id], b[id])
		}
		if a[id] == other[id] {
			same++
		}
		fails += strings.Count(a[id], "500")
	}
	if same > 20 {
		t.Errorf("%d of 40 charges alike with another seed", same)
	}
	if fails < 40 || fails > 80 {
		t.Errorf("%d of 120 looks failed, want about 60", fails)
	}
}

func TestFault_refuseAndShapeOfCreate(t *testing.T) {
	g := start(t, Config{})
	u := g.s.ProviderURL(Atomopay) + "/transactions?api_token=x"
	id := g.fault(Fault{Kind: FaultRefuse, Target: string(Atomopay)})
	r := g.call("POST", u, nil, atomoBody(""))
	if r.status != 201 || r.at(t, "payment_status") != "refused" || r.at(t, "pix", "pix_qr_code") != nil || r.at(t, "status_reason") == nil {
		t.Fatalf("refused create: HTTP %d %s", r.status, r.body)
	}
	g.w.RemoveFault(id)
	for code, path := range map[string][]string{
		"pix_code": {"pix_code"}, "qr_code": {"qr_code"}, "pix.pix_url": {"pix", "pix_url"},
	} {
		id := g.fault(Fault{Kind: FaultShape, Endpoint: EndpointCreate, Shape: Shape{Code: code}})
		r := g.call("POST", u, nil, atomoBody(""))
		if err := CheckBRCode(fmt.Sprint(r.at(t, path...))); err != nil || r.at(t, "pix", "pix_qr_code") != nil {
			t.Errorf("%s: %v in %s", code, err, r.body)
		}
		g.w.RemoveFault(id)
	}
}

func TestFault_badOnesAreRefused(t *testing.T) {
	g := start(t, Config{})
	for _, f := range []Fault{
		{}, {Kind: "nonsense"}, {Kind: FaultDown, Target: "nobody"}, {Kind: FaultSlow}, {Kind: FaultSay},
		{Kind: FaultDown, Probability: 1.5}, {Kind: FaultDown, Count: -1}, {Kind: FaultHTML, HTTPStatus: 99},
		{Kind: FaultSay, Status: "nonsense"}, {Kind: FaultHidden}, {Kind: FaultAmount}, {Kind: FaultShape},
	} {
		if _, err := g.w.AddFault(f); err == nil {
			t.Errorf("%+v was accepted", f)
		}
	}
	if n := len(g.w.Faults()); n != 0 {
		t.Errorf("%d faults in force", n)
	}
}

func TestWorld_parallelUse(t *testing.T) {
	g, h := start(t, Config{PollRules: map[Provider]PollRule{}}), listen(t)
	g.must(g.w.SetPayers(Payers{Pay: true}))
	g.fault(Fault{Kind: FaultCode, Probability: 0.1, Endpoint: EndpointStatus})
	const callers, each = 8, 25
	var wg sync.WaitGroup
	for range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range each {
				head := map[string]string{"Authorization": "Bearer 1|x"}
				r, err := g.do("POST", g.s.ProviderURL(Pushinpay)+"/pix/cashIn", head, `{"value":100,"webhook_url":`+quoted(h.URL)+`}`)
				var made struct{ ID string }
				if err != nil || json.Unmarshal(r.body, &made) != nil || made.ID == "" {
					t.Errorf("create: HTTP %d %s %v", r.status, r.body, err)
					return
				}
				if r, err := g.do("GET", g.s.ProviderURL(Pushinpay)+"/transactions/"+made.ID, head, ""); err != nil || r.status != 200 && r.status != 500 {
					t.Errorf("look: HTTP %d %v", r.status, err)
				}
			}
		}()
	}
	wg.Wait()
	g.await("all webhooks", func() bool { return g.w.Counters().Providers[Pushinpay].WebhooksDelivered == callers*each })
	c := g.w.Counters().Providers[Pushinpay]
	if c.Creates != callers*each || c.Status != callers*each || c.Calls() != 2*callers*each {
		t.Fatalf("counters %+v", c)
	}
}
