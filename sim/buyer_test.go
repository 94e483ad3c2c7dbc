package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

const deliveryPage = `<!doctype html><html><head><script nonce="x">
!function(f){if(f.fbq)return;f.fbq=function(){}}(window);
function fbq(a, b) { return a }
fbq('init', '1001', {external_id: 'abc\u0031', "em":"ana\x40x"});
fbq('track', "PageView", {}, {eventID: 'pv_1'});
fbq('track', 'Purchase', {value: 19.90, currency: 'BRL', content_ids: ['p1', 'p2'], ok: true,}, {eventID: 'purchase_1'});
fbq('track', variable);
</script></head><body><a href="https://t.test">Acessar</a></body></html>`

type page struct {
	*httptest.Server
	mu     sync.Mutex
	agents []string
}

func servePage(t *testing.T, status int, body string) *page {
	p := &page{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.agents = append(p.agents, r.Method+" "+r.URL.Path+" "+r.UserAgent())
		p.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "_fbc", Value: "fb.1.1773500000000.AbC"})
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(p.Close)
	return p
}

func TestBuyers_openAndReport(t *testing.T) {
	g, p := start(t, Config{Seed: 2}), servePage(t, 200, deliveryPage)
	g.must(g.w.SetBuyers(Buyers{Open: true, Preview: true, Delay: time.Millisecond, Spread: time.Millisecond}))
	g.tg("sendMessage", map[string]any{"chat_id": 1, "text": "site " + p.URL + "/other"})
	g.tg("sendMessage", map[string]any{"chat_id": 2, "text": "abrir: " + p.URL + "/delivery/tok2."})
	g.await("two browser events", func() bool { return g.w.Counters().Meta.Browser == 2 })
	e := g.w.Events("1001")
	if e[0].String() != "PageView pv_1 (browser)" || e[1].String() != "Purchase purchase_1 (browser)" {
		t.Fatalf("events %v", e)
	}
	var user, custom map[string]string
	if json.Unmarshal(e[1].UserData, &user) != nil || json.Unmarshal(e[1].CustomData, &custom) != nil {
		t.Fatalf("data %s %s", e[1].UserData, e[1].CustomData)
	}
	if user["external_id"] != "abc1" || user["em"] != "ana@x" || user["fbc"] != "fb.1.1773500000000.AbC" || !fbpForm(user["fbp"]) {
		t.Errorf("user data %v", user)
	}
	if custom["value"] != "19.90" || custom["currency"] != "BRL" || custom["content_ids"] != `["p1","p2"]` {
		t.Errorf("custom data %v", custom)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	want := []string{"GET /delivery/tok2 " + previewAgent, "GET /delivery/tok2 " + phoneAgent}
	if fmt.Sprint(p.agents) != fmt.Sprint(want) {
		t.Errorf("requests %q, want %q", p.agents, want)
	}
	if c := g.w.Counters().Buyers; c.Links != 1 || c.Opened != 1 || c.Previews != 1 || c.Pixels != 1 || c.Events != 2 {
		t.Errorf("counters %+v", c)
	}
}

func TestBuyers_refusedAndShare(t *testing.T) {
	g, p := start(t, Config{Seed: 9}), servePage(t, 404, deliveryPage)
	g.must(g.w.SetBuyers(Buyers{Open: true}))
	g.tg("sendMessage", map[string]any{"chat_id": 1, "text": p.URL + "/delivery/gone"})
	g.await("the visit", func() bool { return g.w.Counters().Buyers.Refused == 1 })
	if v := g.w.Visits(); len(v) != 1 || v[0].HTTPStatus != 404 || v[0].Chat != 1 {
		t.Fatalf("visits %+v", v)
	}
	if n := len(g.w.Events("")); n != 0 {
		t.Fatalf("%d events of a page that is not there", n)
	}
	g.must(g.w.SetBuyers(Buyers{Open: true, Share: 0.5}))
	for i := range 100 {
		g.tg("sendMessage", map[string]any{"chat_id": 10 + i, "text": p.URL + "/delivery/x"})
	}
	g.tg("sendMessage", map[string]any{"chat_id": 1, "text": "http://127.0.0.1:1/delivery/x"})
	g.must(g.w.SetBuyers(Buyers{}))
	g.await("the visits", func() bool {
		c := g.w.Counters().Buyers
		return c.Refused+c.Failed >= 35
	})
	if c := g.w.Counters().Buyers; c.Links != 102 || c.Refused+c.Failed > 66 {
		t.Fatalf("counters %+v, want about half of 101 opened", c)
	}
}

func TestFbq_literals(t *testing.T) {
	for src, want := range map[string]string{
		`fbq('a')`:                                 `[["a"]]`,
		`fbq("a\"b", 'c\'d', "\u00e9\n")`:          `[["a\"b","c'd","é\n"]]`,
		`fbq('x', {a:1,'b':[true,null,-2.5e1]})`:   `[["x",{"a":1,"b":[true,null,-2.5e1]}]]`,
		`myfbq('a'); fbq(x); fbq('b', f()); fbq()`: `null`,
		`fbq('a', {a:}) fbq('ok')`:                 `[["ok"]]`,
		`fbq('a`:                                   `null`,
		`fbq('a', "multi` + "\n" + `line")`:        `null`,
		`window.fbq && window.fbq('t', 'P')`:       `[["t","P"]]`,
	} {
		got, err := json.Marshal(fbqCalls(src))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s %v, want %s", src, got, err, want)
		}
	}
}

func FuzzFbq(f *testing.F) {
	f.Add(deliveryPage)
	f.Add(`fbq('x', {a:[{b:"\u12"}]`)
	f.Fuzz(func(t *testing.T, page string) {
		for _, q := range pixelReports(page) {
			if q.Get("ev") == "" && !q.Has("ev") {
				t.Fatalf("a report without an event from %q", page)
			}
		}
	})
}

func FuzzHTML(f *testing.F) {
	f.Add(`<b>x</b> &amp; <a href="y">z</a>`)
	f.Fuzz(func(t *testing.T, s string) {
		plain, es, err := parseHTML(s)
		if err != nil {
			return
		}
		for _, e := range es {
			if e.offset < 0 || e.length <= 0 || e.offset+e.length > units(plain) {
				t.Fatalf("entity %+v outside %q (%d units)", e, plain, units(plain))
			}
		}
	})
}
