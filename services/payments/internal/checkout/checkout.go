// Package checkout serves the page on which a buyer pays: GET /pay/{key}.
//
// An open page makes its sale due now, within the provider's rule, and keeps it so; the moment the ledger says PAID the page turns
// into the way to what was bought. Many pages wait cheaply: one connection a process listens for all of them, and one statement
// every few seconds makes good what a lost notification would cost.
//
// It refuses to decide anything (the ledger does), to give a link for a sale that is not paid, to tell wrong keys apart, to count
// machines as buyers, and to let the key out: into a log, a span, a Referer or a third party's script.
package checkout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Defaults of Config.
const (
	DefaultStreams    = 20_000           // open pages of a process
	DefaultPerAddress = 200              // of one address: phones of one operator share few
	DefaultPerSale    = 10               // of one sale
	DefaultLife       = 10 * time.Minute // of one stream; the page opens the next by itself
	DefaultCheck      = 5 * time.Second
)

const (
	path = "/pay/"

	guesses    = 30 // wrong keys at once from one address
	guessEvery = 2 * time.Second

	timeout = 5 * time.Second // of the database and of the link

	// An open page makes the schedule believe that its buyer waits for this long, and renews it in time.
	presence      = 3 * time.Minute
	presenceRenew = 90 * time.Second
)

// Config is what a Handler works with. Store, Ledger and Link are required.
type Config struct {
	Store  *store.Store
	Ledger *ledger.Ledger
	// Link is a paid sale's delivery link; see work.Worker.Link.
	Link func(context.Context, store.Sale) (string, error)
	// Title is how the provider of a name writes itself. Nil: by its name.
	Title func(string) string
	// Client is the visitor's address. Nil means the peer's.
	Client func(*http.Request) netip.Addr
	// Secure is set when buyers come over https.
	Secure bool
	// Streams, PerAddress and PerSale bound the pages that wait at once, Life how long one stream does, Check is the time between
	// two looks at all of them. 0 is the default.
	Streams, PerAddress, PerSale int
	Life, Check                  time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Handler serves the pages. It is safe for concurrent use. Run must run for pages to change by themselves.
type Handler struct {
	Config
	page   *template.Template
	limit  *visitor.Limiter
	hub    *hub
	coming *comings
	tracer trace.Tracer
}

// New checks the configuration.
func New(c Config) (*Handler, error) {
	if c.Store == nil || c.Ledger == nil || c.Link == nil {
		return nil, errors.New("checkout: Store, Ledger and Link are required")
	}
	if c.Streams < 0 || c.PerAddress < 0 || c.PerSale < 0 || c.Life < 0 || c.Check < 0 {
		return nil, errors.New("checkout: a limit is negative")
	}
	c.Streams, c.PerAddress, c.PerSale = cmp.Or(c.Streams, DefaultStreams), cmp.Or(c.PerAddress, DefaultPerAddress), cmp.Or(c.PerSale, DefaultPerSale)
	c.Life, c.Check = cmp.Or(c.Life, DefaultLife), cmp.Or(c.Check, DefaultCheck)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Title == nil {
		c.Title = func(name string) string { return name }
	}
	if c.Client == nil {
		c.Client = visitor.Proxies{}.Client
	}
	page, err := template.New("page").Parse(source)
	if err != nil {
		return nil, fmt.Errorf("checkout: %w", err)
	}
	return &Handler{Config: c, page: page, limit: visitor.NewLimiter(guesses, guessEvery, c.Now), hub: newHub(c), coming: newComings(),
		tracer: otel.Tracer("github.com/baixapay/baixa/services/payments/internal/checkout")}, nil
}

// Run listens for changes until ctx is done; then the streams that are open end.
func (h *Handler) Run(ctx context.Context) error { return h.hub.run(ctx) }

// ServeHTTP answers /pay/{key} and /pay/{key}/events. Whatever names no sale is the same 404.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lang := visitor.LanguageOf(r)
	key, streams := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, path), "/events")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && (r.Method != http.MethodPost || streams):
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.plain(w, r, lang, pageMethod, http.StatusMethodNotAllowed)
	case (visitor.IsMachine(r) || visitor.IsPrefetch(r)) && r.Method != http.MethodPost && r.Header.Get(partHeader) == "":
		// The button of this page posts: whoever is taken for a machine by mistake gets in all the same.
		h.plain(w, r, lang, pagePreview, http.StatusOK)
	case streams:
		h.stream(w, r, lang, key)
	default:
		h.visit(w, r, lang, key)
	}
}

// visit is a person's.
func (h *Handler) visit(w http.ResponseWriter, r *http.Request, lang visitor.Language, key string) {
	ctx, span := h.tracer.Start(r.Context(), "checkout page", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	sale, ok := h.find(ctx, w, r, lang, key)
	if !ok {
		return
	}
	span.SetAttributes(attribute.String("baixa.payment_id", sale.ID.String()), attribute.String("baixa.state", sale.State.String()))
	if link, ok := telemetry.LinkFrom(sale.Traceparent); ok {
		span.AddLink(link)
	}
	h.notice(ctx, &sale)
	h.show(ctx, w, r, lang, &sale)
}

// find reads the sale that a key names, or answers why not.
func (h *Handler) find(ctx context.Context, w http.ResponseWriter, r *http.Request, lang visitor.Language, key string) (store.Checkout, bool) {
	from := h.Client(r)
	if wait := h.limit.Wait(from); wait > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
		h.plain(w, r, lang, pageTooMany, http.StatusTooManyRequests)
		return store.Checkout{}, false
	}
	err := store.ErrNotFound
	var sale store.Checkout
	if wellFormed(key) {
		sale, err = h.Store.Checkout(ctx, key)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		h.limit.Count(from)
		h.plain(w, r, lang, pageUnknown, http.StatusNotFound)
		return sale, false
	case err != nil:
		if r.Context().Err() == nil {
			slog.ErrorContext(ctx, "checkout page not available", slog.Any("error", err))
		}
		w.Header().Set("Retry-After", "5")
		h.plain(w, r, lang, pageUnavailable, http.StatusServiceUnavailable)
		return sale, false
	}
	return sale, true
}

// wellFormed tells whether a key can be one, so that nothing else reaches the database.
func wellFormed(key string) bool {
	if len(key) < 32 || len(key) > 64 {
		return false
	}
	for _, c := range []byte(key) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// notice makes the sale due now and believes the buyer to wait, when money can still come. It is written once for each time that a
// buyer comes, not for each request; what goes wrong costs the buyer some seconds and never the page.
func (h *Handler) notice(ctx context.Context, sale *store.Checkout) {
	now := h.Now()
	if !waits(sale.State) || asksForCharge(sale, now) {
		return
	}
	key := store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID}
	until := now.Add(presence)
	var err error
	switch {
	case sale.BuyerUntil == nil || sale.BuyerUntil.Before(now):
		if !h.coming.first(key, now) {
			return
		}
		trace := ""
		if sc := oteltrace(ctx); sc.IsValid() && sc.IsSampled() {
			trace = sc.TraceID().String()
		}
		_, err = h.Ledger.Apply(ctx, []ledger.Entry{{Key: key, Hint: true, BuyerUntil: &until, TraceID: trace,
			Event: payment.Event{Kind: payment.BuyerPresent, At: now, Source: payment.SourceManual}}})
		if err != nil {
			h.coming.failed(key)
		}
	case sale.BuyerUntil.Before(now.Add(presenceRenew)):
		err = h.Store.KeepBuyers(ctx, []store.Key{key}, until)
	}
	if err != nil && ctx.Err() == nil {
		slog.WarnContext(ctx, "a waiting buyer was not noted", slog.String("payment_id", sale.ID.String()), slog.Any("error", err))
	}
}

// asksForCharge reports whether the provider may just be making the charge: asked about it now, it would say that there is none.
func asksForCharge(s *store.Checkout, now time.Time) bool {
	return s.Charge.ID == "" && s.Charge.Hash == "" && s.Charge.CopyPaste == "" && now.Sub(s.CreatedAt) < time.Minute
}

// waits reports whether a buyer of a sale in a state has something to wait for: money may still come.
func waits(s payment.State) bool { return s == payment.Pending || s.Closed() }

func oteltrace(ctx context.Context) trace.SpanContext { return trace.SpanContextFromContext(ctx) }
