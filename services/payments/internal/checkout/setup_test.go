package checkout

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	limit  = 90 * time.Second
	person = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
	emv    = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(pgtest.Run(m))
}

// counter counts statements of the pool.
type counter struct{ n atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}
func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// shop is a served Handler with a merchant who sells.
type shop struct {
	*Handler
	t        *testing.T
	url      string
	merchant payment.MerchantID
	bot      payment.BotID
	queries  *counter
	db       *pgtest.DB
	books    *ledger.Ledger
	kill     func() // ends Run

	mu   sync.Mutex
	now  time.Time
	link func(context.Context, store.Sale) (string, error)
}

func open(t *testing.T, change func(*Config)) *shop {
	t.Helper()
	s := &shop{t: t, merchant: payment.MerchantID(uuid.New()), bot: payment.BotID(uuid.New()), queries: &counter{}, now: time.Now().UTC().Truncate(time.Second),
		link: func(_ context.Context, s store.Sale) (string, error) {
			return "https://pay.example.com/delivery/token-of-" + s.ID.String(), nil
		}}
	s.db = pgtest.New(t, store.Schema)
	cfg := s.db.Pool(t, store.Schema).Config()
	cfg.ConnConfig.Tracer = s.queries
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	must(t, err)
	t.Cleanup(pool.Close)
	db := store.New(pool)
	s.books, err = ledger.New(ledger.Config{Pool: pool, Now: s.clock})
	must(t, err)
	c := Config{Store: db, Ledger: s.books, Now: s.clock, Check: time.Hour, Link: func(ctx context.Context, sale store.Sale) (string, error) {
		s.mu.Lock()
		link := s.link
		s.mu.Unlock()
		return link(ctx, sale)
	}, Title: func(name string) string {
		return map[string]string{"pushinpay": "PushinPay", "bolt": "Bolt Pagamentos"}[name]
	}}
	if change != nil {
		change(&c)
	}
	s.Handler, err = New(c)
	must(t, err)
	_, _, err = db.CreateMerchant(t.Context(), store.Merchant{ID: s.merchant, Name: "Loja <da Ana> & Cia"})
	must(t, err)
	_, err = db.PutBot(t.Context(), store.Bot{MerchantID: s.merchant, ID: s.bot, ExternalID: "35"})
	must(t, err)
	server := httptest.NewServer(s.Handler)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var once sync.Once
	s.kill = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
	t.Cleanup(func() { s.kill(); server.CloseClientConnections(); server.Close() })
	s.url = server.URL
	return s
}

func (s *shop) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *shop) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *shop) links(f func(context.Context, store.Sale) (string, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = f
}

var errDown = errors.New("delivery is down")

// sale records a sale as change leaves it.
func (s *shop) sale(change func(*store.Sale)) store.Sale {
	s.t.Helper()
	id := payment.ID(uuid.New())
	end := s.clock().Add(15 * time.Minute)
	sale := store.Sale{Payment: payment.Payment{ID: id, MerchantID: s.merchant, State: payment.Pending, Amount: 123456, Currency: money.BRL, CreatedAt: s.clock(), QRExpiresAt: &end},
		BotID: s.bot, AccountID: payment.AccountID(uuid.New()), Provider: "pushinpay", SaleKey: auth.Random(), PageKey: auth.Random(), RequestHash: []byte{1},
		Charge: store.Charge{ID: id.String(), CopyPaste: emv}, ProductName: "Clube <VIP> & mais", Tracking: json.RawMessage(`{}`)}
	if change != nil {
		change(&sale)
	}
	got, err := s.books.Record(s.t.Context(), []ledger.Opening{{Sale: sale, Kind: payment.Registered, Source: payment.SourceAPI}})
	must(s.t, err)
	must(s.t, got[0].Err)
	return got[0].Sale
}

// reads applies what a look at the provider found.
func (s *shop) reads(sale store.Sale, word payment.Status, centavos int64) {
	s.t.Helper()
	e := ledger.Entry{Key: store.Key{MerchantID: s.merchant, PaymentID: sale.ID}, Look: &ledger.Look{StartedAt: s.clock(), Outcome: payment.OutcomeStatus},
		Event: payment.Event{Kind: payment.Reported, At: s.clock(), Source: payment.SourcePoll, Reading: &payment.Reading{Status: word}}}
	if centavos != 0 {
		a := money.Amount(centavos)
		e.Event.Reading.Amount = &a
	}
	_, err := s.books.Apply(s.t.Context(), []ledger.Entry{e})
	must(s.t, err)
}

// visits is how often the history says that the buyer came.
func (s *shop) visits(sale store.Sale) (n int) {
	s.t.Helper()
	events, err := s.Store.Events(s.t.Context(), s.merchant, sale.ID)
	must(s.t, err)
	for _, e := range events {
		if e.Kind == payment.BuyerPresent {
			n++
		}
	}
	return n
}

type answer struct {
	code   int
	header http.Header
	body   string
}

// get asks as a person; header are pairs.
func (s *shop) ask(method, path string, header ...string) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, nil)
	must(s.t, err)
	req.Header.Set("User-Agent", person)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	must(s.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(s.t, err)
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
