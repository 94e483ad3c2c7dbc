package sim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The documentation's own vector for john_smith@gmail.com.
const hashedEmail = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"

func purchase(at time.Time, id string) map[string]any {
	return map[string]any{
		"event_name": "Purchase", "event_time": at.Unix(), "event_id": id, "action_source": "website",
		"event_source_url": "https://loja.test/delivery/x",
		"user_data": map[string]any{
			"em": []string{hashedEmail}, "client_user_agent": "Mozilla/5.0", "client_ip_address": "2001:db8::1",
			"fbp": "fb.1.1773500000000.123456789", "external_id": "qualquer",
		},
		"custom_data": map[string]any{"currency": "BRL", "value": 19.9},
	}
}

func (g *rig) events(pixel, token string, events ...any) reply {
	g.t.Helper()
	b, err := json.Marshal(map[string]any{"data": events, "access_token": token})
	g.must(err)
	return g.call("POST", g.s.MetaURL()+"/v21.0/"+pixel+"/events", map[string]string{"Content-Type": "application/json"}, string(b))
}

func TestMeta_acceptsAndRecords(t *testing.T) {
	g := start(t, Config{})
	r := g.events("1001", "tok", purchase(noon.Add(-time.Hour), "purchase_1"))
	if r.status != 200 || fmt.Sprint(r.at(t, "events_received")) != "1" || r.at(t, "fbtrace_id") == "" {
		t.Fatalf("HTTP %d %s", r.status, r.body)
	}
	e := g.w.Events("1001")
	if len(e) != 1 || e[0].String() != "Purchase purchase_1 (server)" || e[0].Value != "19.9" || e[0].Currency != "BRL" || len(e[0].Warnings) != 0 {
		t.Fatalf("events %+v", e)
	}
	// As a form, with the token in the query.
	b, _ := json.Marshal([]any{purchase(noon, "purchase_2")})
	r = g.call("POST", g.s.MetaURL()+"/v19.0/1001/events?access_token=tok", map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		url.Values{"data": {string(b)}, "test_event_code": {"TEST1"}}.Encode())
	if r.status != 200 || g.w.Events("1001")[1].TestCode != "TEST1" || g.w.Events("1001")[1].Version != "v19.0" {
		t.Fatalf("form: HTTP %d %s", r.status, r.body)
	}
}

func TestMeta_refuses(t *testing.T) {
	change := func(path string, v any) func(map[string]any) {
		return func(e map[string]any) {
			in, key, nested := strings.Cut(path, ".")
			if !nested {
				if v == nil {
					delete(e, in)
				} else {
					e[in] = v
				}
				return
			}
			m := e[in].(map[string]any)
			if v == nil {
				delete(m, key)
			} else {
				m[key] = v
			}
		}
	}
	for name, f := range map[string]func(map[string]any){
		"no name":           change("event_name", nil),
		"no time":           change("event_time", nil),
		"milliseconds":      change("event_time", noon.UnixMilli()),
		"text time":         change("event_time", fmt.Sprint(noon.Unix())),
		"eight days old":    change("event_time", noon.Add(-8*24*time.Hour).Unix()),
		"in the future":     change("event_time", noon.Add(3*time.Hour).Unix()),
		"no action source":  change("action_source", nil),
		"bad action source": change("action_source", "telegram"),
		"no url":            change("event_source_url", nil),
		"no agent":          change("user_data.client_user_agent", nil),
		"plain email":       change("user_data.em", "ana@example.test"),
		"upper-case hash":   change("user_data.em", strings.ToUpper(hashedEmail)),
		"unhashed country":  change("user_data.country", "br"),
		"bad address":       change("user_data.client_ip_address", "1.2.3"),
		"empty user":        change("user_data", map[string]any{}),
		"no currency":       change("custom_data.currency", nil),
		"small currency":    change("custom_data.currency", "brl"),
		"no value":          change("custom_data.value", nil),
		"text value":        change("custom_data.value", "19.9"),
		"too broad":         change("user_data", map[string]any{"country": hashedEmail, "client_user_agent": "x"}),
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, Config{})
			bad := purchase(noon, "p2")
			f(bad)
			r := g.events("1001", "tok", purchase(noon, "p1"), bad)
			if r.status != 400 || fmt.Sprint(r.at(t, "error", "code")) != "100" {
				t.Errorf("HTTP %d %s, want 400 code 100", r.status, r.body)
			}
			if n := len(g.w.Events("")); n != 0 {
				t.Errorf("%d events recorded of a request with one bad event, want 0", n)
			}
		})
	}
}

func TestMeta_tokensAndPaths(t *testing.T) {
	g := start(t, Config{})
	code := func(r reply) string { return fmt.Sprint(r.status, " ", r.at(t, "error", "code")) }
	if got := code(g.events("1001", "", purchase(noon, "1"))); got != "400 104" {
		t.Errorf("no token: %s", got)
	}
	g.must(g.w.AddPixel(Pixel{ID: "1001", Token: "right"}))
	if got := code(g.events("1001", "wrong", purchase(noon, "1"))); got != "400 190" {
		t.Errorf("wrong token: %s", got)
	}
	if r := g.events("1001", "right", purchase(noon, "1")); r.status != 200 {
		t.Errorf("right token: %s", r.body)
	}
	if got := code(g.events("1002", "right", purchase(noon, "1"))); got != "400 100" {
		t.Errorf("unknown pixel: %s", got)
	}
	g.must(g.w.AddPixel(Pixel{ID: "1001", Token: "right", Revoked: true}))
	if got := code(g.events("1001", "right", purchase(noon, "1"))); got != "400 190" {
		t.Errorf("revoked: %s", got)
	}
	if r := g.call("POST", g.s.MetaURL()+"/21/1001/events?access_token=x", nil, "{}"); r.status != 400 {
		t.Errorf("bad version: HTTP %d", r.status)
	}
	if r := g.events("1001", "right"); r.status != 400 {
		t.Errorf("no events: HTTP %d", r.status)
	}
}

func TestMeta_deduplicates(t *testing.T) {
	g := start(t, Config{})
	browser := func(id string) {
		q := url.Values{"id": {"1001"}, "ev": {"Purchase"}, "eid": {id}, "cd[value]": {"19.90"}, "cd[currency]": {"BRL"}}
		g.call("GET", g.s.MetaURL()+"/tr?"+q.Encode(), nil, "")
	}
	g.events("1001", "t", purchase(noon, "a"))
	browser("a") // same id from the other side
	g.events("1001", "t", purchase(noon, "b"))
	g.events("1002", "t", purchase(noon, "a")) // another pixel
	g.clock.advance(49 * time.Hour)
	browser("a") // after the window
	var got []string
	for _, e := range g.w.Events("") {
		got = append(got, e.String())
	}
	want := []string{
		"Purchase a (server)", "Purchase a (browser, duplicate)", "Purchase b (server)", "Purchase a (server)", "Purchase a (browser)",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("events\n%v, want\n%v", got, want)
	}
	if c := g.w.Counters().Meta; c.Purchases != 4 || c.Duplicates != 1 || c.Server != 3 || c.Browser != 2 {
		t.Fatalf("counters %+v", c)
	}
}

func TestMeta_warnsAboutClickIDs(t *testing.T) {
	g := start(t, Config{})
	e := purchase(noon, "1")
	user := e["user_data"].(map[string]any)
	user["fbc"] = fmt.Sprintf("fb.1.%d.AbCd", noon.Add(time.Hour).UnixMilli())
	user["fbp"] = "nonsense"
	g.events("1001", "t", e)
	if w := g.w.Events("")[0].Warnings; len(w) != 2 {
		t.Fatalf("warnings %q, want two", w)
	}
}

func TestMeta_faults(t *testing.T) {
	g := start(t, Config{})
	for status, code := range map[int]string{429: "80004", 401: "190", 503: "2"} {
		kind := FaultCode
		if status == 429 {
			kind = FaultRateLimited
		}
		id := g.fault(Fault{Kind: kind, HTTPStatus: status, Target: TargetMeta, Endpoint: "events"})
		r := g.events("1001", "t", purchase(noon, "1"))
		if r.status != status || fmt.Sprint(r.at(t, "error", "code")) != code {
			t.Errorf("%d: HTTP %d %s, want code %s", status, r.status, r.body, code)
		}
		g.w.RemoveFault(id)
	}
	if len(g.w.Events("")) != 0 {
		t.Error("a fault recorded an event")
	}
}

func TestMeta_script(t *testing.T) {
	g := start(t, Config{})
	r := g.call("GET", g.s.MetaURL()+"/fbevents.js", nil, "")
	if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/javascript") || !strings.Contains(string(r.body), "callMethod") {
		t.Fatalf("HTTP %d %s", r.status, r.header)
	}
}
