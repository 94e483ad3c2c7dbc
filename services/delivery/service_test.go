package delivery_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/delivery"
)

// metaStub takes every event and keeps the bodies.
func metaStub(t *testing.T) (url string, bodies func() []string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, string(body))
		mu.Unlock()
		_, _ = io.WriteString(w, `{"events_received":1,"fbtrace_id":"Ainvented"}`)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), got...)
	}
}

func TestService_fromLinkToPurchase(t *testing.T) {
	w := newWorld(t)
	url, bodies := metaStub(t)
	w.meta = url
	r := w.start()
	if _, err := r.pixels.PutPixel(w.ctx, &deliveryv1.PutPixelRequest{MerchantId: merchantA, PixelId: "123456789012345", AccessToken: "EAAinvented"}); err != nil {
		t.Fatal(err)
	}
	req := request()
	req.Tracking = &typev1.Tracking{PageviewEventId: "pageview_42"}
	link := w.issue(r, req)
	page := r.visit(link.GetToken())
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), `{"eventID": "pageview_42"}`) {
		t.Fatalf("page: status %d, without the event's id", page.Code)
	}
	r.visit(link.GetToken())
	kinds := take(t, w.ctx, r, "", 3)
	for i, want := range []deliveryv1.OutcomeKind{
		deliveryv1.OutcomeKind_OUTCOME_KIND_OPENED, deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_QUEUED, deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_SENT,
	} {
		if kinds[i].GetKind() != want || kinds[i].GetPaymentId() != req.GetPaymentId() || kinds[i].GetId() == "" {
			t.Errorf("outcome %d = %v, want %v", i, kinds[i], want)
		}
	}
	if kinds[2].GetDetail() != "Ainvented" {
		t.Errorf("detail = %q, want Meta's trace id", kinds[2].GetDetail())
	}
	if got := bodies(); len(got) != 1 || !strings.Contains(got[0], `"event_id":"pageview_42"`) || strings.Contains(got[0], link.GetToken()) {
		t.Errorf("Meta got %q; want one event with the page's id, without the link's token", got)
	}
	d := w.get(r, req)
	if p := d.GetPurchase(); d.GetOpens() != 2 || p.GetState() != deliveryv1.PurchaseState_PURCHASE_STATE_SENT || p.GetValue().GetCentavos() != 1990 || p.GetSentAt() == nil {
		t.Errorf("delivery = %v, want two visits and a sent Purchase of R$ 19,90", d)
	}
	// Resuming from the second outcome's cursor gives the third only.
	if rest := take(t, w.ctx, r, kinds[1].GetId(), 1); len(rest) != 1 || rest[0].GetId() != kinds[2].GetId() {
		t.Errorf("resumed with %v, want the third alone", rest)
	}
}

func TestService_stopEndsStreamsAndRestartGoesOn(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	r.visit(w.issue(r, request()).GetToken())
	stream, err := r.FollowOutcomes(w.ctx, &deliveryv1.FollowOutcomesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	r.stop()
	for err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, "stream of a stopped server", err, codes.Unavailable)
	again := w.start()
	again.visit(w.issue(again, request()).GetToken())
	for _, o := range take(t, w.ctx, again, first.GetCursor(), 2) {
		for _, seen := range first.GetOutcomes() {
			if o.GetId() == seen.GetId() {
				t.Errorf("outcome %s came twice", o.GetId())
			}
		}
	}
}

func TestService_databaseDown(t *testing.T) {
	t.Parallel()
	db := pgtest.Server(t)
	w := worldOn(t, db.DSN())
	r := w.start()
	req := request()
	link := w.issue(r, req)
	db.Stop(t)
	page := r.visit(link.GetToken())
	if page.Code != http.StatusServiceUnavailable || page.Header().Get("Retry-After") == "" || !strings.Contains(page.Body.String(), "Voltamos em instantes") {
		t.Errorf("page without a database: status %d", page.Code)
	}
	_, err := r.IssueToken(w.ctx, request())
	wantCode(t, "IssueToken without a database", err, codes.Unavailable)
	db.Start(t)
	if page := r.visit(link.GetToken()); page.Code != http.StatusOK {
		t.Errorf("page after the restart: status %d, want 200", page.Code)
	}
	if again := w.issue(r, req); again.GetToken() != link.GetToken() {
		t.Error("another link after the restart")
	}
}

func TestService_ownHTTPListener(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := delivery.New(w.ctx, w.config(), delivery.Deps{Listener: rpc.NewMemory().Listener(), HTTP: l, Signer: w.signer, Sealer: w.sealer})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	client := &http.Client{Timeout: 10 * time.Second}
	for path, want := range map[string]int{"/delivery/short": http.StatusNotFound, "/delivery/": http.StatusNotFound, "/other": http.StatusNotFound} {
		req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", phone)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || (path != "/other") != (resp.Header.Get("Content-Security-Policy") != "") {
			t.Errorf("%s: status %d, want %d from the pages", path, resp.StatusCode, want)
		}
	}
	client.CloseIdleConnections()
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	s.Close() // again, and harmless
}

func TestNew_wrongKeyset(t *testing.T) {
	w := newWorld(t)
	w.start()
	_, err := delivery.New(w.ctx, w.config(), delivery.Deps{Listener: rpc.NewMemory().Listener(), Signer: w.signer, Sealer: newSealer(t)})
	if !errors.Is(err, seal.ErrWrongKey) || !strings.Contains(err.Error(), "keyset") {
		t.Errorf("error = %v, want ErrWrongKey with a hint", err)
	}
}

func TestNew_databaseNotMigrated(t *testing.T) {
	w := newWorld(t)
	fresh := pgtest.New(t)
	c := w.config(func(c *delivery.Config) { c.DSN = fresh.DSN() })
	_, err := delivery.New(w.ctx, c, delivery.Deps{Listener: rpc.NewMemory().Listener(), Signer: w.signer, Sealer: w.sealer})
	if !errors.Is(err, pg.ErrBehind) {
		t.Errorf("error = %v, want ErrBehind", err)
	}
}

func TestMigrate_twice(t *testing.T) {
	w := newWorld(t) // the first
	if err := delivery.Migrate(w.ctx, w.dsn); err != nil {
		t.Errorf("second Migrate: %v", err)
	}
}

func TestConfig_Validate(t *testing.T) {
	good := delivery.Config{DSN: "postgres://user:hidden@127.0.0.1/db", PublicURL: public}
	if err := good.Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	for field, edit := range map[string]func(*delivery.Config){
		"DSN": func(c *delivery.Config) { c.DSN = " " }, "PublicURL": func(c *delivery.Config) { c.PublicURL = "pay.example.com" },
		"TrustedProxies": func(c *delivery.Config) { c.TrustedProxies = []string{"10.0.0.0/99"} }, "LinkOpens": func(c *delivery.Config) { c.LinkOpens = -1 },
		"LinkLifetime": func(c *delivery.Config) { c.LinkLifetime = -1 }, "TokenKey": func(c *delivery.Config) { c.TokenKey = -1 },
		"MetaURL": func(c *delivery.Config) { c.MetaURL = "http://graph.example" }, "MetaVersion": func(c *delivery.Config) { c.MetaVersion = "21" },
		"MetaTimeout": func(c *delivery.Config) { c.MetaTimeout = time.Minute }, "MetaBatch": func(c *delivery.Config) { c.MetaBatch = 501 },
		"PixelScript": func(c *delivery.Config) { c.PixelScript = "x.js" }, "Guesses": func(c *delivery.Config) { c.Guesses = -1 },
		"GuessInterval": func(c *delivery.Config) { c.GuessInterval = -1 }, "MaxConns": func(c *delivery.Config) { c.MaxConns = -1 },
	} {
		c := good
		edit(&c)
		err := c.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), field+":") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v; want one problem that begins with the field's name", field, err)
		}
	}
}

func TestConfig_flags(t *testing.T) {
	var cli struct {
		Delivery delivery.Config `embed:"" prefix:"delivery-" envprefix:"BAIXA_DELIVERY_"`
	}
	t.Setenv("BAIXA_DELIVERY_TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1")
	t.Setenv("BAIXA_DELIVERY_LINK_LIFETIME", "720h")
	parser, err := kong.New(&cli)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--delivery-dsn=postgres://user:secret@127.0.0.1/db", "--delivery-public-url=" + public}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	c := cli.Delivery
	if err := c.Validate(); err != nil {
		t.Errorf("parsed defaults: %v", err)
	}
	if len(c.TrustedProxies) != 2 || c.LinkLifetime != 720*time.Hour || c.MetaVersion != "v21.0" || c.MaxConns != 8 || c.TokenKey != 1 {
		t.Errorf("parsed %+v; want the environment and the defaults", c.TrustedProxies)
	}
}

func TestFollowOutcomes_badCursor(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	for cursor, want := range map[string]codes.Code{"x": codes.InvalidArgument, "1-": codes.InvalidArgument, "999999999999-1": codes.FailedPrecondition} {
		stream, err := r.FollowOutcomes(w.ctx, &deliveryv1.FollowOutcomesRequest{Cursor: cursor})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != want || !strings.Contains(err.Error(), "cursor") {
			t.Errorf("cursor %q: %v, want %v that names cursor", cursor, err, want)
		}
	}
}
