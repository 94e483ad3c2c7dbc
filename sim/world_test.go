package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a hand-set world clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var noon = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

type rig struct {
	t     *testing.T
	w     *World
	s     *Server
	clock *clock
}

func start(t *testing.T, cfg Config) *rig {
	t.Helper()
	c := &clock{t: noon}
	if cfg.Now == nil {
		cfg.Now = c.now
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	s, err := w.Start("")
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		w.Close()
	})
	return &rig{t: t, w: w, s: s, clock: c}
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// json decodes the body, numbers kept as written.
func (r reply) json(t *testing.T) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("HTTP %d body is not JSON: %v: %.200q", r.status, err, r.body)
	}
	return v
}

// at walks a decoded body: at(t, "data", "pix"), "0" for an array's first.
func (r reply) at(t *testing.T, path ...string) any {
	t.Helper()
	v := r.json(t)
	for _, k := range path {
		switch n := v.(type) {
		case map[string]any:
			v = n[k]
		case []any:
			if k != "0" || len(n) == 0 {
				t.Fatalf("no element %s of %v in %s", k, path, r.body)
			}
			v = n[0]
		default:
			t.Fatalf("no %s of %v in %s", k, path, r.body)
		}
	}
	return v
}

func (g *rig) do(method, u string, head map[string]string, body string) (reply, error) {
	req, err := http.NewRequest(method, u, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for k, v := range head {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, b}, err
}

func (g *rig) call(method, u string, head map[string]string, body string) reply {
	g.t.Helper()
	r, err := g.do(method, u, head, body)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, u, err)
	}
	return r
}

func (g *rig) add(c Charge) Charge {
	g.t.Helper()
	if c.AmountCentavos == 0 {
		c.AmountCentavos = 1990
	}
	out, err := g.w.AddCharge(c)
	if err != nil {
		g.t.Fatalf("AddCharge: %v", err)
	}
	return out
}

func (g *rig) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) fault(f Fault) FaultID {
	g.t.Helper()
	id, err := g.w.AddFault(f)
	g.must(err)
	return id
}

func (g *rig) await(what string, cond func() bool) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	if err := g.w.Await(ctx, cond); err != nil {
		g.t.Fatalf("waiting for %s: %v; counters %+v", what, err, g.w.Counters())
	}
}

// hook is a webhook receiver.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	got  []received
	code func(n int) int
}

type received struct {
	ctype, agent, body string
	header             http.Header
}

func listen(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.got = append(h.got, received{r.Header.Get("Content-Type"), r.UserAgent(), string(b), r.Header})
		n, code := len(h.got), h.code
		h.mu.Unlock()
		if code != nil {
			w.WriteHeader(code(n))
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) all() []received {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]received(nil), h.got...)
}

// ask is one provider's way to ask for a charge's status and to create one.
type ask struct {
	provider Provider
	status   func(base string, c Charge) (u string, head map[string]string)
	// word and amount are where the status call says them.
	word, amount []string
	unit         string // "centavos", "reais"
	create       func(base, hook string) (u string, head map[string]string, body string)
	created      int
	code         []string
	id           []string
	// byHash: the id in the create answer is the charge's hash.
	byHash bool
}

const person = `"name":"Ana Teste","email":"ana@example.test"`

// cpf is a made-up number with right check digits.
const cpf = "52998224725"

func asks() []ask {
	basic := map[string]string{"Authorization": "Basic " + "c2tfc2ltdWxhZG86Y29tcGFuaGlh"} // sk_simulado:companhia
	key := map[string]string{"X-Api-Key": "sk_simulado"}
	bear := map[string]string{"Authorization": "Bearer 1|simulado"}
	umbrella := map[string]string{"X-Api-Key": "sk_simulado", "User-Agent": "UmbrellaPagB2B/1.0"}
	sigilo := map[string]string{"X-Public-Key": "pub", "X-Secret-Key": "sec"}
	family := func(base, hook string) (string, map[string]string, string) {
		return base + "/transactions", basic, `{"amount":1990,"paymentMethod":"PIX","postbackUrl":"` + hook + `",
			"customer":{` + person + `,"phone":"11999990000","document":{"number":"` + cpf + `","type":"CPF"}},
			"items":[{"title":"Curso","unitPrice":1990,"quantity":1,"externalRef":"r-1"}],"pix":{"expiresInDays":1}}`
	}
	familyStatus := func(base string, c Charge) (string, map[string]string) { return base + "/transactions/" + c.ID, basic }
	return []ask{
		{
			provider: Atomopay, word: []string{"payment_status"}, amount: []string{"amount"}, unit: "centavos", created: 201,
			code: []string{"pix", "pix_qr_code"}, id: []string{"hash"}, byHash: true,
			status: func(base string, c Charge) (string, map[string]string) {
				return base + "/transactions/" + c.Hash + "?api_token=simulado", nil
			},
			create: func(base, hook string) (string, map[string]string, string) {
				return base + "/transactions?api_token=simulado", nil, atomoBody(hook)
			},
		},
		{
			provider: Paradise, word: []string{"status"}, amount: []string{"amount"}, unit: "centavos", created: 200,
			code: []string{"qr_code"}, id: []string{"transaction_id"},
			status: func(base string, c Charge) (string, map[string]string) {
				return base + "/query.php?action=get_transaction&id=" + c.ID, key
			},
			create: func(base, hook string) (string, map[string]string, string) {
				return base + "/transaction.php", key, `{"amount":1990,"description":"Curso","reference":"BOT-1","source":"api_externa",
					"postback_url":"` + hook + `","customer":{` + person + `,"document":"` + cpf + `","phone":"11999990000"}}`
			},
		},
		{
			provider: Pushinpay, word: []string{"status"}, amount: []string{"value"}, unit: "centavos", created: 200,
			code: []string{"qr_code"}, id: []string{"id"},
			status: func(base string, c Charge) (string, map[string]string) { return base + "/transactions/" + c.ID, bear },
			create: func(base, hook string) (string, map[string]string, string) {
				return base + "/pix/cashIn", bear, `{"value":1990,"webhook_url":"` + hook + `"}`
			},
		},
		{
			provider: Wiinpay, word: []string{"0", "status"}, amount: []string{"0", "value"}, unit: "reais", created: 201,
			code: []string{"qr_code"}, id: []string{"paymentId"},
			status: func(base string, c Charge) (string, map[string]string) { return base + "/payment/list/" + c.ID, bear },
			create: func(base, hook string) (string, map[string]string, string) {
				return base + "/payment/create", nil, `{"api_key":"1|simulado","value":19.90,` + person + `,"description":"Curso",
					"webhook_url":"` + hook + `","metadata":{"payment_id":"r-1"}}`
			},
		},
		{
			provider: Umbrellapag, word: []string{"data", "data", "status"}, amount: []string{"data", "data", "amount"}, unit: "centavos", created: 200,
			code: []string{"data", "pix", "qrCode"}, id: []string{"data", "id"},
			status: func(base string, c Charge) (string, map[string]string) {
				return base + "/user/transactions/" + c.ID, umbrella
			},
			create: func(base, hook string) (string, map[string]string, string) {
				return base + "/user/transactions", umbrella, `{"amount":1990,"paymentMethod":"pix","traceable":true,"postbackUrl":"` + hook + `",
					"metadata":"{\"r\":1}","customer":{` + person + `,"document":{"number":"` + cpf + `","type":"CPF"}},"items":[{}],"pix":{"expiresInDays":1}}`
			},
		},
		{
			provider: Orionpay, word: []string{"data", "status"}, amount: []string{"data", "amount"}, unit: "reais", created: 200,
			code: []string{"data", "pixCode"}, id: []string{"data", "transactionId"},
			status: func(base string, c Charge) (string, map[string]string) {
				return base + "/api/v1/pix/status/" + c.ID, key
			},
			create: func(base, hook string) (string, map[string]string, string) {
				return base + "/api/v1/pix/personal", key, `{"amount":19.90,` + person + `,"webhookUrl":"` + hook + `"}`
			},
		},
		{
			provider: Babylon, word: []string{"status"}, amount: []string{"amount"}, unit: "centavos", created: 200,
			code: []string{"pix", "qrcode"}, id: []string{"id"}, status: familyStatus, create: family,
		},
		{
			provider: Bolt, word: []string{"status"}, amount: []string{"amount"}, unit: "centavos", created: 200,
			code: []string{"pix", "qrcodeText"}, id: []string{"id"}, status: familyStatus, create: family,
		},
		{
			provider: Aguia, word: []string{"status"}, amount: []string{"amount"}, unit: "centavos", created: 201,
			code: []string{"data", "pix", "qrcode"}, id: []string{"data", "id"},
			status: func(base string, c Charge) (string, map[string]string) { return base + "/transactions/" + c.ID, key },
			create: func(base, hook string) (string, map[string]string, string) {
				return base + "/transactions", key, `{"amount":1990,"paymentMethod":"PIX","externalRef":"r-1","postbackUrl":"` + hook + `",
					"customer":{` + person + `,"document":{"number":"` + cpf + `","type":"cpf"}},"items":[{"title":"Curso"}]}`
			},
		},
		{
			provider: Sigilopay, word: []string{"status"}, amount: []string{"amount"}, unit: "centavos", created: 201,
			code: []string{"pix", "code"}, id: []string{"transactionId"},
			status: func(base string, c Charge) (string, map[string]string) {
				return base + "/gateway/transactions?id=" + c.ID, sigilo
			},
			create: func(base, hook string) (string, map[string]string, string) {
				return base + "/gateway/pix/receive", sigilo, `{"identifier":"r-1","amount":1990,"callbackUrl":"` + hook + `","client":{` + person + `}}`
			},
		},
	}
}

func atomoBody(hook string) string {
	return `{"amount":1990,"payment_method":"pix","offer_hash":"of1","installments":1,"reference":"r-1",
		"postback_url":` + quoted(hook) + `,"customer":{` + person + `,"phone_number":"11999990000","document":"` + cpf + `"},
		"cart":[{"product_hash":"p1","title":"Curso","price":1990,"quantity":1,"operation_type":1,"tangible":false}]}`
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func form(s string) url.Values {
	v, _ := url.ParseQuery(s)
	return v
}
