package purchase_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/delivery/internal/purchase"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const accessToken = "EAAinventedAccessToken0123456789"

var (
	merchant = sale.MerchantID(uuid.MustParse("01930000-0000-7000-8000-00000000000a"))
	bot      = sale.BotID(uuid.MustParse("01930000-0000-7000-8000-000000000b01"))
)

// posted is one request that the Graph API got.
type posted struct {
	Path        string
	AccessToken string           `json:"access_token"`
	TestCode    string           `json:"test_event_code"`
	Data        []map[string]any `json:"data"`
}

// graph is a Graph API that checks what the documentation demands of every request before it answers.
type graph struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	got     []posted
	lenient bool                                    // takes events that are no website's
	answer  func(n int, w http.ResponseWriter) bool // of request n from 1; false lets the graph answer well
}

var sha = regexp.MustCompile(`^[0-9a-f]{64}$`)

func newGraph(t *testing.T) *graph {
	g := &graph{t: t}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	p := posted{Path: r.URL.Path}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err != nil || dec.Decode(&p) != nil {
		g.t.Errorf("request body is not JSON: %v", err)
	}
	if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.Header.Get("Content-Type") != "application/json" {
		g.t.Errorf("request %s with query %q and type %q; want a POST of JSON without a query", r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"))
	}
	if len(p.Data) != 1 {
		g.t.Errorf("%d events in a request, want one sale each", len(p.Data))
	}
	for _, e := range p.Data {
		g.check(e)
	}
	g.mu.Lock()
	g.got = append(g.got, p)
	n, answer := len(g.got), g.answer
	g.mu.Unlock()
	if answer != nil && answer(n, w) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"events_received":1,"messages":[],"fbtrace_id":"AinventedTrace"}`)
}

func (g *graph) check(e map[string]any) {
	user, _ := e["user_data"].(map[string]any)
	custom, _ := e["custom_data"].(map[string]any)
	seconds, err := e["event_time"].(json.Number).Int64()
	at := time.Unix(seconds, 0)
	want := map[string]bool{
		"event_name Purchase":      e["event_name"] == "Purchase",
		"event_time in seconds":    err == nil && time.Since(at) < 7*24*time.Hour && time.Until(at) < time.Minute,
		"event_id":                 e["event_id"] != "",
		"action_source website":    e["action_source"] == "website",
		"event_source_url":         e["event_source_url"] == "https://pay.example.com/delivery/",
		"client_user_agent":        user["client_user_agent"] != nil && user["client_user_agent"] != "",
		"currency":                 custom["currency"] == "BRL",
		"value that is a number":   isNumber(custom["value"]),
		"address without a hash":   user["client_ip_address"] == nil || !sha.MatchString(user["client_ip_address"].(string)),
		"no data that we invented": user["country"] == nil && user["fn"] == nil && user["ct"] == nil,
	}
	for _, k := range []string{"em", "ph", "external_id"} {
		for _, v := range list(user[k]) {
			want[k+" hashed"] = sha.MatchString(v.(string))
		}
	}
	for what, ok := range want {
		website := what == "action_source website" || what == "event_source_url" || what == "client_user_agent"
		if !ok && !(website && g.lenient) {
			g.t.Errorf("event lacks %s: %v", what, e)
		}
	}
}

func isNumber(v any) bool { _, ok := v.(json.Number); return ok }

func list(v any) []any { l, _ := v.([]any); return l }

func (g *graph) requests() []posted {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]posted(nil), g.got...)
}

// rig is a worker on a real store, and the log that it writes.
type rig struct {
	*store.Store
	t      *testing.T
	ctx    context.Context
	pool   *pgxpool.Pool
	sealer *seal.Sealer
	graph  *graph
	wake   *queue.Waker
	logged *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newSealer(t *testing.T) *seal.Sealer {
	t.Helper()
	keyset, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(keyset)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	db := pgtest.New(t, store.Schema)
	pool := db.Pool(t, store.Schema)
	log, err := eventlog.New(eventlog.Config{Pool: pool, Channel: store.Channel})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.New(store.Config{Pool: pool, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return &rig{Store: st, t: t, ctx: ctx, pool: pool, sealer: newSealer(t), graph: newGraph(t), wake: queue.NewWaker(), logged: &logBuffer{}}
}

// run works until the test ends.
func (r *rig) run() {
	r.t.Helper()
	client, err := purchase.NewClient(purchase.ClientConfig{BaseURL: r.graph.URL, Timeout: 5 * time.Second})
	if err != nil {
		r.t.Fatal(err)
	}
	w, err := purchase.NewWorker(purchase.WorkerConfig{
		Queue: r.Store, Client: client, Sealer: r.sealer, SourceURL: "https://pay.example.com/delivery/", Wake: r.wake.C(),
		Backoff: queue.Backoff{Base: time.Millisecond, Limit: 5 * time.Millisecond}, Poll: 5 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(r.logged, nil)),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(r.ctx)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			r.t.Errorf("worker: %v", err)
		}
		client.Close()
	})
}

func (r *rig) putPixel(edit ...func(*store.Pixel)) {
	r.t.Helper()
	sealed, err := r.sealer.Seal([]byte(accessToken), purchase.SealName(merchant, sale.BotID{}))
	if err != nil {
		r.t.Fatal(err)
	}
	p := store.Pixel{Merchant: merchant, PixelID: "123456789012345", SealedToken: sealed}
	for _, e := range edit {
		e(&p)
	}
	if _, err := r.PutPixel(r.ctx, p); err != nil {
		r.t.Fatal(err)
	}
	r.wake.Wake()
}

// opened issues a link and opens it as a buyer does.
func (r *rig) opened(edit ...func(*store.Issue)) sale.Key {
	r.t.Helper()
	p := sale.PaymentID(uuid.Must(uuid.NewV7()))
	is := store.Issue{
		Key: sale.Key{Merchant: merchant, Payment: p}, Bot: bot, TokenVersion: 1, ProductName: "Curso de violão", Amount: 1990,
		PaidAt: time.Now().UTC(),
	}
	copy(is.TokenHash[:], p[:])
	for _, e := range edit {
		e(&is)
	}
	if _, err := r.IssueBatch(r.ctx, []store.Issue{is}); err != nil {
		r.t.Fatal(err)
	}
	visit := store.Visit{ClientIP: "203.0.113.7", UserAgent: "Mozilla/5.0 (invented phone)"}
	if _, err := r.Open(r.ctx, is.TokenHash, visit); err != nil {
		r.t.Fatal(err)
	}
	r.wake.Wake()
	return is.Key
}

// until waits for the Purchase to satisfy ok.
func (r *rig) until(k sale.Key, what string, ok func(store.Purchase) bool) store.Purchase {
	r.t.Helper()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		d, err := r.ByPayment(r.ctx, &k.Merchant, k.Payment)
		if err != nil {
			r.t.Fatalf("waiting until %s: %v", what, err)
		}
		if ok(d.Purchase) {
			return d.Purchase
		}
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.t.Fatalf("never %s: %+v", what, d.Purchase)
		}
	}
}

func (r *rig) untilState(k sale.Key, want store.PurchaseState) store.Purchase {
	r.t.Helper()
	return r.until(k, string(want), func(p store.Purchase) bool { return p.State == want })
}

func (r *rig) exec(statement string, args ...any) {
	r.t.Helper()
	if _, err := r.pool.Exec(r.ctx, statement, args...); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}
